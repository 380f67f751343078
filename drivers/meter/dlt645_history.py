"""Registers as a DL/T 645-2007 meter froze them itself, at the midnights of its own clock.

The n-th last daily freeze is numbered from 1, and a night in which the meter was without power has
none: a day is found by the instant that the meter keeps beside its numbers, never by counting.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from drivers.base import PointValue
from drivers.bus.exchange import Answer, Clock
from drivers.errors import DeviceRefused
from drivers.profile import Point
from protocols.dlt645_reader import decode_values, freeze_di, freeze_instant_di, instant_of
from protocols.quantity import canonical

_MOST_NUMBER = 0xFE
_MIDNIGHT_TOLERANCE = timedelta(hours=1)
_DAY = timedelta(days=1)
_FROZEN_KINDS = range(1, 9)


class DailyFreeze:
    """Finds and reads the freezes of some days.

    Shape: ``read_di`` asks for an identifier; ``registers`` are points with their own live identifiers.
    """

    def __init__(
        self,
        read_di: Callable[[int], Awaitable[Answer]],
        clock: Clock,
        registers: Sequence[tuple[Point, int]],
        zone: tzinfo,
    ) -> None:
        self._read_di = read_di
        self._clock = clock
        self._zone = zone
        self._points: dict[int, dict[int, str]] = {}
        for point, di in registers:
            kind, tariff, settlement = di >> 16, di >> 8 & 0xFF, di & 0xFF
            if kind in _FROZEN_KINDS and settlement == 0:
                self._points.setdefault(kind, {})[tariff] = point.name
        self._instants: dict[int, datetime | None] = {}

    async def read(self, days: Sequence[date]) -> list[PointValue]:
        """Read the freezes at the ends of days, oldest first; a day that the meter does not have is left out.

        Raises: DeviceRefused for a meter that has no daily freeze at all; DeviceOffline, BusDown.
        """
        if not self._points:
            return []
        values: list[PointValue] = []
        for day in sorted(set(days)):
            today = self._today()
            found = await self._one_day(day, today)
            if self._today() != today:
                # Midnight has passed in between and the meter has numbered anew.
                self._instants.clear()
                found = await self._one_day(day, self._today())
            values += found
        return values

    def _today(self) -> date:
        return self._clock().astimezone(self._zone).date()

    async def _one_day(self, day: date, today: date) -> list[PointValue]:
        number = await self._number(day, today)
        if number is None:
            return []
        at = self._instants[number]
        assert at is not None
        values: list[PointValue] = []
        for kind, points in self._points.items():
            values += await self._registers(kind, number, points, at.replace(tzinfo=self._zone).astimezone(UTC))
        return values

    async def _number(self, day: date, today: date) -> int | None:
        """Find the number of the freeze at the end of a day, by halves: the instants fall as the numbers rise."""
        end = datetime.combine(day + _DAY, time())  # the meter's local time
        number = (today - day).days
        low, high = 1, min(number + 1, _MOST_NUMBER)
        number = min(number, high)
        while low <= number <= high:
            at = await self._instant(number)
            if at is not None and abs(at - end) <= _MIDNIGHT_TOLERANCE:
                return number
            if at is not None and at > end:
                low = number + 1
            else:  # too old, or not kept any more
                high = number - 1
                if at is not None:
                    # Freezes are at least a day apart: the one wanted is at most so many numbers away.
                    low = max(low, number - round((end - at) / _DAY))
            number = (low + high + 1) // 2
        return None

    async def _instant(self, number: int) -> datetime | None:
        if number not in self._instants:
            try:
                text = instant_of((await self._read_di(freeze_instant_di(number))).payload)
            except DeviceRefused:
                if not any(self._instants.values()) and number == 1:
                    raise
                text = None
            self._instants[number] = _parsed(text)
        return self._instants[number]

    async def _registers(self, kind: int, number: int, points: Mapping[int, str], at: datetime) -> list[PointValue]:
        try:
            answer = await self._read_di(freeze_di(kind, number))
        except DeviceRefused:
            return []  # it freezes other registers than this one
        frozen = {value.tariff: value for value in decode_values(freeze_di(kind, number), answer.payload)}
        return [
            PointValue(name, canonical(frozen[tariff].quantity), at, frozen[tariff].raw)
            for tariff, name in points.items()
            if tariff in frozen
        ]


def _parsed(text: str | None) -> datetime | None:
    """Take an instant as the meter's local time; None for a date that no calendar has."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
