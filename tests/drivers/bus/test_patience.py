"""A line is not held for longer than its devices have shown to need."""

from hypothesis import given
from hypothesis import strategies as st

from drivers.bus.patience import Patience


def taught(*times: float, floor: float = 0.1) -> Patience:
    patience = Patience(1.0, floor)
    for seconds in times:
        patience.answered("a", seconds)
    return patience


def test_a_stranger_is_given_all_the_time_there_is() -> None:
    assert Patience(1.0, 0.1).timeout("a") == 1.0
    assert taught(0.04, 0.04).timeout("a") == 1.0, "two answers prove nothing"


def test_a_quick_and_regular_device_is_soon_given_little() -> None:
    assert 0.1 <= taught(*[0.04] * 20).timeout("a") <= 0.15


def test_an_irregular_device_keeps_more_than_it_ever_needed() -> None:
    times = [0.05, 0.3] * 10
    assert taught(*times).timeout("a") > 0.3


def test_after_a_miss_all_the_time_is_given_again_and_an_answer_ends_that() -> None:
    patience = taught(*[0.04] * 20)
    patience.missed("a")
    assert patience.timeout("a") == 1.0
    patience.answered("a", 0.05)
    assert patience.timeout("a") < 0.2


def test_a_device_that_is_silent_for_good_costs_one_whole_wait_and_then_little() -> None:
    patience = taught(*[0.04] * 20)
    waits = []
    for _ in range(4):
        waits.append(patience.timeout("dead"))
        patience.missed("dead")
    assert [wait < 0.3 for wait in waits] == [True, False, True, True]


def test_a_slow_device_among_quick_ones_is_waited_for_at_its_second_chance_and_from_then_on() -> None:
    patience = taught(*[0.04] * 20)
    patience.missed("slow")
    assert patience.timeout("slow") == 1.0
    for _ in range(6):
        patience.answered("slow", 0.7)
    assert patience.timeout("slow") > 0.7


def test_where_nobody_has_answered_yet_everybody_is_waited_for() -> None:
    patience = Patience(1.0, 0.1)
    for _ in range(5):
        patience.missed("a")
    assert patience.timeout("a") == patience.timeout("b") == 1.0


@given(st.lists(st.floats(0, 2), max_size=30))
def test_no_history_gives_less_than_the_floor_or_more_than_the_settings(times: list[float]) -> None:
    assert 0.1 <= taught(*times).timeout("a") <= 1.0
