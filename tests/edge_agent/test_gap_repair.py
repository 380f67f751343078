"""Days that the gateway was away are read back from the meter itself, one at a time, over a restart too."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from drivers.base import Driver, PointValue
from drivers.factory import create_driver
from drivers.profile import load_profile
from edge_agent.config import Device
from edge_agent.gap_repair import GapRepair
from edge_agent.recorder import Recorder
from edge_agent.store import Store
from protocols.quantity import Quality, Quantity
from protocols.sync import Event, Lane
from tests.drivers.dlt645_site import AT_MS, NOW, line_of, simulated

METER = "202611000103"
ZONE = ZoneInfo("Asia/Shanghai")
PROFILE = load_profile("electricity/dlt645-2007-relay")
DEVICE = Device("em-1", "em-1", "line-1", PROFILE, METER, 60, ("energyImportTotal",))
AWAY = timedelta(days=3)


def value_of(meter: object, at: datetime) -> PointValue:
    ago_ms = int((NOW - at) / timedelta(milliseconds=1))
    number = meter.model.values(AT_MS - ago_ms)["energyImportTotal"]  # type: ignore[attr-defined]
    return PointValue("energyImportTotal", Quantity(Decimal(number), "kWh"), at, b"\x01")


async def poll(recorder: Recorder, gaps: GapRepair, driver: Driver, value: PointValue) -> list[PointValue]:
    """Do as the poller does with an answer; what was read back besides."""
    await gaps.note(DEVICE, driver, [value])
    await recorder.store([(DEVICE, [value])])
    frozen = await gaps.next(DEVICE, driver)
    await recorder.store([(DEVICE, frozen)])
    return frozen


async def begin(store: Store) -> tuple[Recorder, GapRepair]:
    recorder = Recorder(store, "gw-1")
    await recorder.started("0.2.0")
    gaps = GapRepair(recorder, ZONE)
    gaps.load()
    return recorder, gaps


async def test_each_poll_after_a_gap_brings_one_day_back_until_all_are_there(tmp_path: Path) -> None:
    meter = simulated(METER)
    before, now = value_of(meter, NOW - AWAY), value_of(meter, NOW)
    read: list[PointValue] = []
    async with line_of([meter], tmp_path) as (bus, _):
        driver = create_driver(PROFILE, bus, METER)
        async with await Store.open(tmp_path / "edge.db", "gw-1") as store:
            recorder, gaps = await begin(store)
            assert await poll(recorder, gaps, driver, before) == [], "the first read ends no gap"
            read += await poll(recorder, gaps, driver, now)
        # A restart in the middle forgets nothing.
        async with await Store.open(tmp_path / "edge.db", "gw-1") as store:
            recorder, gaps = await begin(store)
            for _ in range(3):
                read += await poll(recorder, gaps, driver, now)
            events = [item for item in (await store.peek(Lane.SAFETY, 0, 20)).records if isinstance(item, Event)]
    totals = [value for value in read if value.point == "energyImportTotal"]
    ends = [datetime(2026, 11, day, 16, tzinfo=UTC) for day in (20, 21, 22)]
    assert [value.taken_at for value in totals] == ends
    assert [value.quantity for value in totals] == [
        value_of(meter, end).quantity._replace(quality=Quality.FROZEN) for end in ends
    ]
    (told,) = [event for event in events if event.kind == "gap_repaired"]
    assert (told.subject, told.body["read"], told.body["missing"]) == ("device:em-1", 3, 0)


async def test_without_a_midnight_in_it_a_gap_is_left_alone(tmp_path: Path) -> None:
    meter = simulated(METER)
    async with line_of([meter], tmp_path) as (bus, peer), await Store.open(tmp_path / "edge.db", "gw-1") as store:
        driver = create_driver(PROFILE, bus, METER)
        recorder, gaps = await begin(store)
        for hours in (12, 0):
            assert await poll(recorder, gaps, driver, value_of(meter, NOW - timedelta(hours=hours))) == []
        assert peer.requests == []
