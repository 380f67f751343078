"""The grid is kept, nothing is queued, and a dead device costs its neighbours little."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.breaker import Breaker
from edge_agent.schedule import Health, Poll, Probe, Schedule, Wait

TIMEOUT_S = 1.0


def test_the_first_round_is_at_once_and_the_next_ones_are_on_the_grid() -> None:
    schedule = Schedule([("a", 10), ("b", 10)], 1.0, 103.0)
    assert schedule.next(103.0, {}) == Poll("a", 0.0)
    assert schedule.next(103.2, {}) == Poll("b", pytest.approx(6.8))
    assert schedule.next(103.4, {}) == Wait(1.0)
    assert isinstance(schedule.next(110.0, {}), Poll)
    assert isinstance(schedule.next(110.1, {}), Poll)


def test_a_slot_that_has_passed_is_skipped_and_not_queued() -> None:
    schedule = Schedule([("a", 10)], 1.0, 100.0)
    assert isinstance(schedule.next(100.0, {}), Poll)
    assert isinstance(schedule.next(147.0, {}), Poll)
    assert isinstance(schedule.next(147.1, {}), Wait)
    assert isinstance(schedule.next(150.0, {}), Poll)


def test_a_clock_that_is_set_back_does_not_stop_the_polling() -> None:
    schedule = Schedule([("a", 10)], 1.0, 10_000.0)
    schedule.next(10_000.0, {})
    assert isinstance(schedule.next(5_000.0, {}), Wait)
    assert isinstance(schedule.next(5_010.0, {}), Poll)


def test_what_is_due_longest_goes_first_and_a_device_that_failed_gives_way() -> None:
    schedule = Schedule([("a", 10), ("b", 10)], 1.0, 100.0)
    assert schedule.next(100.0, {"a": Health(failures=1)}) == Poll("b", 0.0)


def test_a_device_that_failed_does_not_give_way_for_ever() -> None:
    schedule = Schedule([("a", 2), ("b", 2)], 1.0, 100.0)
    failing = {"a": Health(failures=1)}
    asked = [schedule.next(100.0 + 2 * turn, failing) for turn in range(6)]
    assert any(isinstance(action, Poll) and action.device == "a" for action in asked)


def test_a_probe_waits_for_a_gap_it_fits_into() -> None:
    schedule = Schedule([("a", 10), ("dead", 10)], 2.0, 100.0)
    health = {"dead": Health(failures=3, probe_due_in_s=-1.0)}
    assert isinstance(schedule.next(100.0, health), Poll)
    assert isinstance(schedule.next(109.0, health), Wait), "one second is too little for a probe of two"
    assert isinstance(schedule.next(110.0, health), Poll)
    assert schedule.next(110.5, health) == Probe("dead")


def test_a_probe_on_a_line_without_gaps_comes_after_two_periods_at_last() -> None:
    schedule = Schedule([("a", 1), ("dead", 1)], 2.0, 100.0)
    schedule.next(100.0, {})
    assert schedule.next(100.5, {"dead": Health(3, -2.5)}) == Probe("dead")


def test_a_line_without_devices_rests() -> None:
    assert isinstance(Schedule([], 1.0, 0.0).next(0.0, {}), Wait)


def simulate(periods: list[float], dead: int, read_s: float, seconds: float) -> dict[str, list[float]]:
    """Run a line in virtual time; give the instants at which each device was read."""
    names = [f"m{number}" for number in range(len(periods))]
    silent = {f"m{len(periods) - 1 - number}" for number in range(dead)}
    breakers = {name: Breaker(0.0) for name in names}
    failures = dict.fromkeys(names, 0)
    reads: dict[str, list[float]] = {name: [] for name in names if name not in silent}
    now = 0.0
    schedule = Schedule(list(zip(names, periods, strict=True)), TIMEOUT_S, now)

    def health() -> dict[str, Health]:
        due = {name: breaker.retry_at for name, breaker in breakers.items()}
        return {name: Health(failures[name], None if at is None else at - now) for name, at in due.items()}

    while now < seconds:
        action = schedule.next(now, health())
        if isinstance(action, Wait):
            now += max(action.seconds, 0.001)
            continue
        if isinstance(action, Probe):
            assert breakers[action.device].allow(now)
        if action.device in silent:
            now += TIMEOUT_S
            failures[action.device] += 1
            breakers[action.device].failure(now)
        else:
            now += read_s
            reads[action.device].append(now)
            breakers[action.device].success(now)
    return reads


@settings(max_examples=40)
@given(st.integers(2, 8), st.integers(1, 2), st.sampled_from([5.0, 10.0, 15.0]), st.floats(0.05, 0.3))
def test_dead_devices_cost_their_neighbours_at_most_a_quarter_of_their_period(
    healthy: int, dead: int, period: float, read_s: float
) -> None:
    reads = simulate([period] * (healthy + dead), dead, read_s, 40 * period)
    for instants in reads.values():
        mean = (instants[-1] - instants[0]) / (len(instants) - 1)
        assert mean <= 1.25 * period


def test_a_silent_device_is_probed_ever_more_seldom() -> None:
    reads = simulate([5.0] * 4, 1, 0.1, 600)
    assert all(len(instants) >= 115 for instants in reads.values()), "its neighbours hardly notice"
