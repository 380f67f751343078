"""Every step of a visit that is not in the table is refused."""

from itertools import product

from central_server.visitors.model import STEPS, State, Step, next_state

ENDS = {State.REFUSED, State.CANCELLED, State.EXPIRED, State.LEFT}


def test_only_the_steps_of_the_table_can_be_taken() -> None:
    taken = {pair for pair in product(State, Step) if next_state(*pair) is not None}
    assert taken == set(STEPS)
    assert not {state for state, _ in taken} & ENDS


def test_nobody_arrives_whom_the_guard_has_not_approved() -> None:
    assert [state for state in State if next_state(state, Step.ARRIVE)] == [State.APPROVED]
