"""What registers went on by in a month: told from rollups, and from readings where a day is not joined.

The opening is what a register showed at the month's first instant, the closing at its last, as a bill
takes them. One that was not read before the month opens with its first reading. What a rollup does not
count yet, see compaction, is either the newest value there is, or read; so the answer is always that
of the readings themselves.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.schema import block, latest, rollup
from central_server.telemetry.block_store import DAY_MS
from central_server.telemetry.readings import BELIEVED_CODES, first_believed, values_at
from protocols.quantity import from_scaled

_own = rollup.c
_MONTH = (_own.span == "month", _own.count > 0)


class Mark(NamedTuple):
    """What a register showed, and since when. Units: milliseconds since 1970 in UTC."""

    at: int
    value: Decimal


class Ends(NamedTuple):
    """A register at both ends of a month; None where it had not been read by then."""

    opening: Mark | None
    closing: Mark | None

    @property
    def use(self) -> Decimal | None:
        """Give what it went on by; None where that is not known, or where it fell: a meter was changed or reset."""
        if self.opening is None or self.closing is None:
            return None
        if self.closing.at <= self.opening.at or self.closing.value < self.opening.value:
            return None
        return self.closing.value - self.opening.value


NOTHING = Ends(None, None)


class Month(NamedTuple):
    """A month of a site's own time, and where the one before begins. Units: milliseconds since 1970 in UTC."""

    before: int
    start: int
    end: int


@dataclass(slots=True)
class _Found:
    """What the rollups say of a month's registers, by series."""

    opening: dict[int, Mark] = field(default_factory=dict)
    first: dict[int, Mark] = field(default_factory=dict)
    closing: dict[int, Mark] = field(default_factory=dict)


async def month_uses(connection: AsyncConnection, wanted: Select[Any], month: Month, now: int) -> dict[int, Ends]:
    """Give the ends of a month of each series that ``wanted`` selects; those never read by then are left out."""
    found = await _of_rollups(connection, wanted, month)
    days = await _parted(connection, wanted, month, now)
    newest = await _newest(connection, wanted, month) if days or month.end > _today(now) else {}
    ends: dict[int, Ends] = {}
    for key in {**found.closing, **found.opening, **newest, **days}:
        opening, closing = found.opening.get(key), found.closing.get(key)
        own = days.get(key, ()) if month.end <= _today(now) else (*days.get(key, ()), _today(now) // DAY_MS)
        if opening is not None and opening.at < month.start:
            is_stale = any(opening.at // DAY_MS <= day <= month.start // DAY_MS for day in own)
        else:
            is_stale = any(day <= (opening or Mark(month.end, Decimal(0))).at // DAY_MS for day in own)
        if not is_stale and any(closing is None or day >= closing.at // DAY_MS for day in own):
            closing = newest.get(key)
            is_stale = closing is None
        ends[key] = await ends_of(connection, key, month.start, month.end) if is_stale else Ends(opening, closing)
    return ends
