"""The breaker, with the time told to it."""

from drivers.breaker import Breaker, BreakerState


def broken(now: float = 0.0) -> Breaker:
    breaker = Breaker(now)
    for _ in range(3):
        assert breaker.allow(now)
        breaker.failure(now)
    return breaker


def test_two_failures_do_not_open_it() -> None:
    breaker = Breaker(0)
    breaker.failure(0)
    breaker.failure(1)
    assert breaker.state is BreakerState.CLOSED
    assert breaker.allow(1)
    assert breaker.retry_at is None


def test_the_third_failure_in_a_row_opens_it() -> None:
    breaker = broken()
    assert breaker.state is BreakerState.OPEN
    assert breaker.retry_at == 1
    assert not breaker.allow(0.9)


def test_a_success_between_failures_starts_the_count_anew() -> None:
    breaker = Breaker(0)
    breaker.failure(0)
    breaker.failure(0)
    breaker.success(0)
    breaker.failure(0)
    breaker.failure(0)
    assert breaker.state is BreakerState.CLOSED


def test_probes_come_after_1_5_15_60_and_then_every_300_seconds() -> None:
    breaker = broken()
    now, delays = 0.0, []
    for _ in range(7):
        due = breaker.retry_at
        assert due is not None
        delays.append(due - now)
        now = due
        assert breaker.allow(now)
        breaker.failure(now)
    assert delays == [1, 5, 15, 60, 300, 300, 300]


def test_only_one_probe_is_let_through_at_a_time() -> None:
    breaker = broken()
    assert breaker.allow(1)
    assert breaker.state is BreakerState.HALF_OPEN
    assert not breaker.allow(1.5)


def test_a_probe_that_was_never_reported_does_not_close_the_way_for_ever() -> None:
    breaker = broken()
    assert breaker.allow(1)
    assert breaker.retry_at == 2
    assert breaker.allow(2)


def test_an_answered_probe_closes_it() -> None:
    breaker = broken()
    assert breaker.allow(1)
    breaker.success(1)
    assert breaker.state is BreakerState.CLOSED
    breaker.failure(2)
    assert breaker.allow(2)


def test_after_a_recovery_the_probes_begin_at_one_second_again() -> None:
    breaker = broken()
    for due in (1, 6):
        assert breaker.allow(due)
        breaker.failure(due)
    assert breaker.allow(21)
    breaker.success(21)
    for _ in range(3):
        breaker.failure(30)
    assert breaker.retry_at == 31


def test_a_late_failure_while_it_is_open_does_not_put_the_probe_off() -> None:
    breaker = broken()
    breaker.failure(0.5)
    assert breaker.retry_at == 1
