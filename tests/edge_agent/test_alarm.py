"""An alarm is raised once and cleared once, under one name."""

from typing import Any

from edge_agent.alarm import PRIORITIES, Alarms
from protocols.sync import Event

DETAIL: dict[str, Any] = {"error": "no answer"}


def offline(alarms: Alarms, *, is_on: bool, at: int) -> Event | None:
    return alarms.update("device:em-1", "device_offline", is_on=is_on, at=at, detail=DETAIL)


def test_a_condition_that_lasts_is_raised_once() -> None:
    alarms = Alarms("gw-1")
    raised = offline(alarms, is_on=True, at=5)
    assert raised is not None
    assert (raised.kind, raised.subject, raised.at) == ("alarm", "device:em-1", 5)
    assert raised.body["state"] == "raised"
    assert raised.body["priority"] == PRIORITIES["device_offline"]
    assert raised.body["detail"] == DETAIL
    assert offline(alarms, is_on=True, at=6) is None


def test_it_is_cleared_under_the_name_it_was_raised_by() -> None:
    alarms = Alarms("gw-1")
    raised, cleared = offline(alarms, is_on=True, at=5), offline(alarms, is_on=False, at=9)
    assert raised is not None
    assert cleared is not None
    assert cleared.body["state"] == "cleared"
    assert cleared.body["alarm_id"] == raised.body["alarm_id"]
    assert offline(alarms, is_on=False, at=10) is None


def test_the_same_condition_later_is_another_alarm() -> None:
    alarms = Alarms("gw-1")
    first = offline(alarms, is_on=True, at=5)
    offline(alarms, is_on=False, at=6)
    second = offline(alarms, is_on=True, at=7)
    assert first is not None
    assert second is not None
    assert first.body["alarm_id"] != second.body["alarm_id"]


def test_what_never_was_is_not_cleared() -> None:
    assert offline(Alarms("gw-1"), is_on=False, at=1) is None
