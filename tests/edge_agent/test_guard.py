"""A register is believed while it does what a register can, and no wrong read ever passes for a right one."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.profile import load_profile
from edge_agent.guard import Believed, Limits, Reason, accepted, from_note, judge, limits_of, to_note

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# A three-phase meter of 100 A, six digits and two decimals.
LIMITS = Limits(Decimal(66), Decimal(1_000_000))


def run(reads: list[tuple[int, str]], limits: Limits = LIMITS) -> list[str]:
    """Judge reads in turn; the word for each."""
    state: Believed | None = None
    told = []
    for at, value in reads:
        reason, state, is_rollover = judge(state, Decimal(value), at, limits)
        told.append("rollover" if is_rollover else "" if reason is None else reason.value)
    return told


def minutes(*values: str) -> list[tuple[int, str]]:
    return [(minute * MINUTE, value) for minute, value in enumerate(values)]


@pytest.mark.parametrize(
    ("reads", "told"),
    [
        (minutes("1234.00", "1234.00", "1234.50", "1235.40"), ["", "", "", ""]),
        (minutes("1234.00", "0", "1234.10"), ["", "zero", ""]),
        (minutes("1234.00", "1233.99", "1234.10"), ["", "decrease", ""]),
        (minutes("1234.00", "12340.00", "1234.10"), ["", "spike", ""]),
        (minutes("999999.50", "0.30", "0.90"), ["", "rollover", ""]),
        # Far below the end, nothing has rolled over: another meter hangs there, however long it goes on.
        (minutes("1234.00", "5.00", "5.10", "5.20", "5.30"), ["", "decrease", "decrease", "swap", "swap"]),
        (minutes("1234.00", "49360.00", "49360.20", "49360.40"), ["", "spike", "spike", "ratio"]),
        (minutes("1234.00", "123.40", "123.41", "123.42"), ["", "decrease", "decrease", "ratio"]),
    ],
)
def test_each_fault_of_a_counter_is_named(reads: list[tuple[int, str]], told: list[str]) -> None:
    assert run(reads) == told


def test_time_does_not_make_a_wrong_level_right() -> None:
    reads = minutes("1234.00", "12340.00", "12340.10")
    assert run([*reads, *[(day * DAY, f"{12340 + day}.00") for day in range(1, 400)]])[1:].count("") == 0


def test_a_long_outage_is_believed_at_what_the_place_usually_draws_and_not_at_full_power() -> None:
    usual = [(hour * HOUR, f"{1000 + hour}.00") for hour in range(72)]
    assert run([*usual, (72 * HOUR + 30 * DAY, "1800.00")])[-1] == ""
    assert run([*usual, (72 * HOUR + 30 * DAY, "10720.00")])[-1] == "spike"


def test_a_register_without_a_known_end_never_rolls_over() -> None:
    assert run(minutes("999999.50", "0.30"), LIMITS._replace(modulus=None)) == ["", "decrease"]


def test_a_person_ends_the_doubt_and_the_new_level_counts_from_there() -> None:
    state: Believed | None = None
    for at, value in minutes("1234.00", "5.00", "5.10", "5.20"):
        _, state, _ = judge(state, Decimal(value), at, LIMITS)
    assert state is not None
    assert judge(accepted(state), Decimal("5.30"), 4 * MINUTE, LIMITS).reason is None
    assert judge(accepted(state), Decimal("1234.10"), 4 * MINUTE, LIMITS).reason is Reason.SPIKE


def test_a_meter_that_counts_in_whole_units_may_step_between_two_polls() -> None:
    assert run([(0, "17"), (100, "18"), (200, "18")]) == ["", "", ""]


def test_the_profile_says_what_a_register_can_do() -> None:
    assert limits_of(load_profile("electricity/dlt645-2007").point("energyImportTotal")).modulus == 1_000_000
    assert limits_of(load_profile("electricity/eastron-sdm630").point("energyImportTotal")).modulus is None


values = st.decimals(0, 999_999, places=2)
growths = st.lists(st.decimals(0, Decimal("1.1"), places=2), max_size=30)


@given(values, growths)
def test_what_a_meter_can_do_is_always_believed_across_its_own_end_too(start: Decimal, growth: list[Decimal]) -> None:
    total, reads = start, [(0, str(start))]
    for minute, step in enumerate(growth, 1):
        total = (total + step) % 1_000_000
        reads.append((minute * MINUTE, str(total)))
    assert set(run(reads)) <= {"", "rollover"}


@given(st.lists(st.tuples(st.integers(0, DAY), st.one_of(values, st.just(Decimal(0)))), max_size=40))
def test_what_is_believed_never_grew_by_more_than_the_line_carries(steps: list[tuple[int, Decimal]]) -> None:
    state: Believed | None = None
    now = 0
    for passed, value in steps:
        now += passed
        before = state
        reason, state, _ = judge(state, value, now, LIMITS)
        if reason is None and before is not None:
            growth = (value - before.value) % 1_000_000
            most = LIMITS.per_hour * Decimal(now - before.at) / HOUR + Decimal("0.02")
            assert growth <= most
        elif before is not None:
            assert (state.value, state.at) == (before.value, before.at), "a doubted read is no ground for the next"


@given(st.lists(st.tuples(st.integers(0, DAY), values), min_size=1, max_size=10))
def test_a_note_brings_back_all_that_is_known(steps: list[tuple[int, Decimal]]) -> None:
    state: Believed | None = None
    for at, value in steps:
        state = judge(state, value, at, LIMITS).state
        assert from_note(to_note(state)) == state
