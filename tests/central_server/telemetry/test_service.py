"""Readings for people: the last values, a chart's points with its gaps, and every reading for a file."""

from collections.abc import Iterable
from decimal import Decimal

import pytest
from sqlalchemy import insert

from central_server import schema
from central_server.db import Database
from central_server.telemetry.service import HistoryPoint, every_reading, history, latest_values
from protocols.quantity import to_scaled
from tests.central_server.blocks import put_reading

MINUTE = 60_000


@pytest.fixture
async def series(db: Database) -> int:
    """A device with two series; the first is the one that is read."""
    gateway = {"edge_id": "gw-1", "site_id": 1, "name": "", "secret_hash": "ab", "created_at": 0}
    device = {"gateway_id": 1, "name": "", "kind": "", "bus": "", "profile": "", "address": "", "first_seen_at": 0}
    batch = {"gateway_id": 1, "epoch": "1", "lane": 2, "first_seq": 1, "last_seq": 1, "from_seq": 1, "digest": ""}
    async with db.write() as connection:
        await connection.execute(insert(schema.gateway).values(gateway))
        for code in ("em-1", "em-2"):
            await connection.execute(insert(schema.device).values(device | {"code": code}))
        await connection.execute(insert(schema.batch).values(batch | {"received_at": 0, "body": b""}))
        for device_id in (1, 2):
            await connection.execute(insert(schema.series).values(device_id=device_id, point="powerTotal", unit="W"))
    return 1


async def store(db: Database, reads: Iterable[tuple[int, str | None]], series_id: int = 1) -> None:
    rows = []
    for seq, (at, value) in enumerate(reads, start=1):
        mantissa, exponent = (None, None) if value is None else to_scaled(Decimal(value))
        rows.append(
            {
                "series_id": series_id,
                "taken_at": at,
                "mantissa": mantissa,
                "exponent": exponent,
                "quality": 0,
                "batch_id": 1,
                "seq": seq,
            }
        )
    async with db.write() as connection:
        for row in rows:
            await put_reading(connection, **row)


async def test_the_last_values_are_exact_and_of_one_device_or_all(db: Database, series: int) -> None:
    async with db.write() as connection:
        for series_id, mantissa, exponent in ((1, 12340, -3), (2, None, None)):
            await connection.execute(
                insert(schema.latest).values(
                    series_id=series_id, taken_at=9, mantissa=mantissa, exponent=exponent, quality=0, batch_id=1
                )
            )
    everything = await latest_values(db)
    assert [(value.device_id, str(value.value)) for value in everything] == [(1, "12.340"), (2, "None")]
    assert await latest_values(db, 1) == everything[:1]
    assert await latest_values(db, 99) == []


async def test_a_short_history_is_every_reading(db: Database, series: int) -> None:
    await store(db, [(0, "1.0"), (MINUTE, "1.5"), (2 * MINUTE, "2.0"), (3 * MINUTE, "9")])
    assert await history(db, series, 0, 3 * MINUTE) == [
        HistoryPoint(0, Decimal("1.0")),
        HistoryPoint(MINUTE, Decimal("1.5")),
        HistoryPoint(2 * MINUTE, Decimal("2.0")),
    ]


async def test_a_long_history_is_thinned_to_the_last_of_each_stretch(db: Database, series: int) -> None:
    await store(db, [(number * MINUTE, str(number)) for number in range(1000)])
    found = await history(db, series, 0, 1000 * MINUTE, 100)
    assert [point.at // MINUTE for point in found] == list(range(9, 1000, 10))
    assert [point.value for point in found] == [Decimal(number) for number in range(9, 1000, 10)]


async def test_a_gap_is_drawn_as_a_gap(db: Database, series: int) -> None:
    times = [*range(10), *range(60, 70)]
    await store(db, [(at * MINUTE, "1") for at in times])
    found = await history(db, series, 0, 70 * MINUTE)
    (gap,) = [index for index, point in enumerate(found) if point.value is None]
    assert found[gap - 1].at < found[gap].at < found[gap + 1].at
    assert [point.at for point in found if point.value is not None] == [at * MINUTE for at in times]


async def test_readings_without_a_value_leave_a_gap_and_no_zero(db: Database, series: int) -> None:
    reads: list[tuple[int, str | None]] = [(at * MINUTE, None if 10 <= at < 40 else "1") for at in range(50)]
    await store(db, reads)
    found = await history(db, series, 0, 50 * MINUTE)
    assert [point.value for point in found].count(None) == 1
    assert Decimal(0) not in [point.value for point in found]


async def test_a_jitter_of_the_clock_is_no_gap(db: Database, series: int) -> None:
    await store(db, [(at * MINUTE + at % 7 * 900, "1") for at in range(100)])
    assert None not in [point.value for point in await history(db, series, 0, 200 * MINUTE, 50)]


async def test_an_empty_history_is_empty(db: Database, series: int) -> None:
    assert await history(db, series, 0, MINUTE) == []
    assert await history(db, series, MINUTE, MINUTE) == []
    assert [point async for point in every_reading(db, series, 0, MINUTE)] == []


async def test_every_reading_comes_once_over_the_bounds_of_days(db: Database, series: int) -> None:
    hour = 60 * MINUTE
    reads = [(at // 3 * 5 * hour, str(at)) for at in range(50)]
    await store(db, reads)
    await store(db, [(hour, "77")], series_id=2)
    found = [point async for point in every_reading(db, series, 5 * hour, 75 * hour)]
    assert [(point.at, str(point.value)) for point in found] == [
        read for read in reads if 5 * hour <= read[0] < 75 * hour
    ]


async def test_a_reading_that_came_late_stands_where_it_was_taken(db: Database, series: int) -> None:
    await store(db, [(0, "1"), (20, "3"), (10, "2")])
    assert [str(point.value) async for point in every_reading(db, series, 0, 100)] == ["1", "2", "3"]
