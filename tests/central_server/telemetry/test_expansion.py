"""Expansion: whatever was acknowledged becomes readings once, whatever happens in between."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, select

from central_server import schema
from central_server.db import Database
from central_server.live import Hub
from central_server.sync.service import take_batch
from central_server.sync.store import GatewayRow
from central_server.telemetry.expansion import Expander
from protocols.quantity import Quality
from protocols.sync import Batch, Event, Lane, Reading, Record, Series, encode_batch
from tests.central_server.blocks import kept_readings

ENERGY = Series("em-1", "energyImportTotal", "kWh")
POWER = Series("em-1", "powerTotal", "W")


class Log:
    """A batch log that is filled by hand and expanded when told."""

    def __init__(self, db: Database) -> None:
        self.db, self.hub = db, Hub()
        self.expander = Expander(db, self.hub)
        self.gateways: dict[str, GatewayRow] = {}

    async def gateway(self, edge_id: str) -> GatewayRow:
        if edge_id not in self.gateways:
            values = {"edge_id": edge_id, "site_id": 1, "name": edge_id, "secret_hash": "ab", "created_at": 0}
            async with self.db.write() as connection:
                made = await connection.execute(insert(schema.gateway).values(values))
                assert made.inserted_primary_key
                self.gateways[edge_id] = GatewayRow(made.inserted_primary_key[0], edge_id, 1, "", False)
        return self.gateways[edge_id]

    async def take(self, lane: Lane, first: int, *records: Record, edge_id: str = "gw-1") -> None:
        batch = encode_batch(Batch(edge_id, 7, lane, first, records))
        await take_batch(self.db, await self.gateway(edge_id), batch)

    async def expand(self) -> int:
        count = 0
        while await self.expander.expand_next():
            count += 1
        return count

    async def rows(self, table: str) -> list[Any]:
        if table == "reading":  # packed: there is no such table
            return await kept_readings(self.db)
        found = schema.metadata.tables[table]
        async with self.db.read() as connection:
            return list((await connection.execute(select(found))).all())

    async def values(self, table: str) -> list[tuple[int, int | None, int | None]]:
        return [(row.taken_at, row.mantissa, row.exponent) for row in await self.rows(table)]


@pytest.fixture
async def log(db: Database) -> Log:
    return Log(db)


def energy(at: int, value: str | None, quality: Quality = Quality.GOOD) -> Reading:
    return Reading(ENERGY, at, None if value is None else Decimal(value), quality)


async def test_readings_keep_value_places_quality_and_number(log: Log) -> None:
    bad = energy(2, None, Quality.NOT_AVAILABLE)
    await log.take(Lane.BILLING, 1, energy(1, "20417.350"), bad, energy(3, "-0.5", Quality.SUSPECT))
    assert await log.expand() == 1
    found = [(row.seq, row.taken_at, row.mantissa, row.exponent, row.quality) for row in await log.rows("reading")]
    assert found == [(1, 1, 20417350, -3, 0), (2, 2, None, None, 1), (3, 3, -5, -1, 3)]


async def test_expanding_again_adds_nothing(log: Log) -> None:
    await log.take(Lane.BILLING, 1, energy(1, "1"))
    assert (await log.expand(), await log.expand()) == (1, 0)
    assert len(await log.rows("reading")) == 1


async def test_two_expanders_at_once_count_once(log: Log) -> None:
    for first in range(1, 21):
        await log.take(Lane.BILLING, first, energy(first, str(first)))
    other = Log(log.db)
    await asyncio.gather(log.expand(), other.expand())
    assert sorted(row.seq for row in await log.rows("reading")) == list(range(1, 21))


async def test_a_delivery_under_way_goes_first_but_not_for_ever(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("central_server.telemetry.expansion._BURST_S", 0.3)
    is_pressed = True
    log.expander = Expander(log.db, Hub(), is_pressed=lambda: is_pressed)
    await log.take(Lane.BILLING, 1, energy(1, "1"))
    log.expander.wake()
    expanding = asyncio.create_task(log.expand())
    await asyncio.sleep(0.15)
    assert await log.rows("reading") == [], "20 ms after the last batch, and another is on its way"
    assert await expanding == 1
    is_pressed = False
    await log.take(Lane.BILLING, 2, energy(2, "2"))
    assert await log.expand() == 1


async def test_what_a_crash_left_stored_but_not_expanded_is_expanded_at_the_next_start(log: Log) -> None:
    await log.take(Lane.BILLING, 1, energy(1, "1"))
    await log.take(Lane.TELEMETRY, 1, Reading(POWER, 2, Decimal(5), Quality.GOOD))
    assert await log.rows("reading") == []
    after_restart = Expander(log.db, Hub())
    task = asyncio.ensure_future(after_restart.run())
    async with asyncio.timeout(5):
        while len(await log.rows("reading")) < 2:
            await asyncio.sleep(0.01)
    task.cancel()


async def test_a_crash_within_the_expansion_leaves_nothing_half_done(log: Log) -> None:
    await log.take(Lane.BILLING, 1, energy(1, "1"), energy(2, "2"))
    async with log.db.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE latest RENAME TO elsewhere")
    with pytest.raises(Exception, match="no such table"):
        await log.expander.expand_next()
    assert await log.rows("reading") == []
    assert await log.rows("series") == []
    async with log.db.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO latest")
    assert await log.expand() == 1
    assert len(await log.rows("reading")) == 2


async def test_the_loop_outlives_a_database_that_fails_for_a_while(
    log: Log, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("central_server.telemetry.expansion._RETRY_S", 0.01)
    await log.take(Lane.BILLING, 1, energy(1, "1"))
    async with log.db.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE latest RENAME TO elsewhere")
    task = asyncio.ensure_future(log.expander.run())
    await asyncio.sleep(0.1)
    assert not task.done()
    async with log.db.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO latest")
    async with asyncio.timeout(5):
        while not await log.rows("reading"):
            await asyncio.sleep(0.01)
    task.cancel()
    assert "expansion failed" in caplog.text


async def test_a_poisonous_batch_is_set_aside_with_its_reason_and_blocks_nothing(log: Log) -> None:
    await log.take(Lane.SAFETY, 1, Event("door", "device:d", 1, {}))
    await log.take(Lane.BILLING, 1, energy(1, "1"))
    async with log.db.write() as connection:
        await connection.exec_driver_sql("UPDATE batch SET body = X'0011' WHERE lane = 0")
    assert await log.expand() == 2
    poisoned, good = await log.rows("batch")
    assert (poisoned.expanded_at, poisoned.error.startswith("truncated:")) == (None, True)
    assert (good.expanded_at is not None, good.error) == (True, None)
    assert len(await log.rows("reading")) == 1
    assert await log.expand() == 0, "and it is not tried for ever"


async def test_a_text_no_database_takes_sets_its_batch_aside(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    # A lone surrogate passes JSON, and no database takes it.
    escaped = rb'[["door","device:d",1,{"text":"\ud800"}]]'
    real = json.dumps
    monkeypatch.setattr(
        "protocols.columns._json", lambda value: escaped if value and value[0][0] == "door" else real(value).encode()
    )
    await log.take(Lane.SAFETY, 1, Event("door", "device:d", 1, {}))
    monkeypatch.undo()
    await log.take(Lane.BILLING, 1, energy(1, "1"))
    assert await log.expand() == 2
    assert "Unicode" in (await log.rows("batch"))[0].error
    assert len(await log.rows("reading")) == 1


async def test_alarms_come_before_the_readings_that_wait(log: Log) -> None:
    await log.take(Lane.TELEMETRY, 1, Reading(POWER, 1, Decimal(5), Quality.GOOD))
    await log.take(Lane.BILLING, 1, energy(1, "1"))
    await log.take(Lane.SAFETY, 1, Event("door", "device:d", 1, {}))
    await log.expander.expand_next()
    assert [(row.lane, row.expanded_at is None) for row in await log.rows("batch")] == [
        (3, True),
        (2, True),
        (0, False),
    ]


async def test_the_latest_value_is_the_last_taken_not_the_last_come(log: Log) -> None:
    await log.take(Lane.BILLING, 1, energy(10, "5"), energy(20, "6"))
    await log.take(Lane.BILLING, 3, energy(15, "5.5"))
    await log.expand()
    assert await log.values("latest") == [(20, 6, 0)]
    await log.take(Lane.BILLING, 4, energy(30, None, Quality.INVALID))
    await log.expand()
    assert await log.values("latest") == [(30, None, None)]


async def test_pages_hear_the_newest_value_and_never_one_that_is_late(log: Log) -> None:
    async with log.hub.subscribe() as queue:
        await log.take(Lane.BILLING, 1, energy(10, "5.10"), energy(20, "6.20"))
        await log.expand()
        (device,), (series,) = await log.rows("device"), await log.rows("series")
        item = {"series": series.id, "device": device.id, "point": "energyImportTotal", "unit": "kWh"}
        said = json.loads(queue.get_nowait() or "")
        assert said == {"type": "values", "items": [item | {"value": "6.20", "quality": 0, "at": 20}]}
        await log.take(Lane.BILLING, 3, energy(15, "5.5"))
        await log.expand()
        assert queue.empty()


async def test_the_same_names_are_one_series_and_another_unit_is_another(log: Log) -> None:
    await log.take(Lane.BILLING, 1, energy(1, "1"), Reading(ENERGY._replace(unit="MWh"), 1, Decimal(1), Quality.GOOD))
    await log.take(Lane.TELEMETRY, 1, energy(2, "1"), Reading(POWER, 2, Decimal(5), Quality.GOOD))
    await log.take(Lane.BILLING, 1, energy(1, "1"), edge_id="gw-2")
    await log.expand()
    assert sorted((row.device_id, row.point, row.unit) for row in await log.rows("series")) == [
        (1, "energyImportTotal", "MWh"),
        (1, "energyImportTotal", "kWh"),
        (1, "powerTotal", "W"),
        (2, "energyImportTotal", "kWh"),
    ]


async def test_series_made_in_a_transaction_that_failed_are_not_believed(log: Log) -> None:
    await log.take(Lane.BILLING, 1, energy(1, "1"))
    async with log.db.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE event RENAME TO elsewhere")
    await log.take(Lane.BILLING, 2, energy(2, "2"), Event("note", "s", 1, {}))
    with pytest.raises(Exception, match="no such table"):
        await log.expander.expand_next()
    async with log.db.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO event")
    await log.expand()
    assert await log.values("reading") == [(1, 1, 0), (2, 2, 0)]


def alarm(state: str, at: int, key: str = "gw-1/device:em-1/device_offline/5", **more: Any) -> Event:
    body = {
        "alarm_id": key,
        "condition": "device_offline",
        "state": state,
        "priority": 2,
        "detail": {"error": "无应答"},
    }
    return Event("alarm", "device:em-1", at, body | more)


async def test_an_alarm_is_raised_once_and_cleared_once(log: Log) -> None:
    async with log.hub.subscribe() as queue:
        await log.take(Lane.SAFETY, 1, alarm("raised", 5), alarm("raised", 6))
        await log.expand()
        (row,) = await log.rows("alarm")
        assert (row.subject, row.condition, row.priority, row.raised_at, row.cleared_at) == (
            "device:em-1", "device_offline", 2, 5, None,
        )  # fmt: skip
        assert json.loads(row.detail) == {"error": "无应答"}
        await log.take(Lane.SAFETY, 3, alarm("cleared", 9), alarm("cleared", 11))
        await log.expand()
        assert (await log.rows("alarm"))[0].cleared_at == 9
        assert [json.loads(queue.get_nowait() or "") for _ in range(2)] == [{"type": "alarms"}] * 2
    assert len(await log.rows("event")) == 4


async def test_no_gateway_touches_anothers_alarm(log: Log) -> None:
    await log.take(Lane.SAFETY, 1, alarm("raised", 5))
    await log.take(Lane.SAFETY, 1, alarm("cleared", 6), alarm("raised", 7), edge_id="gw-2")
    await log.expand()
    mine, other = await log.rows("alarm")
    assert (mine.cleared_at, mine.raised_at) == (None, 5)
    assert (other.key, other.gateway_id) == ("gw-2/gw-1/device:em-1/device_offline/5", 2)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"alarm_id": None},
        {"alarm_id": "a", "priority": "high", "detail": "text"},
        {"alarm_id": "a", "priority": 99},
        {"alarm_id": "x" * 1000, "condition": ["c"]},
    ],
)
async def test_an_alarm_of_an_odd_shape_does_no_harm(log: Log, body: dict[str, Any]) -> None:
    await log.take(Lane.SAFETY, 1, Event("alarm", "s" * 500, 1, body))
    assert await log.expand() == 1
    assert (await log.rows("batch"))[0].error is None
    assert all(row.priority in (1, 2, 3) for row in await log.rows("alarm"))
