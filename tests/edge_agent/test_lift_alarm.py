"""What is wrong with a lift: who is trapped is told early, and nobody is declared free too soon."""

import pytest

from drivers.base import CarStatus
from edge_agent.lift_alarm import LiftWatch, look

RESTING = CarStatus(3, "stopped", "closed", "normal", "off", "yes", 0)
STUCK = RESTING._replace(in_door_zone="no")
CALLING = STUCK._replace(passenger_alarm="on")
MOVING = RESTING._replace(direction="up", in_door_zone="no")
RESCUED = RESTING._replace(door="open")


def watched(*looks: tuple[float, CarStatus]) -> tuple[LiftWatch, set[str]]:
    watch, found = LiftWatch(), {}
    for now, car in looks:
        watch, found = look(watch, car, now, most_silent_s=15)
    return watch, {condition for condition, is_on in found.items() if is_on}


def test_a_passenger_who_calls_from_a_standing_car_is_trapped_after_ten_seconds() -> None:
    assert watched((0, CALLING), (9.9, CALLING))[1] == set()
    watch, found = watched((0, CALLING), (10, CALLING))
    assert (watch.entrapped_by, found) == ("passenger-alarm", {"lift_entrapment"})
    at_landing = CALLING._replace(in_door_zone="yes")
    assert watched((0, at_landing), (10, at_landing))[1] == {"lift_entrapment"}, "behind closed doors"


@pytest.mark.parametrize("car", [MOVING._replace(passenger_alarm="on"), RESCUED._replace(passenger_alarm="on")])
def test_a_call_from_a_moving_car_or_from_open_doors_is_no_entrapment(car: CarStatus) -> None:
    assert watched((0, car), (10, car), (12, car))[1] == set()


def test_a_car_between_floors_is_an_entrapment_after_a_minute_without_any_call() -> None:
    looks = [(float(now), STUCK) for now in range(0, 60, 2)]
    assert watched(*looks)[1] == set()
    watch, found = watched(*looks, (60, STUCK))
    assert (watch.entrapped_by, found) == ("outside-zone", {"lift_entrapment"})
    inspected = [(now, car._replace(mode="inspection")) for now, car in [*looks, (60.0, STUCK)]]
    assert watched(*inspected)[1] == set()


def test_a_button_that_is_let_go_frees_nobody() -> None:
    trapped = ((0, CALLING), (10, CALLING))
    assert watched(*trapped, (12, STUCK))[1] == {"lift_entrapment"}
    assert watched(*trapped, (12, RESTING))[1] == {"lift_entrapment"}, "a closed car at a landing is not open"
    assert watched(*trapped, (12, MOVING))[1] == set()
    assert watched(*trapped, (12, RESCUED))[1] == set()


def test_after_a_silence_a_state_counts_from_anew() -> None:
    assert watched((0, CALLING), (16, CALLING))[1] == set()
    assert watched((0, CALLING), (16, CALLING), (26, CALLING))[1] == {"lift_entrapment"}


@pytest.mark.parametrize(
    ("car", "expected"),
    [
        (RESTING._replace(fault_code=37), {"lift_fault"}),
        (RESTING._replace(mode="out-of-service"), {"lift_fault"}),
        (RESTING._replace(mode="cabinet-recall"), {"lift_fault"}),
        (RESTING._replace(mode="firefighter"), {"lift_fire_mode"}),
        (RESTING._replace(mode="fire"), {"lift_fire_mode"}),
        (RESTING._replace(fault_code=None, mode=None, door=None, in_door_zone=None, direction=None), set()),
    ],
)
def test_faults_and_fires_are_told_at_once(car: CarStatus, expected: set[str]) -> None:
    assert watched((0, car))[1] == expected
