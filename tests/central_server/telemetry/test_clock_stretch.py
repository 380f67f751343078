"""Wrong clocks, as batches tell of them: what was put right is known afterwards, once."""

from decimal import Decimal

import pytest
from sqlalchemy import insert

from central_server import schema
from central_server.db import Database
from central_server.live import Hub
from central_server.sync.service import take_batch
from central_server.sync.store import GatewayRow
from central_server.telemetry.clock_stretch import ClockStretch, between
from central_server.telemetry.expansion import Expander
from central_server.telemetry.rebuild import rebuild
from protocols.quantity import Quality
from protocols.sync import Batch, ClockSpan, Lane, Reading, Series, encode_batch

ENERGY = Series("em-1", "energyImportTotal", "kWh")
HOUR = 3_600_000
NOON = 1_790_000_000_000
ALWAYS = (-(2**62), 2**62)


def energy(at: int, quality: Quality = Quality.GOOD) -> Reading:
    return Reading(ENERGY, at, Decimal("1.5"), quality)


@pytest.fixture
async def gateway(db: Database) -> GatewayRow:
    values = {"edge_id": "gw-1", "site_id": 1, "name": "gw-1", "secret_hash": "ab", "created_at": 0}
    async with db.write() as connection:
        await connection.execute(insert(schema.gateway).values(values))
    return GatewayRow(1, "gw-1", 1, "", False)


async def take(db: Database, gateway: GatewayRow, first: int, clocks: tuple[ClockSpan, ...], *found: Reading) -> None:
    batch = Batch("gw-1", 7, Lane.BILLING, first, found, clocks=clocks)
    await take_batch(db, gateway, encode_batch(batch))
    expander = Expander(db, Hub())
    while await expander.expand_next():
        pass


async def stretches(db: Database, from_ms: int = ALWAYS[0], to_ms: int = ALWAYS[1]) -> list[ClockStretch]:
    async with db.read() as connection:
        return await between(connection, 1, from_ms, to_ms)


async def test_a_clock_that_was_right_leaves_nothing(db: Database, gateway: GatewayRow) -> None:
    await take(db, gateway, 1, (ClockSpan(1, "boot", 5, 0),), energy(NOON))
    assert await stretches(db) == []


async def test_what_was_put_right_is_one_stretch_by_its_true_times_also_after_packing_anew(
    db: Database, gateway: GatewayRow
) -> None:
    behind = ClockSpan(1, "boot", 5, HOUR)
    kept = energy(7, Quality.FROZEN)  # the meter's own instant, long ago
    await take(db, gateway, 1, (behind,), energy(NOON + 60_000), kept, energy(NOON))
    later = (behind._replace(first_seq=4), ClockSpan(5, "boot", HOUR + 5, 0))
    await take(db, gateway, 4, later, energy(NOON + 120_000), energy(NOON + HOUR + 180_000))
    whole = ClockStretch("boot", 5, HOUR, NOON + HOUR, NOON + HOUR + 120_000)
    assert await stretches(db) == [whole]
    await rebuild(db)
    assert await stretches(db) == [whole]
    assert await stretches(db, NOON + HOUR + 120_001) == await stretches(db, to_ms=NOON + HOUR) == []


async def test_a_time_nobody_knows_stays_told_beside_what_was_put_right_later(
    db: Database, gateway: GatewayRow
) -> None:
    await take(db, gateway, 1, (ClockSpan(1, "boot", 5, None),), energy(1_000), energy(2_000))
    await take(db, gateway, 3, (ClockSpan(3, "boot", 5, NOON),), energy(3_000))
    lost, right = ClockStretch("boot", 5, None, 1_000, 2_000), ClockStretch("boot", 5, NOON, NOON + 3_000, NOON + 3_000)
    assert await stretches(db) == [lost, right]
