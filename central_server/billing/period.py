"""Billing periods: a month of the site's own calendar, as instants."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_PERIOD = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class Period(NamedTuple):
    """A month; prints as ``2026-10``."""

    year: int
    month: int

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def next(self) -> "Period":
        return Period(self.year + 1, 1) if self.month == 12 else Period(self.year, self.month + 1)

    def starts_at(self, zone: ZoneInfo) -> int:
        """Give the period's first instant. Units: ms since the epoch."""
        return to_ms(datetime(self.year, self.month, 1, tzinfo=zone))

    def ends_at(self, zone: ZoneInfo) -> int:
        """Give the first instant that is no longer in the period. Units: ms since the epoch."""
        return self.next.starts_at(zone)


def parse_period(text: str) -> Period:
    """Read ``YYYY-MM``. Raises: ValueError that says what a period looks like."""
    found = _PERIOD.fullmatch(text)
    if not found or not 2000 <= int(found.group(1)) <= 9998:
        raise ValueError(f"'{text}' is not a period; write it as YYYY-MM, for example 2026-10")
    return Period(int(found.group(1)), int(found.group(2)))


def parse_instant(text: str) -> int:
    """Read an ISO 8601 instant with its offset. Units: ms since the epoch. Raises: ValueError."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is not an instant; write it as 2026-10-15T18:00:00+08:00") from None
    if instant.tzinfo is None:
        raise ValueError(f"'{text}' says no offset from UTC; write it as {text}+08:00 or {text}Z")
    return to_ms(instant)


def to_ms(instant: datetime) -> int:
    """Give an aware instant as ms since the epoch, exactly; what is finer is dropped."""
    return (instant - _EPOCH) // _MS


def to_iso(at: int) -> str:
    """Print ms since the epoch as ISO 8601 UTC with three places."""
    return (_EPOCH + at * _MS).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_day(at: int, zone: ZoneInfo) -> date:
    """Give the day an instant lies in at the site."""
    return (_EPOCH + at * _MS).astimezone(zone).date()
