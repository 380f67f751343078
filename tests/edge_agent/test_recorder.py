"""Values become records in their lanes, and a failing store is told and not hidden."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.base import PointValue
from drivers.profile import load_profile
from edge_agent.config import Device
from edge_agent.recorder import Recorder
from edge_agent.store import Store, StoreFull
from protocols.quantity import Quality, Quantity
from protocols.sync import Event, Lane, Reading, Record, Series

PROFILE = load_profile("electricity/dlt645-2007")
METER = Device("em-1", "em-1", "line-1", PROFILE, "202611000103", 10, ("energyImportTotal", "powerTotal"))
NOON = datetime(2026, 11, 23, 4, 0, 0, 123_000, tzinfo=UTC)


class FullStore:
    """A disk that is full until it is not; everything else is the real store's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_full = False

    async def append(self, lane: Lane, records: Sequence[Record]) -> int:
        if self.is_full and lane is not Lane.SAFETY:
            raise StoreFull("the disk is full. Make room.")
        return await self._store.append(lane, records)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await Store.open(tmp_path / "edge.db", "gw-1") as found:
        yield found


def value(point: str, number: str | None, unit: str, quality: Quality = Quality.GOOD) -> PointValue:
    return PointValue(point, Quantity(None if number is None else Decimal(number), unit, quality), NOON, b"\x12\x34")


async def records(store: Store, lane: Lane) -> tuple[Record, ...]:
    return (await store.peek(lane, 0, 100)).records


async def test_registers_go_to_the_billing_lane_and_the_rest_to_telemetry(store: Store) -> None:
    recorder = Recorder(store, "gw-1")
    values = [value("energyImportTotal", "1234.56", "kWh"), value("powerTotal", "540.6", "W")]
    assert await recorder.store([(METER, values)])
    at = 1_795_406_400_123
    assert await records(store, Lane.BILLING) == (
        Reading(Series("em-1", "energyImportTotal", "kWh"), at, Decimal("1234.56")),
    )
    assert await records(store, Lane.TELEMETRY) == (Reading(Series("em-1", "powerTotal", "W"), at, Decimal("540.6")),)


async def test_a_value_that_cannot_be_believed_keeps_its_bytes(store: Store) -> None:
    await Recorder(store, "gw-1").store([(METER, [value("energyImportTotal", None, "kWh", Quality.INVALID)])])
    (record,) = await records(store, Lane.BILLING)
    assert isinstance(record, Reading)
    assert (record.value, record.quality, record.raw) == (None, Quality.INVALID, b"\x12\x34")


async def test_what_a_full_store_refused_is_counted_and_told_when_it_works_again(store: Store) -> None:
    disk = FullStore(store)
    recorder = Recorder(disk, "gw-1")  # type: ignore[arg-type]
    disk.is_full = True
    values = [value("energyImportTotal", "1", "kWh"), value("powerTotal", "2", "W")]
    assert not await recorder.store([(METER, values)])
    assert recorder.error is not None
    assert "full" in recorder.error
    disk.is_full = False
    assert await recorder.store([(METER, values)])
    assert recorder.error is None
    told = [record for record in await records(store, Lane.SAFETY) if isinstance(record, Event)]
    assert [(event.body["condition"], event.body["state"]) for event in told] == [
        ("store_failing", "raised"),
        ("store_failing", "cleared"),
    ]
    assert told[0].body["detail"] == {"not_accepted": 2}


async def test_a_start_is_told_in_the_safety_lane(store: Store) -> None:
    await Recorder(store, "gw-1").started("0.1.0")
    (event,) = await records(store, Lane.SAFETY)
    assert isinstance(event, Event)
    assert (event.kind, event.subject, event.body) == ("started", "gateway:gw-1", {"version": "0.1.0"})
