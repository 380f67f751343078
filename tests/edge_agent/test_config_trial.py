"""What becomes of revisions: the last good one is never lost, whatever comes in whatever order."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent import config_trial as trial
from edge_agent.config_trial import MOST_KEPT, Book, Event, NotNow, Phase, Revision, State


def made(number: int, centre: int | None = None) -> Revision:
    return Revision(number, f"{number:064}", "here", number, State.STAGED, centre)


FIRST = trial.first(replace(made(1), state=State.CONFIRMED, ended_at=1))


def on_trial() -> Book:
    return trial.step(trial.apply(FIRST, made(2), None), Event.START, 2)


def test_a_revision_that_is_well_is_the_last_good_one() -> None:
    assert (on_trial().current, on_trial().good) == (2, 1)
    after = trial.step(on_trial(), Event.WELL, 3)
    assert (after.current, after.good, after.phase, after.newest.state) == (2, 2, Phase.STEADY, State.CONFIRMED)


@pytest.mark.parametrize(
    ("event", "state", "told"),
    [
        (Event.UNWELL, State.REVERTED, "why"),
        (Event.REVERT, State.WITHDRAWN, "why"),
        (Event.START, State.REVERTED, trial.INTERRUPTED),
    ],
)
def test_whatever_else_ends_a_trial_leads_back(event: Event, state: State, told: str) -> None:
    after = trial.step(on_trial(), event, 3, "why")
    assert (after.current, after.good, after.newest.state, after.newest.reason) == (1, 1, state, told)
    assert [it.number for it in trial.untold(after)] == [2]
    assert trial.untold(trial.told(after, 2)) == []


def test_what_is_staged_waits_for_a_start_and_gives_way_to_another() -> None:
    staged = trial.apply(trial.apply(FIRST, made(2), None), made(3), None)
    assert [it.state for it in staged.revisions] == [State.CONFIRMED, State.REPLACED, State.STAGED]
    assert trial.step(staged, Event.START, 4).phase is Phase.TRIAL


def test_nothing_is_applied_over_a_trial_and_nothing_confirmed_without_one() -> None:
    with pytest.raises(NotNow, match="revision 2 is on trial"):
        trial.apply(on_trial(), made(3), None)
    for event in (Event.WELL, Event.UNWELL, Event.REVERT):
        with pytest.raises(NotNow):
            trial.step(FIRST, event, 2)


def test_a_file_changed_by_hand_ends_a_trial_and_counts() -> None:
    after = trial.take_file(on_trial(), replace(made(3), state=State.CONFIRMED, ended_at=5))
    assert (after.current, after.good, after.phase) == (3, 3, Phase.STEADY)
    assert after.revisions[1].state is State.REPLACED


def test_a_refused_offer_does_not_touch_the_trial() -> None:
    after = trial.refuse(on_trial(), replace(made(3, centre=9), state=State.REFUSED, ended_at=3))
    assert (after.newest.number, after.current, after.centre) == (2, 2, 9)


@given(st.lists(st.sampled_from([*Event, "file", "refuse", "tell"]), max_size=80))
def test_the_last_good_one_and_what_runs_are_always_kept(events: list[Event | str]) -> None:
    book, number = FIRST, 1
    for event in events:
        number += 1
        good = book.good
        with contextlib.suppress(NotNow):
            if event is Event.APPLY:
                book = trial.apply(book, made(number, number), None)
            elif event == "file":
                book = trial.take_file(book, replace(made(number), state=State.CONFIRMED, ended_at=number))
            elif event == "refuse":
                book = trial.refuse(book, replace(made(number, number), state=State.REFUSED, ended_at=number))
            elif event == "tell":
                for revision in trial.untold(book):
                    book = trial.told(book, revision.number)
            elif isinstance(event, Event):
                book = trial.step(book, event, number)
        assert book.get(book.current) is not None
        found = book.get(book.good)
        assert found is not None
        assert found.state is State.CONFIRMED
        assert book.good == good or event in (Event.WELL, "file")
        assert len(book.revisions) <= MOST_KEPT + len(trial.untold(book)) + 2
