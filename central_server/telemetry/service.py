"""Readings for people: latest values, and history thinned to what a screen can show."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal

from central_server.db import Database
from central_server.telemetry import block_store, store
from central_server.telemetry.block_store import DAY_MS
from central_server.telemetry.readings import readings, thinned
from protocols.quantity import from_scaled


@dataclass(frozen=True, slots=True)
class Value:
    """A reading for showing; ``value`` is None where there is none."""

    series_id: int
    device_id: int
    point: str
    unit: str
    taken_at: int
    value: Decimal | None
    quality: int


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """One point of a chart; None where a gap is to be drawn."""

    at: int
    value: Decimal | None


async def latest_values(db: Database, device_id: int | None = None) -> list[Value]:
    """Give the last value of every series, of one device or of all."""
    async with db.read() as connection:
        rows = await store.latest_of(connection, device_id)
    return [
        Value(
            row.series_id,
            row.device_id,
            row.point,
            row.unit,
            row.taken_at,
            _decimal(row.mantissa, row.exponent),
            row.quality,
        )
        for row in rows
    ]


async def history(db: Database, series_id: int, from_ms: int, to_ms: int, count: int = 600) -> list[HistoryPoint]:
    """Give at most ``count`` points of a series, the last reading of each stretch of time.

    Shape: where three times the usual distance passes without a reading, a point without value
    stands in the gap, so that a chart does not draw a line over what nobody measured.
    """
    width = max(1, -(-(to_ms - from_ms) // count))
    async with db.read() as connection:
        points = await thinned(connection, series_id, from_ms, to_ms, width)
    return _with_gaps([HistoryPoint(at, value) for at, value in points], width)


def _with_gaps(points: list[HistoryPoint], width: int) -> list[HistoryPoint]:
    if len(points) < 3:
        return points
    distances = sorted(after.at - before.at for before, after in itertools.pairwise(points))
    limit = max(3 * distances[len(distances) // 2], 2 * width)
    shown = [points[0]]
    for before, after in itertools.pairwise(points):
        if after.at - before.at > limit:
            shown.append(HistoryPoint((before.at + after.at) // 2, None))
        shown.append(after)
    return shown


async def every_reading(db: Database, series_id: int, from_ms: int, to_ms: int) -> AsyncIterator[HistoryPoint]:
    """Give every reading of a stretch of time in order, a day at a time."""
    start = from_ms
    while start < to_ms:
        end = min((start // DAY_MS + 1) * DAY_MS, to_ms)
        async with db.read() as connection:
            following = await block_store.day_after(connection, series_id, start // DAY_MS, (to_ms - 1) // DAY_MS)
            found = [row async for row in readings(connection, series_id, start, end)]
        for row in found:
            yield HistoryPoint(row.at, row.value)
        if following is None:
            return
        start = max(end, following * DAY_MS)


def _decimal(mantissa: int | None, exponent: int | None) -> Decimal | None:
    return None if mantissa is None or exponent is None else from_scaled(mantissa, exponent)
