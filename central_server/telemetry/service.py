"""Readings for people: latest values, and history thinned to what a screen can show."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal

from central_server.db import Database
from central_server.telemetry import store
from protocols.quantity import from_scaled

_PAGE = 5_000


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
        points = await store.thinned(connection, series_id, from_ms, to_ms, width)
    found = [HistoryPoint(at, _decimal(mantissa, exponent)) for at, mantissa, exponent in points]
    return _with_gaps(found, width)


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
    """Give every reading of a stretch of time in order, a page at a time."""
    after = 0
    start = from_ms
    while True:
        async with db.read() as connection:
            rows = await store.readings_after(connection, series_id, start, to_ms, after, _PAGE)
        for key, at, mantissa, exponent in rows:
            yield HistoryPoint(at, _decimal(mantissa, exponent))
            start, after = at, key
        if len(rows) < _PAGE:
            return


def _decimal(mantissa: int | None, exponent: int | None) -> Decimal | None:
    return None if mantissa is None or exponent is None else from_scaled(mantissa, exponent)
