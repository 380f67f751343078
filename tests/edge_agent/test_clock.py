"""No reading lands in the wrong hour because of a clock."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clock import (
    EARLIEST_MS,
    TOLERANCE_MS,
    Span,
    corrected,
    first_span,
    next_span,
    proved,
    restamped,
)
from protocols.quantity import Quality
from protocols.record import Reading, Series

NOW = EARLIEST_MS + 30 * 86_400_000
POWER = Series("em-1", "powerActive", "W")
YEAR = 365 * 86_400_000


def test_a_machine_that_wakes_up_in_1970_is_not_believed_until_its_clock_is_set() -> None:
    woken = first_span("b", 5_000, 4_000, NOW, None)
    assert woken.shift_ms is None
    by_ntp = next_span(woken, NOW + 60_000, 64_000)
    assert by_ntp is not None
    assert by_ntp.shift_ms == 0
    first, second = corrected([woken, by_ntp])
    assert second == by_ntp
    assert first.shift_ms is not None
    assert 5_000 + first.shift_ms == NOW, "60 s before it was set"


def test_the_centre_puts_a_clock_right_that_nobody_sets() -> None:
    woken = first_span("b", 5_000, 4_000, NOW, None)
    told = proved(woken, NOW - 5_000)
    assert (told.shift_ms, told.is_proved) == (NOW - 5_000, True)
    assert proved(woken, TOLERANCE_MS).shift_ms == 0, "what the way to the centre takes is not the clock's fault"


def test_a_jump_of_a_proved_clock_is_the_fault_and_moves_no_reading() -> None:
    good = proved(first_span("b", NOW, 1_000, 0, None), 300)
    jumped = next_span(good, NOW + YEAR + 10_000, 11_000)
    assert jumped is not None
    assert jumped.shift_ms == -YEAR
    back = next_span(jumped, NOW + 20_000, 21_000)
    assert back is not None
    assert back.shift_ms == 0


def test_a_clock_that_runs_evenly_or_is_slewed_begins_no_span() -> None:
    span = first_span("b", NOW, 1_000, 0, None)
    assert next_span(span, NOW + 3_600_000 + 900, 3_601_000) is None


def test_a_restart_of_the_service_goes_on_with_what_was_known_of_the_machines_clock() -> None:
    known = proved(first_span("b", 5_000, 4_000, NOW, None), NOW - 5_000)
    assert first_span("b", 15_000, 14_000, NOW, known) == known
    assert first_span("another boot", 15_000, 14_000, NOW, known).shift_ms is None
    assert first_span("another boot", NOW + 1, 14_000, NOW, known).shift_ms == 0


def test_a_clock_that_is_behind_what_was_measured_before_is_not_believed() -> None:
    assert first_span("b", NOW - 3_600_000, 1_000, NOW, None).shift_ms is None


def reading(at: int, quality: Quality = Quality.GOOD) -> Reading:
    return Reading(POWER, at, Decimal(1), quality)


def test_what_was_stamped_before_a_jump_and_stored_after_it_is_stamped_anew() -> None:
    before = first_span("b", 5_000, 4_000, NOW, None)
    now = next_span(before, NOW, 64_000)
    assert now is not None
    assert restamped(reading(64_800), before, now, 64_100) == reading(NOW - 200)
    assert restamped(reading(NOW + 50), before, now, 64_100) == reading(NOW + 50)
    assert restamped(reading(64_800, Quality.FROZEN), before, now, 64_100).taken_at == 64_800
    assert restamped(reading(64_800), before, now, 64_000 + 3_600_000) == reading(64_800)


steps = st.lists(st.tuples(st.integers(-2 * YEAR, 2 * YEAR), st.integers(0, 3_600_000)), max_size=8)


@given(steps, st.integers(0, NOW + YEAR), st.booleans())
def test_whatever_the_wall_clock_does_true_time_follows_the_monotonic_one_once_the_centre_is_heard(
    jumps: list[tuple[int, int]], wall: int, heard_first: bool
) -> None:
    """Every record of the boot is put within the tolerance of its true instant."""
    mono, true = 1_000, NOW
    span = first_span("b", wall, mono, 0, None)
    if heard_first:
        span = proved(span, true - wall)
    spans, taken = [span], [(mono, true)]
    for jump, passed in jumps:
        mono, true, wall = mono + passed, true + passed, wall + passed + jump
        after = next_span(spans[-1], wall, mono)
        if after is not None:
            spans.append(after)
            taken.append((mono, true))
    spans = corrected([*spans[:-1], proved(spans[-1], true - wall)])
    for found, (at_mono, at_true) in zip(spans, taken, strict=True):
        assert isinstance(found, Span)
        assert found.true_offset_ms is not None
        slack = 2 * TOLERANCE_MS + 1_000 * (len(jumps) + 1)
        assert abs(found.true_offset_ms + at_mono - at_true) <= slack
