"""The business calendar: how much working time lies between two instants, and when some of it is over.

One calendar serves every clock. It is written in a site's own days and hours; an instant is always
milliseconds since 1970 in UTC, so that a day of 23 or 25 hours is as long as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from protocols.toml import Fault, SettingsError, faults, parse

DAY_MS = 24 * 3600 * 1000
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_FARTHEST_DAYS = 3660  # a calendar without working time must not be searched for ever

Span = tuple[time, time]


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working hours by weekday from Monday, days off, and days that are worked instead."""

    hours: tuple[tuple[Span, ...], ...]
    holidays: Mapping[date, str] = field(default_factory=dict)
    working_days: frozenset[date] = frozenset()

    def spans_on(self, day: date) -> tuple[Span, ...]:
        """Give a day's working hours."""
        if day in self.working_days:
            return self.hours[0]
        return () if day in self.holidays else self.hours[day.weekday()]

    def between(self, begin: int, end: int, zone: ZoneInfo) -> int:
        """Measure the working time from one instant to another, below zero where the second is earlier. Units: ms."""
        if end < begin:
            return -self.between(end, begin, zone)
        total = 0
        for first, last in self._spans_from(begin, zone):
            if first >= end:
                break
            total += max(0, min(last, end) - max(first, begin))
        return total

    def add(self, begin: int, length: int, zone: ZoneInfo) -> int:
        """Give the instant at which so much working time is over; a length below zero goes back. Units: ms."""
        if length < 0:
            return self._back(begin, -length, zone)
        left = length
        for first, last in self._spans_from(begin, zone):
            start = max(first, begin)
            if last - start >= left:
                return start + left
            left -= max(0, last - start)
        return begin + length  # no working time at all: count every hour

    def _back(self, begin: int, length: int, zone: ZoneInfo) -> int:
        left = length
        for first, last in self._spans_before(begin, zone):
            stop = min(last, begin)
            if stop - first >= left:
                return stop - left
            left -= max(0, stop - first)
        return begin - length

    def _spans_from(self, begin: int, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
        day = _local_day(begin, zone)
        for _ in range(_FARTHEST_DAYS):
            yield from self._instants(day, zone)
            day += timedelta(days=1)

    def _spans_before(self, begin: int, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
        day = _local_day(begin, zone)
        for _ in range(_FARTHEST_DAYS):
            yield from reversed(list(self._instants(day, zone)))
            day -= timedelta(days=1)

    def _instants(self, day: date, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
        for first, last in self.spans_on(day):
            yield _instant(day, first, zone), _instant(day, last, zone)


def _local_day(at: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date()


def _instant(day: date, clock: time, zone: ZoneInfo) -> int:
    return round(datetime.combine(day, clock, zone).timestamp() * 1000)


def _span(value: object) -> object:
    """Read "08:30-12:00"; hours that cross midnight are two spans of two days."""
    if not isinstance(value, str) or value.count("-") != 1:
        raise ValueError(f"'{value}' is not a span of hours such as 08:30-12:00")
    try:
        first, last = (time.fromisoformat(part.strip()) for part in value.split("-"))
    except ValueError:
        raise ValueError(f"'{value}' is not a span of hours such as 08:30-12:00") from None
    if first >= last:
        raise ValueError(f"'{value}' ends before it begins")
    return first, last


_Hours = tuple[Annotated[Span, BeforeValidator(_span)], ...]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Week(_Table):
    monday: _Hours = ()
    tuesday: _Hours = ()
    wednesday: _Hours = ()
    thursday: _Hours = ()
    friday: _Hours = ()
    saturday: _Hours = ()
    sunday: _Hours = ()


class _Holiday(_Table):
    name: str
    from_: date = Field(alias="from")
    to: date


class _WorkingDay(_Table):
    on: date


class _File(_Table):
    year: Annotated[int, Field(ge=2020, le=2100)]
    hours: _Week
    holiday: tuple[_Holiday, ...] = ()
    working_day: tuple[_WorkingDay, ...] = ()


_KNOWN = {
    "": list(_File.model_fields),
    "hours": list(_WEEK),
    "holiday": ["name", "from", "to"],
    "working_day": ["on"],
}


def read_year(text: str, file: str) -> Calendar:
    """Read one year's file. Raises: SettingsError with every fault found."""
    document = parse(text, file)
    try:
        found = _File.model_validate(document.data)
    except ValidationError as error:
        raise SettingsError(faults(document, error.errors(), _KNOWN)) from None
    off = {day: each.name for each in found.holiday for day in _days(each.from_, each.to)}
    hours: tuple[Any, ...] = tuple(tuple(sorted(getattr(found.hours, name))) for name in _WEEK)
    return Calendar(hours, off, frozenset(each.on for each in found.working_day))


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=count) for count in range((last - first).days + 1)]


def joined(years: Iterable[Calendar]) -> Calendar:
    """Put years together; the last one's hours hold for all."""
    parts = list(years)
    return Calendar(
        parts[-1].hours,
        {day: name for part in parts for day, name in part.holidays.items()},
        frozenset(day for part in parts for day in part.working_days),
    )


def calendar_directory() -> Path:
    """Give the folder of calendars: the one in a built package, else the repository's."""
    built = Path(__file__).parent / "_config" / "calendars"
    return built if built.is_dir() else Path(__file__).parents[1] / "config" / "calendars"


@cache
def load_calendar(country: str = "cn") -> Calendar:
    """Load every year of a country's calendar. Raises: SettingsError."""
    folder = calendar_directory()
    files = sorted(folder.glob(f"{country}-*.toml"))
    if not files:
        raise SettingsError([Fault(str(folder), 0, "", f"there is no calendar {country}-....toml here", "Add one.")])
    return joined(read_year(path.read_text(encoding="utf-8"), str(path)) for path in files)
