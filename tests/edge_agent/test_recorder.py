"""Values become records in their lanes, and a failing store is told and not hidden."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
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
    """A disk that has no room for some lanes; everything else is the real store's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.full: set[Lane] = set()

    async def append(self, lane: Lane, records: Sequence[Record], notes: Mapping[tuple[str, str], str] = {}) -> int:
        if lane in self.full:
            raise StoreFull("the disk is full. Make room.")
        return await self._store.append(lane, records, notes)

    async def notes(self) -> dict[tuple[str, str], str]:
        return await self._store.notes()


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
    assert await recorder.store([(METER, values)]) == [tuple(values)]
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


async def told(store: Store) -> list[tuple[str, str]]:
    found = [record for record in await records(store, Lane.SAFETY) if isinstance(record, Event)]
    return [(event.body.get("condition", event.kind), event.body.get("state", "")) for event in found]


async def test_what_a_full_store_refused_is_counted_and_told_at_once_from_the_room_kept_for_alarms(
    store: Store,
) -> None:
    disk = FullStore(store)
    recorder = Recorder(disk, "gw-1")  # type: ignore[arg-type]
    values = [value("energyImportTotal", "1", "kWh"), value("powerTotal", "2", "W")]
    disk.full = {Lane.BILLING, Lane.TELEMETRY}
    for _ in range(2):
        assert await recorder.store([(METER, values)]) == [()], "nothing of it may be shown"
    assert recorder.error is not None
    assert "full" in recorder.error
    assert await told(store) == [("store_failing", "raised")]
    disk.full = set()
    assert await recorder.store([(METER, values)]) == [tuple(values)]
    assert recorder.error is None
    assert await told(store) == [("store_failing", "raised"), ("store_failing", "cleared")]
    cleared = (await records(store, Lane.SAFETY))[-1]
    assert isinstance(cleared, Event)
    assert cleared.body["detail"] == {"not_accepted": 4}


async def test_alarms_that_the_store_did_not_take_are_told_in_order_as_soon_as_it_does(store: Store) -> None:
    disk = FullStore(store)
    recorder = Recorder(disk, "gw-1")  # type: ignore[arg-type]
    disk.full = set(Lane)
    await recorder.started("0.1.0")
    await recorder.alarm("device:em-1", "device_offline", is_on=True, detail={})
    assert await recorder.store([(METER, [value("powerTotal", "2", "W")])]) == [()]
    assert await told(store) == []
    disk.full = set()
    await recorder.alarm("bus:line-1", "bus_down", is_on=False, detail={})  # as the poller says each time round
    assert await told(store) == [("started", ""), ("device_offline", "raised"), ("store_failing", "raised")]
    assert await recorder.store([(METER, [value("powerTotal", "2", "W")])]) != [()]
    assert (await told(store))[3:] == [("store_failing", "cleared")]


async def test_alarms_told_side_by_side_are_each_stored_once(store: Store) -> None:
    recorder = Recorder(store, "gw-1")
    tellings = [recorder.alarm(f"device:em-{n}", "device_offline", is_on=True, detail={}) for n in range(20)]
    await asyncio.gather(*tellings)
    assert len(await told(store)) == 20


async def test_one_reading_that_cannot_be_stored_does_not_hold_back_its_neighbours(store: Store) -> None:
    recorder = Recorder(store, "gw-1")
    garbled = PointValue("powerTotal", Quantity(None, "W", Quality.INVALID), NOON, b"\xff" * 100_000)
    other = Device("em-2", "em-2", "line-1", PROFILE, "202611000104", 10, ("powerTotal",))
    answers = [(METER, [garbled]), (other, [value("powerTotal", "7", "W")])]
    assert await recorder.store(answers) == [(), (value("powerTotal", "7", "W"),)]
    (kept,) = await records(store, Lane.TELEMETRY)
    assert isinstance(kept, Reading)
    assert (kept.series.device, kept.value) == ("em-2", Decimal(7))
    assert recorder.error is None, "the store itself is well"


async def test_a_start_is_told_in_the_safety_lane(store: Store) -> None:
    await Recorder(store, "gw-1").started("0.1.0")
    (event,) = await records(store, Lane.SAFETY)
    assert isinstance(event, Event)
    assert (event.kind, event.subject, event.body) == ("started", "gateway:gw-1", {"version": "0.1.0"})
