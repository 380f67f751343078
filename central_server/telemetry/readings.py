"""Readings out of their blocks: of a stretch of time, or the one next to an instant that may be believed."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.telemetry import block_store
from central_server.telemetry.block import NO_VALUE, Block, merged, unpack
from central_server.telemetry.block_store import DAY_MS
from central_server.telemetry.rollup import QUARTER_MS, Bucket, quarters, unpack_buckets
from protocols.quantity import BELIEVED, from_scaled

_BELIEVED = frozenset(map(int, BELIEVED))
# Whoever asks for all there is means nothing before nor after.
EARLIEST_DAY = -1_000_000
LATEST_MS = 1_000_000 * DAY_MS
_STRETCH = 32  # days read at once


class ReadingRow(NamedTuple):
    """A reading with what proves it. Units: ``at`` is milliseconds since 1970 in UTC."""

    at: int
    value: Decimal | None
    quality: int
    batch_id: int
    seq: int

    @property
    def is_believed(self) -> bool:
        return self.value is not None and self.quality in _BELIEVED


async def days(
    connection: AsyncConnection, series_id: int, from_ms: int, to_ms: int, *wanted: str
) -> AsyncIterator[Block]:
    """Give a series' blocks of the days that touch [from_ms, to_ms), each whole and in order.

    Shape: of a day in one piece only the ``wanted`` columns, where some are named.
    """
    last = (to_ms - 1) // DAY_MS
    day = await block_store.day_after(connection, series_id, from_ms // DAY_MS, last)
    while day is not None:
        found = await block_store.bodies(connection, series_id, day, min(day + _STRETCH - 1, last))
        for _, parts in groupby(found, lambda row: row[0]):
            bodies = [body for _, _, body in parts]
            yield unpack(bodies[0], *wanted) if len(bodies) == 1 else merged(map(unpack, bodies))
        day = await block_store.day_after(connection, series_id, day + _STRETCH, last)


async def whole_day(connection: AsyncConnection, series_id: int, day: int) -> Block:
    """Read a series' day, its parts joined."""
    found = [unpack(body) for _, _, body in await block_store.bodies(connection, series_id, day, day)]
    return found[0] if len(found) == 1 else merged(found)


async def readings(connection: AsyncConnection, series_id: int, from_ms: int, to_ms: int) -> AsyncIterator[ReadingRow]:
    """Give the readings of [from_ms, to_ms) in the order of (instant, batch, number)."""
    async for block in days(connection, series_id, from_ms, to_ms):
        for row in rows(block):
            if from_ms <= row.at < to_ms:
                yield row


async def last_believed(connection: AsyncConnection, series_id: int, from_ms: int, until_ms: int) -> ReadingRow | None:
    """Give the last reading to be believed in [from_ms, until_ms]; of two of one instant the one heard last."""
    day = await block_store.day_before(connection, series_id, from_ms // DAY_MS, until_ms // DAY_MS)
    while day is not None:
        for row in reversed(list(rows(await whole_day(connection, series_id, day)))):
            if from_ms <= row.at <= until_ms and row.is_believed:
                return row
        day = await block_store.day_before(connection, series_id, from_ms // DAY_MS, day - 1)
    return None


async def first_believed(
    connection: AsyncConnection, series_id: int, from_ms: int, until_ms: int | None = None
) -> ReadingRow | None:
    """Give the first reading to be believed in [from_ms, until_ms], with no end if that is None; of two as above."""
    last = None if until_ms is None else until_ms // DAY_MS
    day = await block_store.day_after(connection, series_id, from_ms // DAY_MS, last)
    while day is not None:
        found: ReadingRow | None = None
        for row in rows(await whole_day(connection, series_id, day)):
            if found is not None and row.at > found.at:
                break
            if from_ms <= row.at and (until_ms is None or row.at <= until_ms) and row.is_believed:
                found = row
        if found is not None:
            return found
        day = await block_store.day_after(connection, series_id, day + 1, last)
    return None


async def values_at(
    connection: AsyncConnection, series_id: int, marks: Sequence[int]
) -> list[tuple[int, Decimal] | None]:
    """Give the last believed (instant, value) at or before each mark, None where there is none."""
    blocks: dict[int, Block] = {}
    found: list[tuple[int, Decimal] | None] = []
    for mark in marks:
        day: int | None = mark // DAY_MS
        held = None
        while day is not None and held is None:
            if day not in blocks:
                blocks[day] = await whole_day(connection, series_id, day)
            held = _value_at(blocks[day], mark)
            if held is None:
                day = await block_store.day_before(connection, series_id, EARLIEST_DAY, day - 1)
        found.append(held)
    return found


def _value_at(block: Block, mark: int) -> tuple[int, Decimal] | None:
    for place in range(bisect_right(block.at, mark) - 1, -1, -1):
        if block.quality[place] in _BELIEVED:
            return block.at[place], from_scaled(block.mantissa[place], block.exponent[place])
    return None


async def thinned(
    connection: AsyncConnection, series_id: int, from_ms: int, to_ms: int, width_ms: int
) -> list[tuple[int, Decimal]]:
    """Give the last (instant, value) of each stretch of ``width_ms``; of long stretches only what may be believed."""
    found: dict[int, tuple[int, Decimal]] = {}
    if width_ms >= QUARTER_MS:
        for bucket in await quarters_of(connection, series_id, from_ms, to_ms):
            if bucket.size and from_ms <= bucket.last_at < to_ms:
                place = (bucket.last_at - from_ms) // width_ms
                found[place] = (bucket.last_at, from_scaled(bucket.last, bucket.exponent))
        return list(found.values())
    places: dict[int, tuple[int, int, int]] = {}
    async for block in days(connection, series_id, from_ms, to_ms):
        for at, mantissa, exponent, quality in zip(
            block.at, block.mantissa, block.exponent, block.quality, strict=True
        ):
            if from_ms <= at < to_ms and not quality & NO_VALUE:
                places[(at - from_ms) // width_ms] = (at, mantissa, exponent)
    return [(at, from_scaled(mantissa, exponent)) for at, mantissa, exponent in places.values()]


async def quarters_of(connection: AsyncConnection, series_id: int, from_ms: int, to_ms: int) -> list[Bucket]:
    """Give the quarters of an hour of [from_ms, to_ms); days whose parts are not joined are summed up now."""
    first, last = from_ms // DAY_MS, (to_ms - 1) // DAY_MS
    parted = await block_store.days_with_parts(connection, series_id, first, last)
    months = range(month_of(first), month_of(last) + 1)
    found: list[Bucket] = []
    for body in (await block_store.quarter_bodies(connection, series_id, months)).values():
        found += [it for it in unpack_buckets(body) if it.start // DAY_MS not in parted]
    for day in parted:  # their quarters, if there are any, are from before what came late
        found += quarters(await whole_day(connection, series_id, day))
    return sorted(it for it in found if from_ms - QUARTER_MS < it.start < to_ms)


def month_of(day: int) -> int:
    """Give the number of the UTC month in which a day lies."""
    date = datetime.fromtimestamp(day * 86_400, UTC)
    return date.year * 12 + date.month - 1


def rows(block: Block) -> Iterator[ReadingRow]:
    """Go through a block's readings."""
    columns = zip(block.at, block.mantissa, block.exponent, block.quality, block.batch, block.seq, strict=True)
    for at, mantissa, exponent, quality, batch, seq in columns:
        value = None if quality & NO_VALUE else from_scaled(mantissa, exponent)
        yield ReadingRow(at, value, quality & ~NO_VALUE, batch, seq)
