"""The grid is kept, nothing is queued, and a dead device costs its neighbours little."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.breaker import Breaker
from edge_agent.schedule import Health, Poll, Probe, Schedule, Wait

SILENCE_S = 2.0  # a timeout, and the quiet after it


def test_the_first_round_is_at_once_and_the_next_ones_are_on_the_grid() -> None:
    schedule = Schedule([("a", 10), ("b", 10)], 1.0, 103.0)
    assert schedule.next(103.0, {}) == Poll("a", 0.0)
    second = schedule.next(103.2, {})
    assert isinstance(second, Poll)
    assert second.device == "b"
    assert second.slack_s == pytest.approx(6.8)
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
    failing = {"a": Health(failures=1)}
    assert schedule.next(100.0, failing) == Poll("b", 10.0)
    second = schedule.next(100.1, failing)
    assert isinstance(second, Poll)
    assert second.device == "a"
    assert second.slack_s == pytest.approx(9.9)


def test_a_device_that_failed_does_not_give_way_for_ever() -> None:
    schedule = Schedule([("a", 2), ("b", 2)], 1.0, 100.0)
    failing = {"a": Health(failures=1)}
    asked = [schedule.next(100.0 + 2 * turn, failing) for turn in range(6)]
    assert any(isinstance(action, Poll) and action.device == "a" for action in asked)


def test_one_missed_answer_does_not_cost_a_device_its_next_turn() -> None:
    schedule = Schedule([("a", 1), ("b", 1)], 2.0, 100.0)
    failing = {"a": Health(failures=1)}
    assert schedule.next(100.0, failing) == Poll("b", 1.0)
    assert isinstance(schedule.next(100.2, failing), Poll), "though a silence would not fit before b is due"


def test_a_device_kept_waiting_beyond_its_next_slot_makes_up_for_that_one_only() -> None:
    schedule = Schedule([("a", 10)], 1.0, 100.0)
    assert isinstance(schedule.next(100.0, {}), Poll)
    assert isinstance(schedule.next(121.0, {}), Poll), "the slot of :10, and :20 has passed already"
    assert isinstance(schedule.next(125.9, {}), Wait)
    assert isinstance(schedule.next(126.0, {}), Poll)
    assert isinstance(schedule.next(129.9, {}), Wait)
    assert isinstance(schedule.next(130.0, {}), Poll)


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


def test_probes_that_fit_nowhere_leave_the_healthy_five_sixths_of_the_line() -> None:
    schedule = Schedule([("a", 1), ("dead", 1), ("gone", 1)], 2.0, 100.0)
    long_due = {"dead": Health(3, -9.0), "gone": Health(3, -9.0)}
    assert isinstance(schedule.next(100.0, long_due), Probe)
    assert all(not isinstance(schedule.next(102.0 + second, long_due), Probe) for second in range(10))
    assert isinstance(schedule.next(112.0, long_due), Probe)


def test_a_clock_set_back_does_not_keep_suspects_waiting() -> None:
    schedule = Schedule([("a", 1), ("dead", 1)], 2.0, 9_000.0)
    long_due = {"dead": Health(3, -9.0)}
    assert isinstance(schedule.next(9_000.0, long_due), Probe)
    assert isinstance(schedule.next(100.0, long_due), Probe)


@given(st.floats(0.05, 86_400), st.floats(1.7e9, 1.9e9))
def test_the_next_slot_is_always_in_the_future(period: float, now: float) -> None:
    schedule = Schedule([("a", period)], 1.0, now)
    assert isinstance(schedule.next(now, {}), Poll)
    action = schedule.next(now, {})
    assert isinstance(action, Wait)
    assert 0 < action.seconds <= 1


def test_a_line_without_devices_rests() -> None:
    assert isinstance(Schedule([], 1.0, 0.0).next(0.0, {}), Wait)


def simulate(periods: list[float], dead: int, read_s: float, seconds: float) -> dict[str, list[float]]:
    """Run a line in virtual time; give the instants at which each living device was read."""
    names = [f"m{number}" for number in range(len(periods))]
    silent = set(names[:dead])
    breakers = {name: Breaker(0.0) for name in names}
    failures = dict.fromkeys(names, 0)
    reads: dict[str, list[float]] = {name: [] for name in names if name not in silent}
    now = 0.0
    schedule = Schedule(list(zip(names, periods, strict=True)), SILENCE_S, now)

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
            is_repeated = isinstance(action, Poll) and not failures[action.device] and action.slack_s >= 3 * SILENCE_S
            now += SILENCE_S * (2 if is_repeated else 1)
            failures[action.device] += 1
            breakers[action.device].failure(now)
        else:
            now += read_s
            reads[action.device].append(now)
            breakers[action.device].success(now)
    return reads


def mean(instants: list[float]) -> float:
    return (instants[-1] - instants[0]) / (len(instants) - 1)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 24), st.integers(1, 8), st.floats(2.0, 20.0), st.floats(0.05, 0.95))
def test_dead_devices_cost_their_neighbours_at_most_a_quarter_of_their_period(
    healthy: int, dead: int, period: float, load: float
) -> None:
    reads = simulate([period] * (healthy + dead), dead, load * period / healthy, 400.0)
    # Before a device has missed its first answer nobody can know.
    known_at = 2 * dead * SILENCE_S + period
    for instants in reads.values():
        assert mean([at for at in instants if at > known_at]) <= 1.25 * period + 4 * period**2 / 400


def test_a_line_of_32_devices_at_9600_baud_hardly_notices_8_dead_ones() -> None:
    reads = simulate([5.0] * 32, 8, 0.12, 300.0)
    assert max(mean(instants) for instants in reads.values()) <= 1.05 * 5.0


def test_a_line_that_is_full_is_not_stopped_by_dead_devices() -> None:
    known_at = 8 * SILENCE_S + 3
    reads = simulate([3.0] * 32, 8, 0.12, 300.0 + known_at)
    assert max(mean([at for at in instants if at > known_at]) for instants in reads.values()) <= 1.25 * 3.0


def test_dead_devices_are_asked_even_on_a_line_that_has_too_much_to_do() -> None:
    schedule = Schedule([("a", 1), ("b", 1), ("dead", 1)], SILENCE_S, 0.0)
    actions = [schedule.next(0.6 * turn, {"dead": Health(3, 5.0 - 0.6 * turn)}) for turn in range(30)]
    assert Probe("dead") in actions


def test_a_silent_device_is_probed_ever_more_seldom() -> None:
    reads = simulate([5.0] * 4, 1, 0.1, 600)
    assert all(len(instants) >= 115 for instants in reads.values()), "its neighbours hardly notice"
