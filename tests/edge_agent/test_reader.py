"""Which card is new, by a counter that wraps, jumps and starts again."""

import pytest

from edge_agent.reader import Presented, presented


@pytest.mark.parametrize(
    ("last", "counter", "silent_s", "is_new", "missed"),
    [
        (None, 17, 0.2, False, 0),  # a card from before the gateway's start opens nothing
        (17, 17, 0.2, False, 0),
        (17, 18, 0.2, True, 0),
        (65_535, 0, 0.2, True, 0),
        (17, 20, 0.2, True, 2),
        (17, 18, 60, False, 1),  # whoever showed it has gone
        (17, 0, 0.2, False, None),  # the module was switched off and on
    ],
)
def test_only_a_card_that_was_shown_just_now_is_decided(
    last: int | None, counter: int, silent_s: float, is_new: bool, missed: int | None
) -> None:
    found = presented(last, counter, silent_s)
    assert isinstance(found, Presented)
    assert (found.is_new, found.missed) == (is_new, missed)
    assert bool(found.why) == (missed != 0)
