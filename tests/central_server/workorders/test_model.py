"""The state table, as workflows.md writes it."""

import pytest

from central_server.workorders.model import ENDS, HELD, MOVES, OPEN, State, Step, Who

# Who may follow whom, from the facts: nothing more, nothing less.
FOLLOWS = {
    "new": {"triaged", "merged", "rejected", "cancelled"},
    "triaged": {"pool", "assigned", "deferred", "rejected", "cancelled"},
    "deferred": {"triaged", "cancelled"},
    "pool": {"assigned", "cancelled"},
    "assigned": {"accepted", "pool", "assigned", "cancelled"},
    "accepted": {"en_route", "cancelled"},
    "en_route": {"on_site", "cancelled"},
    "on_site": {"in_progress"},
    "in_progress": {"paused", "quoted", "done"},
    "paused": {"in_progress"},
    "quoted": {"in_progress", "rejected"},
    "done": {"await_payment", "await_confirm"},
    "await_payment": {"await_confirm"},
    "await_confirm": {"closed", "reopened"},
    "closed": {"reopened"},
    "reopened": {"assigned"},
    "merged": set(),
    "rejected": set(),
    "cancelled": set(),
}


@pytest.mark.parametrize("state", State)
def test_a_state_is_followed_by_the_states_of_the_facts_and_no_others(state: State) -> None:
    assert {move.to for (begins, _), move in MOVES.items() if begins is state} == FOLLOWS[state.value]


def test_every_open_state_has_a_way_on_and_every_step_somebody_who_may_take_it() -> None:
    assert {begins for begins, _ in MOVES} >= OPEN
    assert all(move.who for move in MOVES.values())
    assert {step for _, step in MOVES} == set(Step)


def test_only_the_technician_whose_order_it_is_works_on_it() -> None:
    working = {step for (state, step), move in MOVES.items() if state in HELD and move.who == {Who.LEAD}}
    assert working == {
        *(Step.ACCEPT, Step.DECLINE, Step.DEPART, Step.ARRIVE, Step.START),
        *(Step.PAUSE, Step.RESUME, Step.QUOTE, Step.FINISH),
    }


def test_nobody_but_the_requester_or_the_dispatcher_ends_an_order_for_them() -> None:
    ending = {(step, who) for (_, step), move in MOVES.items() if move.to in ENDS for who in move.who}
    assert {who for step, who in ending if step is not Step.LAPSE} == {Who.REQUESTER, Who.DISPATCHER}
