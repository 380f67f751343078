"""Steps: who may take which, what follows from them, and what two at once come to."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from central_server.clock import now_ms
from central_server.errors import CentralError, Conflict, NotFound
from central_server.form import Invalid
from central_server.rbac import Actor
from central_server.workorders import service
from central_server.workorders.model import DAY_MS, MOST_AT_ONCE, MOVES, State, Step, Urgency
from central_server.workorders.service import Said
from central_server.workorders.store import Order
from tests.central_server.workorders.conftest import Estate

REPAIR = (Step.ACCEPT, Step.DEPART, Step.ARRIVE, Step.START)


async def given_out(estate: Estate, order: Order) -> Order:
    lead = {"lead_id": estate.technicians[0].account_id}
    return await service.dispatch(estate.db, estate.desk, order.id, Step.ASSIGN, order.facts.version, Said(lead))


async def under_repair(estate: Estate, order: Order) -> Order:
    order = await given_out(estate, order)
    for step in REPAIR:
        order = await service.take(estate.db, estate.technicians[0], order.id, step, order.facts.version)
    return order


async def finished(estate: Estate, order: Order, fee_fen: int | None = None) -> Order:
    order = await under_repair(estate, order)
    body = {"labour_minutes": 40} | ({} if fee_fen is None else {"fee_fen": fee_fen})
    return await service.take(estate.db, estate.technicians[0], order.id, Step.FINISH, None, Said(body, "换了角阀"))


async def test_a_leak_is_reported_repaired_confirmed_and_rated(estate: Estate) -> None:
    order = await finished(estate, await estate.order())
    assert order.facts.state is State.AWAIT_CONFIRM
    order = await service.confirm(estate.db, estate.owner, order.id, order.facts.version)
    order = await service.rate(estate.db, estate.owner, order.id, 5, "很快")
    assert (order.facts.state, order.facts.rating) == (State.CLOSED, 5)
    assert await estate.replayed(order) == order.facts


@pytest.mark.parametrize("who", ["clerk", "neighbour", "desk"])
async def test_nobody_but_its_technician_accepts_an_order(estate: Estate, who: str) -> None:
    order = await given_out(estate, await estate.order())
    with pytest.raises(NotFound):
        await service.take(estate.db, getattr(estate, who), order.id, Step.ACCEPT, order.facts.version)
    with pytest.raises(NotFound):
        await service.take(estate.db, estate.technicians[1], order.id, Step.ACCEPT, order.facts.version)
    assert (await estate.now(order)).facts == order.facts


async def test_a_step_the_state_does_not_have_is_refused_with_the_reason(estate: Estate) -> None:
    order = await given_out(estate, await estate.order())
    with pytest.raises(Conflict, match="given out and not accepted yet"):
        await service.take(estate.db, estate.technicians[0], order.id, Step.START, order.facts.version)


async def test_who_looked_at_an_older_version_is_told_and_changes_nothing(estate: Estate) -> None:
    order = await estate.order()
    await service.take(estate.db, estate.desk, order.id, Step.TRIAGE, order.facts.version)
    with pytest.raises(Conflict, match="Somebody else has changed"):
        await service.dispatch(estate.db, estate.desk, order.id, Step.POOL, order.facts.version)
    assert (await estate.now(order)).facts.state is State.TRIAGED


async def test_of_many_who_grab_at_once_one_has_it_and_the_others_learn_who(estate: Estate) -> None:
    order = await estate.order()
    await service.dispatch(estate.db, estate.desk, order.id, Step.POOL, order.facts.version)

    async def grab(actor: Actor) -> str:
        try:
            await service.take(estate.db, actor, order.id, Step.GRAB, None)
        except Conflict as refused:
            return refused.key
        return actor.login

    said = await asyncio.gather(*(grab(actor) for actor in estate.technicians * 10))
    won = [each for each in said if each.startswith("tech")]
    assert len(won) == 1
    assert set(said) - set(won) == {"order_taken"}
    after = await estate.now(order)
    assert (after.lead, after.facts.state) == (won[0], State.ACCEPTED)


async def test_a_technician_with_a_full_hand_takes_no_more(estate: Estate) -> None:
    for _ in range(MOST_AT_ONCE):
        await given_out(estate, await estate.public())
    order = await estate.public()
    await service.dispatch(estate.db, estate.desk, order.id, Step.POOL, order.facts.version)
    with pytest.raises(Conflict, match="8 unfinished"):
        await service.take(estate.db, estate.technicians[0], order.id, Step.GRAB, None)


async def test_a_fee_is_charged_once_however_often_the_repair_is_finished(estate: Estate) -> None:
    order = await finished(estate, await estate.order(), fee_fen=14650)
    order = await service.reopen(estate.db, estate.owner, order.id, order.facts.version, "还在滴水")
    assert (order.facts.state, order.lead) == (State.ASSIGNED, "tech-1")
    for step in REPAIR:
        order = await service.take(estate.db, estate.technicians[0], order.id, step, order.facts.version)
    with pytest.raises(Invalid):
        await service.take(estate.db, estate.technicians[0], order.id, Step.FINISH, None, Said({"fee_fen": 1}))
    await service.take(estate.db, estate.technicians[0], order.id, Step.FINISH, None, Said({"labour_minutes": 5}))
    assert await estate.count("charge") == 1


async def test_a_fee_without_a_unit_is_paid_before_anybody_confirms(estate: Estate) -> None:
    order = await finished(estate, await estate.public(), fee_fen=5000)
    assert order.facts.state is State.AWAIT_PAYMENT
    order = await service.take(estate.db, estate.clerk, order.id, Step.SETTLE, order.facts.version)
    assert (order.facts.state, await estate.count("charge")) == (State.AWAIT_CONFIRM, 0)


async def test_a_price_agreed_is_not_exceeded(estate: Estate) -> None:
    order = await under_repair(estate, await estate.order())
    technician = estate.technicians[0]
    await service.take(estate.db, technician, order.id, Step.QUOTE, None, Said({"quote_fen": 10000}, "换龙头"))
    await service.take(estate.db, estate.owner, order.id, Step.APPROVE, None)
    with pytest.raises(Invalid):
        await service.take(estate.db, technician, order.id, Step.FINISH, None, Said({"fee_fen": 10001}))
    done = await service.take(estate.db, technician, order.id, Step.FINISH, None, Said({"fee_fen": 10000}))
    assert done.facts.fee_fen == 10000


async def test_what_was_left_when_work_paused_is_left_when_it_goes_on(estate: Estate) -> None:
    order = await under_repair(estate, await estate.public(urgency=Urgency.EMERGENCY))
    technician = estate.technicians[0]
    paused = (await service.take(estate.db, technician, order.id, Step.PAUSE, None, Said({"reason": "parts"}))).facts
    assert paused.paused_at is not None
    # As if it had been paused for three days.
    await estate.shift(order, paused_at=paused.paused_at - 3 * DAY_MS, finish_due_at=paused.finish_due_at - 3 * DAY_MS)
    order = await service.take(estate.db, technician, order.id, Step.RESUME, None)
    assert abs(order.facts.finish_due_at - paused.finish_due_at) < 60_000
    assert order.facts.paused_at is None


async def test_a_report_is_taken_back_before_anybody_is_on_site_and_not_after(estate: Estate) -> None:
    order = await given_out(estate, await estate.order())
    gone = await service.cancel(estate.db, estate.owner, order.id, order.facts.version)
    assert gone.facts.state is State.CANCELLED
    order = await under_repair(estate, await estate.order())
    with pytest.raises(Conflict, match="under way"):
        await service.cancel(estate.db, estate.owner, order.id, order.facts.version)


async def test_what_nobody_objects_to_closes_after_seven_days_and_opens_again_within_fifteen(estate: Estate) -> None:
    order = await finished(estate, await estate.order())
    assert await service.come_round(estate.db, now_ms() + 6 * DAY_MS) == set()
    assert await service.come_round(estate.db, now_ms() + 8 * DAY_MS) == {1}
    closed = await estate.now(order)
    assert closed.facts.state is State.CLOSED
    await estate.shift(order, ended_at=now_ms() - 16 * DAY_MS)
    with pytest.raises(Conflict, match="more than 15 days"):
        await service.reopen(estate.db, estate.owner, order.id, None, "又漏了")
    await estate.shift(order, ended_at=now_ms() - 14 * DAY_MS)
    again = await service.reopen(estate.db, estate.owner, order.id, None, "又漏了")
    assert (again.facts.state, again.lead) == (State.ASSIGNED, "tech-1")


async def test_what_was_put_off_comes_back_by_itself(estate: Estate) -> None:
    order = await estate.order()
    order = await service.take(estate.db, estate.desk, order.id, Step.TRIAGE, order.facts.version)
    until = now_ms() + DAY_MS
    await service.take(estate.db, estate.desk, order.id, Step.DEFER, None, Said({"deferred_until": until}))
    await service.come_round(estate.db, until + 1)
    assert (await estate.now(order)).facts.state is State.TRIAGED


async def test_a_merged_report_leads_to_the_other_one(estate: Estate) -> None:
    first, second = await estate.order(), await estate.order(title="水槽漏水")
    merge = Said({"merged_into_id": first.id})
    await service.take(estate.db, estate.desk, second.id, Step.MERGE, second.facts.version, merge)
    with pytest.raises(Invalid):
        await service.take(estate.db, estate.desk, first.id, Step.MERGE, None, Said({"merged_into_id": second.id}))
    assert (await estate.now(second)).facts.merged_into_id == first.id


async def test_urging_is_heard_once_an_hour(estate: Estate) -> None:
    order = await estate.order()
    await service.urge(estate.db, estate.owner, order.id)
    with pytest.raises(Conflict, match="within the last hour"):
        await service.urge(estate.db, estate.owner, order.id)


async def test_only_who_reported_a_fault_rates_its_repair_and_once(estate: Estate) -> None:
    order = await finished(estate, await estate.order())
    for actor in (estate.neighbour, estate.technicians[0], estate.desk):
        with pytest.raises(NotFound):
            await service.rate(estate.db, actor, order.id, 5)
    await service.rate(estate.db, estate.owner, order.id, 4)
    with pytest.raises(Conflict):
        await service.rate(estate.db, estate.owner, order.id, 5)


Act = Callable[[Actor, Order, random.Random], Awaitable[object]]


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_people_do_the_events_alone_give_the_order_as_it_stands(estate: Estate, seed: int) -> None:
    """Random people take random steps; what the table refuses leaves no trace."""
    chance = random.Random(seed)  # chance, not secrecy
    order = await estate.order()
    actors = [estate.desk, estate.clerk, estate.owner, estate.neighbour, *estate.technicians]
    for _ in range(40):
        actor, step = chance.choice(actors), chance.choice([step for _, step in MOVES])
        body = {"lead_id": chance.choice(estate.technicians).account_id} if step in (Step.ASSIGN, Step.TRANSFER) else {}
        body |= {"quote_fen": 900} if step is Step.QUOTE else {}
        body |= {"deferred_until": now_ms() + DAY_MS} if step is Step.DEFER else {}
        # A dead end now and then is fine, but not at the first step.
        if step in (Step.MERGE, Step.CANCEL, Step.REJECT, Step.REFUSE) and chance.random() < 0.9:
            continue
        try:
            await service.take(estate.db, actor, order.id, step, None, Said(body))
        except CentralError:
            continue
    after = await estate.now(order)
    assert await estate.replayed(order) == after.facts
