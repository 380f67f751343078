"""The two clocks of an order."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from central_server.calendar import load_calendar
from central_server.workorders.clocks import clock_of, dues, resumed
from central_server.workorders.model import Facts, State, Urgency

ZONE = ZoneInfo("Asia/Shanghai")
CALENDAR = load_calendar()


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


@pytest.mark.parametrize(
    ("urgency", "respond", "finish"),
    [
        (Urgency.EMERGENCY, "2026-11-20 19:05", "2026-11-20 21:00"),
        (Urgency.URGENT, "2026-11-21 09:30", "2026-11-23 09:30"),
        (Urgency.NORMAL, "2026-11-21 11:00", "2026-11-24 15:00"),
    ],
)
def test_a_friday_evening_counts_for_an_emergency_alone(urgency: Urgency, respond: str, finish: str) -> None:
    assert dues(CALENDAR, urgency, at("2026-11-20 19:00"), ZONE) == {
        "respond_due_at": at(respond),
        "finish_due_at": at(finish),
    }


def test_what_was_left_of_the_working_hours_when_it_stopped_is_left_when_it_goes_on() -> None:
    stopped = Facts(
        state=State.PAUSED,
        responded_at=1,
        paused_at=at("2026-11-20 17:00"),
        finish_due_at=at("2026-11-23 09:30"),  # an hour on Friday, three on Saturday, one on Monday
    )
    assert resumed(CALENDAR, stopped, at("2026-11-25 13:30"), ZONE) == {"finish_due_at": at("2026-11-26 09:00")}


def test_an_order_late_when_it_stopped_is_as_late_when_it_goes_on() -> None:
    stopped = Facts(
        state=State.PAUSED, responded_at=1, paused_at=at("2026-11-20 17:00"), finish_due_at=at("2026-11-20 16:00")
    )
    assert resumed(CALENDAR, stopped, at("2026-11-25 15:00"), ZONE) == {"finish_due_at": at("2026-11-25 14:00")}


def test_people_see_the_clock_that_runs_and_whether_it_ran_out() -> None:
    facts = Facts(state=State.POOL, respond_due_at=100, finish_due_at=1000)
    assert (clock_of(facts, 99).name, clock_of(facts, 101).is_overdue) == ("respond", True)
    taken = replace(facts, state=State.IN_PROGRESS, responded_at=90)
    assert (clock_of(taken, 101).name, clock_of(taken, 101).is_overdue) == ("finish", False)
    assert clock_of(taken, 1001).is_overdue
    assert clock_of(replace(taken, state=State.PAUSED, paused_at=500), 5000).name == "stopped"
    done = replace(taken, state=State.AWAIT_CONFIRM, finished_at=1001)
    assert (clock_of(done, 9999).name, clock_of(done, 9999).is_overdue) == ("", True)
