"""What is wrong at a door: one table of looks, one set of alarms after each."""

from drivers.base import DoorStatus
from edge_agent.door_alarm import GRACE_S, DoorWatch, look

CLOSED, OPEN = (
    DoorStatus("closed", "locked", "ok", "normal", "released"),
    DoorStatus("open", "locked", "ok", "normal", "released"),
)
PRESSED, FIRE = CLOSED._replace(exit_button="pressed"), CLOSED._replace(fire="fire")


def alarms(*looks: tuple[float, DoorStatus], released_until: float | None = None, held_s: float = 30.0) -> set[str]:
    watch, found = DoorWatch(), {}
    for now, status in looks:
        watch, found = look(watch, status, now, released_until=released_until, held_open_s=held_s)
    return {condition for condition, is_on in found.items() if is_on}


def test_a_door_that_opens_by_itself_is_forced_until_it_is_closed() -> None:
    assert alarms((0, CLOSED), (1, OPEN)) == {"door_forced"}
    assert alarms((0, CLOSED), (1, OPEN), (4, OPEN)) == {"door_forced"}
    assert alarms((0, CLOSED), (1, OPEN), (2, PRESSED._replace(door="open"))) == {"door_forced"}, "too late a button"
    assert alarms((0, CLOSED), (1, OPEN), (2, CLOSED)) == set()


def test_a_grant_allows_an_opening_until_five_seconds_after_its_pulse() -> None:
    assert alarms((0, CLOSED), (3, OPEN), released_until=3) == set()
    assert alarms((0, CLOSED), (4, CLOSED), (3 + GRACE_S, OPEN), released_until=3) == set()
    assert alarms((0, CLOSED), (4, CLOSED), (3.1 + GRACE_S, OPEN), released_until=3) == {"door_forced"}


def test_the_exit_button_and_a_fire_allow_an_opening() -> None:
    assert alarms((0, PRESSED), (4, CLOSED), (5, OPEN)) == set()
    assert alarms((0, PRESSED), (4, CLOSED), (5.1, OPEN)) == {"door_forced"}
    assert alarms((0, FIRE), (1, FIRE._replace(door="open"))) == set()


def test_a_door_found_open_at_a_start_or_after_a_silence_is_not_called_forced() -> None:
    assert alarms((0, OPEN)) == set()
    assert alarms((0, CLOSED), (60, OPEN)) == set()
    assert alarms((0, OPEN), (31, OPEN)) == {"door_held_open"}


def test_a_door_is_held_open_after_its_time_and_a_fire_stops_the_clock() -> None:
    through = [(0.0, PRESSED), (1.0, OPEN)]
    assert alarms(*through, (4.0, OPEN), held_s=3) == set()
    assert alarms(*through, (4.1, OPEN), held_s=3) == {"door_held_open"}
    assert alarms(*through, (3.0, FIRE._replace(door="open")), (5.0, OPEN), held_s=3) == set()
    assert alarms(*through, (3.0, FIRE._replace(door="open")), (6.1, OPEN), held_s=3) == {"door_held_open"}
    assert alarms(*through, (4.1, OPEN), (5, CLOSED), held_s=3) == set()


def test_tampering_is_told_and_a_module_without_that_contact_tells_nothing() -> None:
    assert alarms((0, CLOSED._replace(tamper="tampered"))) == {"door_tamper"}
    _, found = look(DoorWatch(), DoorStatus("closed", None, None), 0, released_until=None, held_open_s=30)
    assert "door_tamper" not in found
