"""When a device is polled, handed to the library, and given up."""

from hypothesis import given
from hypothesis import strategies as st

from drivers.bus.osdp_watch import LONGEST_PAUSE_S, Stage, Watch


def test_a_dead_device_is_polled_ever_more_rarely_and_a_living_one_joins_at_once() -> None:
    watch, polls, now = Watch(), [], 0.0
    while now < 60:
        if watch.is_due(now):
            polls.append(now)
            watch.polled(now, has_answered=False)
        now += 0.5
    assert polls[:6] == [0, 1, 3, 7, 15, 25]
    watch.polled(now, has_answered=True)
    assert watch.stage is Stage.JOINING
    assert not watch.look(now + 1, is_online=True, is_silent=False)
    assert watch.stage is Stage.ONLINE


def test_one_that_falls_silent_or_is_given_up_by_the_library_is_polled_a_second_later() -> None:
    for is_online, is_silent in ((False, False), (True, True)):
        watch = Watch()
        watch.polled(0, has_answered=True)
        watch.look(1, is_online=True, is_silent=False)
        assert watch.look(5, is_online=is_online, is_silent=is_silent)
        assert [watch.is_due(now) for now in (5, 5.9, 6)] == [False, False, True]


def test_one_whose_session_never_stands_is_given_up_and_tried_again() -> None:
    watch = Watch()
    watch.polled(0, has_answered=True)
    assert not watch.look(7.9, is_online=False, is_silent=True)
    assert watch.look(8, is_online=False, is_silent=False)
    assert watch.stage is Stage.AWAY


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans(), st.booleans(), st.booleans()), max_size=40))
def test_whatever_happens_a_device_is_polled_again_in_time(
    story: list[tuple[float, bool, bool, bool]],
) -> None:
    watch, now = Watch(), 0.0
    for pause, is_online, is_silent, has_answered in story:
        now += pause
        watch.look(now, is_online=is_online, is_silent=is_silent)
        if watch.is_due(now):
            watch.polled(now, has_answered=has_answered)
    if watch.stage is Stage.AWAY:
        assert watch.is_due(now + LONGEST_PAUSE_S)
