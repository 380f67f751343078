"""What registers went on by in a month: told from rollups, and from readings where a day is not joined.

The opening is what a register showed at the month's first instant, the closing at its last, as charts
have them; one that was not read before the month opens with its first reading. Rollups do not count a
day that is not joined, see compaction: where that day could matter, the newest value there is stands
in for the closing, or the readings are looked at. So the answer is always that of the readings.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Select, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.schema import block, latest, rollup, series
from central_server.telemetry.block_store import DAY_MS
from central_server.telemetry.readings import EARLIEST_DAY, first_believed, values_at
from central_server.telemetry.rollup import month_start, next_month
from protocols.quantity import BELIEVED, from_scaled

_own = rollup.c
_MONTH = (_own.span == "month", _own.count > 0)
_BELIEVED = tuple(map(int, BELIEVED))


class Mark(NamedTuple):
    """What a register showed, and since when. Units: ``at`` is milliseconds since 1970 in UTC."""

    at: int
    value: Decimal


class Ends(NamedTuple):
    """What a register showed at both ends; None where it was not read."""

    opening: Mark | None
    closing: Mark | None

    @property
    def use(self) -> Decimal | None:
        """Give what it went on by; None where that is not known, or where it fell: the meter was changed or reset."""
        if self.opening is None or self.closing is None or self.closing.at <= self.opening.at:
            return None
        return self.closing.value - self.opening.value if self.closing.value >= self.opening.value else None


class _Sums(NamedTuple):
    """What rollups say of each series: the last mark at or before the month, the first in it, the last up to its end."""

    opening: dict[int, Mark]
    first: dict[int, Mark]
    closing: dict[int, Mark]


async def month_uses(
    connection: AsyncConnection, wanted: Select[Any], start: int, zone: ZoneInfo, now: int
) -> dict[int, Ends]:
    """Give the ends of the month of a site's time that begins at ``start``, for each series that ``wanted`` selects.

    Shape: a series that was not read up to the end of the month may be left out. Units: milliseconds since 1970 in UTC.
    """
    end, today = next_month(start, zone), now // DAY_MS
    sums = await _sums(connection, wanted, month_start(zone)(start - 1), start, end)
    unjoined = await _unjoined(connection, wanted, min(today - 1, end // DAY_MS))
    is_running = today <= end // DAY_MS
    newest = await _newest(connection, wanted, end) if unjoined or is_running else {}
    ends: dict[int, Ends] = {}
    opened_within = (sums.first.keys() | sums.closing.keys()) - sums.opening.keys()
    asked = await _read_before(connection, opened_within, start // DAY_MS)
    for key in {**sums.opening, **sums.closing, **newest, **unjoined}:
        days = unjoined.get(key, ())
        told = None if key in asked else _told(key, sums, newest, {*days, today} if is_running else days, start)
        ends[key] = told or await ends_of(connection, key, start, end)
    return ends


def _told(key: int, sums: _Sums, newest: Mapping[int, Mark], unjoined: Collection[int], start: int) -> Ends | None:
    """Give the ends as sums and the newest value tell them; None where a day that is not joined may know better."""
    opening, first = sums.opening.get(key), sums.first.get(key)
    closing = sums.closing.get(key) or opening
    if not unjoined:
        return Ends(opening or first or closing, closing)
    since = opening or first or closing
    until = start if opening is not None else since and since.at  # no reading up to here may change the opening
    if since is None or until is None:
        return None
    earliest = since.at // DAY_MS if opening is not None else EARLIEST_DAY
    if any(earliest <= day <= until // DAY_MS for day in unjoined):
        return None
    if closing is None or any(day >= closing.at // DAY_MS for day in unjoined):
        closing = newest.get(key)
    return closing and Ends(since, closing)


async def ends_of(connection: AsyncConnection, series_id: int, from_at: int, until: int) -> Ends:
    """Give what a register showed at two instants, from its readings."""
    opening, closing = (each and Mark(*each) for each in await values_at(connection, series_id, (from_at, until)))
    if opening is None:
        row = await first_believed(connection, series_id, from_at, until)
        opening = None if row is None or row.value is None else Mark(row.at, row.value)
    return Ends(opening, closing)


async def _sums(connection: AsyncConnection, wanted: Select[Any], before: int, start: int, end: int) -> _Sums:
    of_those = (*_MONTH, _own.series_id.in_(wanted))
    columns = (_own.series_id, _own.exponent, _own.last_at, _own.last)
    opening = _marks((await connection.execute(select(*columns).where(*of_those, _own.start == before))).all())
    first: dict[int, Mark] = {}
    closing: dict[int, Mark] = {}
    query = select(*columns, _own.first_at, _own.first).where(*of_those, _own.start == start)
    for key, exponent, last_at, last, first_at, value in (await connection.execute(query)).all():
        closing[key] = Mark(last_at, from_scaled(int(last), exponent))
        if first_at == start or key not in opening:
            mark = Mark(first_at, from_scaled(int(value), exponent))
            (opening if first_at == start else first)[key] = mark
    columns = (_own.series_id, _own.exponent, _own.first_at, _own.first)
    query = select(*columns).where(*of_those, _own.start == end, _own.first_at == end)
    closing |= _marks((await connection.execute(query)).all())
    return _Sums(opening, first, closing)


def _marks(rows: Iterable[Any]) -> dict[int, Mark]:
    return {key: Mark(at, from_scaled(int(value), exponent)) for key, exponent, at, value in rows}


async def _unjoined(connection: AsyncConnection, wanted: Select[Any], last: int) -> dict[int, list[int]]:
    """Give the days up to ``last`` of which parts are not joined, by series."""
    # The sum keeps SQLite from looking at each series instead of at the few days that have parts.
    of_those = (block.c.part != 0, block.c.day <= last, (block.c.series_id + 0).in_(wanted))
    found: dict[int, list[int]] = {}
    for key, day in await connection.execute(select(block.c.series_id, block.c.day).where(*of_those).distinct()):
        found.setdefault(key, []).append(day)
    return found


async def _newest(connection: AsyncConnection, wanted: Select[Any], end: int) -> dict[int, Mark]:
    """Give newest values that are to be believed, up to the end; not one that was shown before its record came."""
    query = select(latest.c.series_id, latest.c.exponent, latest.c.taken_at, latest.c.mantissa).where(
        latest.c.series_id.in_(wanted),
        latest.c.taken_at <= end,
        latest.c.quality.in_(_BELIEVED),
        latest.c.mantissa.is_not(None),
        latest.c.batch_id.is_not(None),
    )
    return _marks((await connection.execute(query)).all())


async def _read_before(connection: AsyncConnection, keys: Collection[int], day: int) -> set[int]:
    """Choose the series that have readings before a day: the month before has none of them, an older one has."""
    if not keys:
        return set()
    older = exists().where(block.c.series_id == series.c.id, block.c.day < day)
    return set((await connection.execute(select(series.c.id).where(series.c.id.in_(keys), older))).scalars())
