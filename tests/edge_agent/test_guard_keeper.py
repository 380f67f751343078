"""A read that is not believed is kept with its bytes, raises one alarm, and stays doubted across a restart."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.base import PointValue
from drivers.profile import load_profile
from edge_agent.config import Device
from edge_agent.recorder import Recorder
from edge_agent.store import Store
from protocols.quantity import Quality, Quantity
from protocols.sync import Event, Lane, Reading

PROFILE = load_profile("electricity/dlt645-2007")
METER = Device("em-1", "em-1", "line-1", PROFILE, "202611000103", 10, ("energyImportTotal", "energyExportTotal"))
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await Store.open(tmp_path / "edge.db", "gw-1") as found:
        yield found


def read(minute: int, number: str, point: str = "energyImportTotal") -> PointValue:
    return PointValue(point, Quantity(Decimal(number), "kWh"), NOON + timedelta(minutes=minute), b"\x12\x34")


async def feed(recorder: Recorder, *reads: PointValue) -> list[Quality]:
    """Store reads in turn; the quality each is shown with."""
    stored = [await recorder.store([(METER, [value])]) for value in reads]
    return [shown.quantity.quality for ((shown,),) in stored]


async def alarms(store: Store) -> list[tuple[str, str | None]]:
    found = (await store.peek(Lane.SAFETY, 0, 100)).records
    return [
        (event.body["state"], event.body["detail"].get("reason"))
        for event in found
        if isinstance(event, Event) and event.body.get("condition") == "reading_suspect"
    ]


async def test_a_doubted_read_is_kept_with_its_bytes_and_a_good_one_ends_the_alarm(store: Store) -> None:
    recorder = Recorder(store, "gw-1")
    shown = await feed(recorder, read(0, "1234.00"), read(1, "0"), read(2, "1234.10"))
    assert shown == [Quality.GOOD, Quality.SUSPECT, Quality.GOOD], "nobody is shown it unmarked"
    kept = [item for item in (await store.peek(Lane.BILLING, 0, 10)).records if isinstance(item, Reading)]
    assert [(item.value, item.quality, item.raw) for item in kept] == [
        (Decimal("1234.00"), Quality.GOOD, b""),
        (Decimal(0), Quality.SUSPECT, b"\x12\x34"),
        (Decimal("1234.10"), Quality.GOOD, b""),
    ]
    assert await alarms(store) == [("raised", "zero"), ("cleared", None)]


async def test_two_registers_in_doubt_are_one_alarm_that_lasts_until_both_are_well(store: Store) -> None:
    recorder = Recorder(store, "gw-1")
    await feed(recorder, read(0, "1234.00"), read(0, "7.00", "energyExportTotal"))
    await feed(recorder, read(1, "0"), read(1, "0", "energyExportTotal"), read(2, "1234.10"))
    assert await alarms(store) == [("raised", "zero")]
    await feed(recorder, read(3, "7.01", "energyExportTotal"))
    assert await alarms(store) == [("raised", "zero"), ("cleared", None)]


async def test_a_restart_forgets_neither_what_is_believed_nor_what_is_doubted(tmp_path: Path) -> None:
    for minutes, numbers, expected in (
        ((0, 1), ("1234.00", "5.00"), [Quality.GOOD, Quality.SUSPECT]),
        ((2, 3), ("5.10", "5.20"), [Quality.SUSPECT, Quality.SUSPECT]),
    ):
        async with await Store.open(tmp_path / "edge.db", "gw-1") as store:
            recorder = Recorder(store, "gw-1")
            await recorder.started("0.2.0")
            assert await feed(recorder, *map(read, minutes, numbers)) == expected
            doubts = recorder.doubts()
    assert [(doubt["reason"], doubt["believed"], doubt["value"]) for doubt in doubts] == [("swap", "1234.00", "5.20")]


async def test_an_engineers_word_is_recorded_and_holds_after_a_restart(tmp_path: Path) -> None:
    async with await Store.open(tmp_path / "edge.db", "gw-1") as store:
        recorder = Recorder(store, "gw-1")
        assert not await recorder.accept("em-1", "energyImportTotal", "li"), "there is nothing to accept"
        await feed(recorder, read(0, "1234.00"), read(1, "5.00"))
        assert await recorder.accept("em-1", "energyImportTotal", "li")
        events = [item for item in (await store.peek(Lane.SAFETY, 0, 10)).records if isinstance(item, Event)]
        told = next(event for event in events if event.kind == "register_accepted")
        assert told.body == {
            "point": "energyImportTotal",
            "believed": "1234.00",
            "accepted": "5.00",
            "reason": "decrease",
            "operator": "li",
        }
        assert await alarms(store) == [("raised", "decrease"), ("cleared", None)]
    async with await Store.open(tmp_path / "edge.db", "gw-1") as store:
        recorder = Recorder(store, "gw-1")
        await recorder.started("0.2.0")
        assert await feed(recorder, read(2, "5.10")) == [Quality.GOOD]


async def test_a_rollover_is_believed_and_told(store: Store) -> None:
    recorder = Recorder(store, "gw-1")
    assert await feed(recorder, read(0, "999999.90"), read(1, "0.20")) == [Quality.GOOD, Quality.GOOD]
    (event,) = (await store.peek(Lane.SAFETY, 0, 10)).records
    assert isinstance(event, Event)
    assert (event.kind, event.body["before"], event.body["after"]) == ("register_rollover", "999999.90", "0.20")


async def test_what_the_meter_itself_calls_missing_is_no_ground_for_doubt(store: Store) -> None:
    recorder = Recorder(store, "gw-1")
    missing = read(1, "0")._replace(quantity=Quantity(None, "kWh", Quality.NOT_AVAILABLE))
    shown = await feed(recorder, read(0, "1234.00"), missing, read(2, "1234.10"))
    assert shown == [Quality.GOOD, Quality.NOT_AVAILABLE, Quality.GOOD]
