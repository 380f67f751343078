"""When a plan's rounds are due: windows of the site's own day, in instants; pure.

A window whose end is not after its beginning crosses midnight. Local times that a change of
the clocks leaves out or gives twice are taken so that a window never gets shorter than none.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from central_server.dashboard.i18n import N_

_WRITTEN = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*[-–~至]\s*([01]?\d|2[0-3]|24):([0-5]\d)")
_MOST_WINDOWS = 24
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class WindowError(ValueError):
    """A window that cannot be used; the text is an English msgid, ``fields`` fill it."""

    def __init__(self, text: str, **fields: object) -> None:
        super().__init__(text.format(**fields))
        self.text = text
        self.fields = fields


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Local times of one day; crosses midnight where ``end`` is not after ``start``."""

    start: time
    end: time

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"

    @property
    def minutes(self) -> tuple[int, int]:
        """Give beginning and end in minutes since midnight, the end beyond 1440 where it is tomorrow."""
        start, end = (each.hour * 60 + each.minute for each in (self.start, self.end))
        return start, end if end > start else end + 1440


class Slot(NamedTuple):
    """One round that is due. Units: ms since 1970 UTC; ``key`` is its local beginning."""

    key: str
    starts_at: int
    ends_at: int


def parse_windows(text: str) -> tuple[Window, ...]:
    """Read windows, one "08:00-10:00" a line or between commas, in the order of their beginnings.

    Raises: WindowError where one is not written so, begins like another or meets it.
    """
    parts = [part.strip() for part in re.split(r"[\n,;，；、]", text) if part.strip()]
    if not parts or len(parts) > _MOST_WINDOWS:
        raise WindowError(N_("Write 1 to {most} windows, such as 08:00-10:00."), most=_MOST_WINDOWS)
    windows = sorted(_window(part) for part in parts)
    # The first of tomorrow stands behind the last of today.
    spans = [window.minutes for window in windows]
    later = [*spans[1:], (spans[0][0] + 1440, 0)]
    for window, (_, end), (start, _) in zip(windows, spans, later, strict=True):
        if start < end:
            raise WindowError(N_("{window} meets another window."), window=str(window))
    return tuple(windows)


def _window(part: str) -> Window:
    found = _WRITTEN.fullmatch(part)
    if found is None:
        raise WindowError(N_("'{part}' is not a window. Write it as 08:00-10:00."), part=part)
    hours = [int(each) for each in found.groups()]
    return Window(time(hours[0], hours[1]), time(hours[2] % 24, hours[3]))


def slots(
    windows: Sequence[Window], zone: ZoneInfo, from_on: date, every_days: int, after: int, until: int
) -> Iterator[Slot]:
    """Give the rounds that begin in (after, until], oldest first."""
    # A day earlier and later than the instants' own: zones shift them.
    first = max(from_on, (_EPOCH + timedelta(milliseconds=after)).date() - timedelta(days=1))
    day = from_on + timedelta(days=-(-(first - from_on).days // every_days) * every_days)
    last = (_EPOCH + timedelta(milliseconds=until)).date() + timedelta(days=1)
    while day <= last:
        for window in windows:
            slot = _slot(window, zone, day)
            if after < slot.starts_at <= until:
                yield slot
        day += timedelta(days=every_days)


def _slot(window: Window, zone: ZoneInfo, day: date) -> Slot:
    start = datetime.combine(day, window.start)
    end = datetime.combine(day if window.end > window.start else day + timedelta(days=1), window.end)
    # Where the clocks show a time twice the round may begin at the first and last to the second.
    starts_at, ends_at = _instant(start, zone, 0), _instant(end, zone, 1)
    return Slot(start.isoformat(timespec="minutes"), starts_at, max(ends_at, starts_at + 60_000))


def _instant(local: datetime, zone: ZoneInfo, fold: int) -> int:
    aware = local.replace(tzinfo=zone, fold=fold)
    if aware.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        aware = aware.replace(fold=0)  # left out by the clocks: counted on from before
    return (aware.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)
