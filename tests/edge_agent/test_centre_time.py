"""How late it may be, by the gateway's clock and by the centre's."""

import pytest

from edge_agent.centre_time import CentreTime, latest_now
from edge_agent.clock import Span


def test_a_slow_answer_makes_it_later_and_never_earlier() -> None:
    centre = CentreTime()
    assert centre.now(0) is None
    centre.note(1_000_000, 500)  # asked at 500; what it says was so then at the earliest
    assert centre.now(700) == 1_000_200
    for wrong in (None, "1", 1.5, True):
        centre.note(wrong, 0)
    assert centre.now(700) == 1_000_200


@pytest.mark.parametrize(
    ("shift_ms", "is_proved", "centre", "found"),
    [
        (0, True, None, 100),
        (50, True, 120, 150),
        (0, True, 120, 120),
        (0, False, 120, 120),
        (None, False, 120, 120),
        (0, False, None, None),
    ],
)
def test_a_clock_counts_once_the_centre_has_confirmed_it(
    shift_ms: int | None, is_proved: bool, centre: int | None, found: int | None
) -> None:
    assert latest_now(Span("boot", 0, 0, shift_ms, is_proved), 100, centre) == found
