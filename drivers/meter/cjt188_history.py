"""What a CJ/T 188 meter remembers: timed freezes (2018), and the registers of its settlement days.

A freeze carries the instant at which it was made, so it is the register at the end of a day where
that instant is a midnight. A settlement day's register carries none: the meter's own settlement
day is asked for, and taken to begin at midnight, as the standard's users do.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from drivers.base import PointValue
from drivers.bus.exchange import Answer, Clock
from drivers.errors import DeviceRefused
from drivers.profile import Point, Profile
from drivers.profile.cjt188 import Link
from protocols import cjt188, cjt188_data
from protocols.cjt188_data import Value
from protocols.quantity import Quality, canonical, canonical_unit

# A month of daily freezes, and some by hand between them.
_MOST_FREEZES = 62
_LAST_SURE_DAY = 28


class Cjt188History:
    """One meter's memory; ``read_item`` asks for one identifier."""

    def __init__(
        self, profile: Profile, register: Point, read_item: Callable[[int], Awaitable[Answer]], clock: Clock
    ) -> None:
        assert isinstance(profile.link, Link)
        self._link = profile.link
        self._is_heat = profile.kind == "heat"
        self._register = register
        self._read_item = read_item
        self._clock = clock

    async def read(self, days: Sequence[date], zone: tzinfo) -> list[PointValue]:
        """Read the register at the ends of these days, in their order; a day that the meter does not have is left out.

        Raises: as a driver's ``read``, but for a refusal: a meter that refuses does not have it.
        """
        wanted = {_midnight_after(day, zone) for day in days}
        found: dict[datetime, PointValue] = {}
        if self._link.history in ("freeze", "auto") and not self._is_heat:
            found = await self._freezes(wanted, zone)
        if not found and self._link.history in ("month", "auto"):
            found = await self._months(wanted, zone)
        return [found[instant] for instant in sorted(found)]

    async def _freezes(self, wanted: set[datetime], zone: tzinfo) -> dict[datetime, PointValue]:
        """Go back freeze by freeze until all are found, or older ones come than are wanted."""
        found: dict[datetime, PointValue] = {}
        for number in range(_MOST_FREEZES):
            answer = await self._asked(cjt188.FREEZE + number)
            if answer is None:
                break
            value = cjt188_data.decode_freeze(answer.payload, self._link.layout)[0]
            if value.at is None:
                break
            instant = datetime.fromisoformat(value.at).replace(tzinfo=zone).astimezone(UTC)
            if instant in wanted and instant not in found and (frozen := self._frozen(value, instant)) is not None:
                found[instant] = frozen
            if instant < min(wanted) or len(found) == len(wanted):
                break
        return found

    async def _months(self, wanted: set[datetime], zone: tzinfo) -> dict[datetime, PointValue]:
        found: dict[datetime, PointValue] = {}
        day = await self._settlement_day()
        if day is None:
            return found
        at = self._clock().astimezone(zone).date()
        for number in range(cjt188.MONTHS):
            at = _previous(at, day) if number or at.day < day else at.replace(day=day)
            instant = _midnight_after(at - timedelta(days=1), zone)
            if instant < min(wanted):
                break
            if instant not in wanted:
                continue
            answer = await self._asked(self._link.month_di + number)
            if answer is None:
                break
            value = cjt188_data.decode_month(self._link.meter_type, answer.payload, self._link.layout)
            if (frozen := self._frozen(value, instant)) is not None:
                found[instant] = frozen
        return found

    async def _settlement_day(self) -> int | None:
        """Ask for the day of the month; one that some months do not have cannot be placed."""
        answer = await self._asked(cjt188.SETTLEMENT_DAY)
        if answer is None:
            return None
        digits = answer.payload[:1].hex()
        return int(digits) if digits.isdecimal() and 1 <= int(digits) <= _LAST_SURE_DAY else None

    async def _asked(self, di: int) -> Answer | None:
        try:
            return await self._read_item(di)
        except DeviceRefused:
            return None

    def _frozen(self, value: Value, instant: datetime) -> PointValue | None:
        quantity = value.quantity
        if quantity.value is None or canonical_unit(quantity.unit) != self._register.canonical_unit:
            return None
        quantity = canonical(quantity)._replace(quality=Quality.FROZEN)
        return PointValue(self._register.name, quantity, instant, value.raw)


def _midnight_after(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)


def _previous(at: date, day: int) -> date:
    """Give the last settlement day before the month of ``at``, or before ``at`` in it."""
    if at.day > day:
        return at.replace(day=day)
    return (at.replace(day=1) - timedelta(days=1)).replace(day=day)
