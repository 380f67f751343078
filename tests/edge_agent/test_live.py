"""A device's state is what an engineer would say of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from drivers.base import PointValue
from drivers.profile import load_profile
from edge_agent.config import Device
from edge_agent.live import DeviceLive, iso, iso_ms, milliseconds, new_live, value_json
from protocols.quantity import Quality, Quantity

DOOR = Device("door-1", "Entrance", "tcp-1", load_profile("access/modbus-door"), "1", 2, ("doorState",))
NOON = datetime(2026, 11, 23, 4, 0, 0, 123_456, tzinfo=UTC)


def live() -> DeviceLive:
    return new_live((DOOR,), lambda: 0.0)["door-1"]


def opened(at: datetime = NOON) -> PointValue:
    return PointValue("doorState", Quantity(Decimal(1), ""), at, b"\x01")


def test_nothing_is_known_before_the_first_answer() -> None:
    found = live()
    assert found.state == "unknown"
    assert found.as_json(0.0)["last_ok_at"] is None
    found.silent("no answer", 1.0)
    assert found.state == "unknown"


def test_an_answer_makes_it_well_once_it_is_stored_and_shown() -> None:
    found = live()
    found.answered(1.0)
    assert found.values_json() == []
    found.show([opened()])
    assert found.state == "ok"
    assert found.as_json(1.0)["last_ok_at"] == "2026-11-23T04:00:00.123Z"
    assert found.values_json()[0]["word"] == "open"


def test_one_missed_answer_degrades_and_three_put_it_offline_until_it_answers() -> None:
    found = live()
    found.answered(1.0)
    found.show([opened()])
    states = []
    for turn in range(3):
        found.silent("no answer within 1000 ms", 2.0 + turn)
        states.append(found.state)
    assert states == ["degraded", "degraded", "offline"]
    assert found.health(4.0).probe_due_in_s is not None
    found.answered(10.0)
    assert found.state == "ok"
    assert found.health(10.0).probe_due_in_s is None


def test_a_partial_answer_is_degraded_and_says_why() -> None:
    found = live()
    found.answered(1.0, "exception 2")
    found.show([opened()])
    assert (found.state, found.as_json(1.0)["error"]) == ("degraded", "exception 2")


def test_a_line_that_is_down_takes_its_devices_with_it_and_gives_them_back() -> None:
    found = live()
    found.answered(1.0)
    found.show([opened()])
    found.line_down("the port does not exist")
    assert found.state == "offline"
    assert found.health(2.0).failures == 0, "the device itself has not failed"
    found.answered(3.0)
    assert found.state == "ok"


def test_the_latest_value_is_shown_with_its_own_instant() -> None:
    found = live()
    found.show([opened()])
    found.show([opened(NOON + timedelta(seconds=2))])
    assert found.values_json()[0]["taken_at"] == "2026-11-23T04:00:02.123Z"


def test_a_value_that_is_not_there_is_null_with_its_quality() -> None:
    missing = PointValue("energyImportTotal", Quantity(None, "kWh", Quality.NOT_AVAILABLE), NOON, b"\xff" * 4)
    shown = value_json(missing, {})
    assert (shown["value"], shown["quality"], shown["word"]) == (None, "not-available", None)


@given(st.timedeltas(timedelta(0), timedelta(days=30_000)))
def test_an_instant_is_shown_as_it_is_stored(after: timedelta) -> None:
    at = NOON + after
    assert iso_ms(milliseconds(at)) == iso(at)
