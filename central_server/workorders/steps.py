"""Steps of a work order: each checked against the table, the part one plays and the version one looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.billing.charge import add_charge
from central_server.calendar import load_calendar
from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.form import Invalid, Problem
from central_server.photos import service as photos
from central_server.photos.picture import Picture
from central_server.rbac import Actor, Right, system
from central_server.schema import account, work_order
from central_server.workorders import clocks, store
from central_server.workorders.model import (
    CLOSES_AFTER_MS,
    ENDS,
    HELD,
    MOST_AT_ONCE,
    MOVES,
    OPEN,
    REOPENS_WITHIN_MS,
    STOPPED,
    Event,
    Facts,
    State,
    Step,
    Who,
    Word,
    steps_from,
)
from central_server.workorders.store import Order
from central_server.workorders.words import REFUSALS

URGE_EVERY_MS = 3600 * 1000
_TOO_LATE = "This work order was closed more than {days} days ago. Report the fault anew."
_FULL = "You have {most} unfinished work orders. Finish one before you take another."
_ABOVE_PRICE = "The price agreed is {price} yuan. Write at most that, or quote anew."
_MOVED = "Somebody else has changed this work order meanwhile. Look at it again."


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says with a step: facts for the order, a note for people, photos."""

    body: Mapping[str, Any] = field(default_factory=dict)
    note: str | None = None
    pictures: Sequence[Picture] = ()


NOTHING = Said()


def parts_of(actor: Actor, order: Order) -> frozenset[Who]:
    """Give the parts that somebody plays for an order."""
    parts: set[Who] = set()
    if actor.role is None:
        parts.add(Who.SYSTEM)
    if actor.may(Right.ORDERS_DISPATCH):
        parts.add(Who.DISPATCHER)
    if actor.may(Right.PAYMENTS_TAKE):
        parts.add(Who.CASHIER)
    if actor.may(Right.ORDERS_WORK):
        parts.add(Who.TECHNICIAN)
        if order.facts.lead_id is not None and order.facts.lead_id == actor.account_id:
            parts.add(Who.LEAD)
    if actor.may(Right.HOME) and actor.person_id is not None and order.person_id == actor.person_id:
        parts.add(Who.REQUESTER)
    return frozenset(parts)


def possible(actor: Actor, order: Order, now: int) -> list[Step]:
    """Give the steps somebody may take now."""
    steps = steps_from(order.facts.state, parts_of(actor, order))
    return [step for step in steps if not (step is Step.REOPEN and _is_too_late(order.facts, now))]


def _is_too_late(facts: Facts, now: int) -> bool:
    return facts.state is State.CLOSED and facts.ended_at is not None and now > facts.ended_at + REOPENS_WITHIN_MS


async def take(
    db: Database,
    actor: Actor,
    order_id: int,
    step: Step,
    version: int | None,
    said: Said = NOTHING,
    *,
    at: int | None = None,
) -> Order:
    """Take a step and whatever follows from it by itself; give the order as it is then.

    Shape: ``version`` is the one that was looked at, None for whatever there is; ``at`` is now where not given.
    Raises: NotFound; Invalid; Conflict where the order has moved on or its state has no such step.
    """
    now = now_ms() if at is None else at
    async with db.write() as connection:
        order = await seen(connection, actor, order_id, step)
        after = await step_in(connection, actor, order, step, version, said, now)
        match step:
            case Step.GRAB:
                return await step_in(connection, actor, after, Step.ACCEPT, None, NOTHING, now)
            case Step.FINISH:
                is_to_pay = bool(after.facts.fee_fen) and after.unit_id is None
                next_step = Step.BILL if is_to_pay else Step.HAND_OVER
                return await step_in(connection, system("gatehouse"), after, next_step, None, NOTHING, now)
            case Step.REOPEN if await _works_still(connection, after):
                return await step_in(connection, system("gatehouse"), after, Step.RETURN, None, NOTHING, now)
        return after


async def _works_still(connection: AsyncConnection, order: Order) -> bool:
    """Tell whether the technician of an order can be given it again."""
    query = select(account.c.id).where(account.c.id == order.facts.lead_id, store.is_technician(order.site_id))
    return await connection.scalar(query) is not None


async def seen(connection: AsyncConnection, actor: Actor, order_id: int, step: Step | None = None) -> Order:
    """Give an order that the actor may know of. Raises: NotFound."""
    order = await store.find(connection, work_order.c.id == order_id, actor.sees_site(work_order.c.site_id))
    if order is not None:
        parts = parts_of(actor, order)
        is_pool = order.facts.state is State.POOL or step is Step.GRAB
        if actor.may(Right.ORDERS_SEE) or parts & {Who.LEAD, Who.REQUESTER, Who.SYSTEM}:
            return order
        if Who.TECHNICIAN in parts and is_pool:
            return order
    raise NotFound("no_order", "There is no such work order.")


async def step_in(
    connection: AsyncConnection, actor: Actor, order: Order, step: Step, version: int | None, said: Said, now: int
) -> Order:
    """Take one step in the caller's transaction. Raises: as take."""
    await _check_step(order, actor, step, version, now)
    body = dict(said.body) | await _consequences(connection, actor, order, step, said, now)
    after = await store.advance(connection, order, actor, Event(step, now, body), said.note)
    if after is None:
        raise Conflict("order_moved", _MOVED)
    await _keep_photos(connection, actor, order, said)
    if step is Step.FINISH:
        await _charge(connection, order, after)
    if step is Step.MERGE:
        await _link(connection, actor, order, after, now)
    await audit.note(connection, actor, f"orders.{step.value}", f"order:{order.id}", to=after.state.value)
    return await _again(connection, order.id)


async def _again(connection: AsyncConnection, order_id: int) -> Order:
    order = await store.find(connection, work_order.c.id == order_id)
    if order is None:
        raise NotFound("no_order", "There is no such work order.")
    return order


async def _check_step(order: Order, actor: Actor, step: Step, version: int | None, now: int) -> None:
    state = order.facts.state
    move = MOVES.get((state, step))
    if step is Step.GRAB and move is None and order.lead is not None:
        raise Conflict("order_taken", "{who} was faster and has this work order.", who=order.lead)
    if move is None:
        raise Conflict("order_forbidden", REFUSALS[state])
    if not move.who & parts_of(actor, order):
        raise NotFound("no_order", "There is no such work order.")
    if version is not None and version != order.facts.version:
        raise Conflict("order_moved", _MOVED)
    if step is Step.REOPEN and _is_too_late(order.facts, now):
        raise Conflict("order_too_late", _TOO_LATE, days=REOPENS_WITHIN_MS // 86_400_000)


async def _consequences(
    connection: AsyncConnection, actor: Actor, order: Order, step: Step, said: Said, now: int
) -> dict[str, Any]:
    """Give what a step means for the order beside its state. Raises: Invalid, Conflict."""
    facts, zone = order.facts, ZoneInfo(order.zone)
    body: dict[str, Any] = {}
    match step:
        case Step.TRIAGE if (urgency := said.body.get("urgency", facts.urgency)) != facts.urgency:
            body = clocks.dues(load_calendar(), urgency, order.created_at, zone)
        case Step.GRAB:
            await _check_load(connection, actor.account_id)
            body = {"lead_id": actor.account_id}
        case Step.ASSIGN | Step.TRANSFER:
            await _check_technician(connection, order, said.body.get("lead_id"))
        case Step.REOPEN:
            body = clocks.dues(load_calendar(), facts.urgency, now, zone)
        case Step.MERGE:
            await _check_target(connection, actor, order, said.body.get("merged_into_id"))
        case Step.FINISH:
            _check_fee(facts, said.body.get("fee_fen"))
        case _ if facts.state in STOPPED and MOVES[facts.state, step].to not in STOPPED | ENDS:
            body = clocks.resumed(load_calendar(), facts, now, zone)
    return body


async def _check_load(connection: AsyncConnection, account_id: int | None) -> None:
    held = await store.count(
        connection, work_order.c.lead_id == account_id, work_order.c.state.in_([each.value for each in HELD])
    )
    if held >= MOST_AT_ONCE:
        raise Conflict("order_load", _FULL, most=MOST_AT_ONCE)


async def _check_technician(connection: AsyncConnection, order: Order, account_id: int | None) -> None:
    query = select(account.c.id).where(account.c.id == account_id, store.is_technician(order.site_id))
    if account_id is None or await connection.scalar(query) is None:
        raise Invalid({"lead": Problem("Choose one of the list.")})


async def _check_target(connection: AsyncConnection, actor: Actor, order: Order, target_id: int | None) -> None:
    where = (work_order.c.id == target_id, work_order.c.site_id == order.site_id, work_order.c.id != order.id)
    target = await store.find(connection, *where, actor.sees_site(work_order.c.site_id))
    if target is None or target.facts.state not in OPEN:
        raise Invalid({"into": Problem("There is no open work order of this number at this site.")})


def _check_fee(facts: Facts, fee_fen: int | None) -> None:
    if fee_fen is None:
        return
    if facts.fee_fen is not None:
        raise Invalid({"fee": Problem("The fee of this work order is settled already. Leave this empty.")})
    if facts.quote_fen is not None and fee_fen > facts.quote_fen:
        raise Invalid({"fee": Problem(_ABOVE_PRICE, {"price": f"{facts.quote_fen / 100:.2f}"})})


async def _charge(connection: AsyncConnection, order: Order, after: Facts) -> None:
    """Let the unit's next bill have the fee; once, however often the order is finished."""
    if not after.fee_fen or order.unit_id is None or after.finished_at is None:
        return
    local = clocks.local(after.finished_at, ZoneInfo(order.zone))
    await add_charge(
        connection,
        key=f"order:{order.id}",
        site_id=order.site_id,
        unit_id=order.unit_id,
        kind="repair",
        description={"key": "repair", "order": order.number},
        amount_fen=after.fee_fen,
        period=f"{local:%Y-%m}",
        trace={
            "steps": [{"key": "fee", "amount_fen": after.fee_fen}],
            "order": order.id,
            "labour_minutes": after.labour_minutes,
        },
    )


async def _link(connection: AsyncConnection, actor: Actor, order: Order, after: Facts, now: int) -> None:
    """Write into the order that takes over where the other one's words are found."""
    target = await _again(connection, after.merged_into_id or 0)
    await store.advance(connection, target, actor, Event(Word.LINK, now, {"order": order.id}))


async def _keep_photos(connection: AsyncConnection, actor: Actor, order: Order, said: Said) -> None:
    await photos.add(
        connection,
        said.pictures,
        kind="order",
        kind_id=order.id,
        site_id=order.site_id,
        person_id=order.person_id,
        actor=actor,
    )


async def comment(db: Database, actor: Actor, order_id: int, said: Said) -> Order:
    """Add words and photos to an order, whatever its state. Raises: NotFound."""
    async with db.write() as connection:
        order = await seen(connection, actor, order_id)
        body = {"photos": len(said.pictures)} if said.pictures else {}
        await _say(connection, actor, order, Word.COMMENT, Said(body, said.note, said.pictures), now_ms())
        return await _again(connection, order_id)


async def urge(db: Database, actor: Actor, order_id: int) -> Order:
    """Ask for more haste, once an hour. Raises: NotFound; Conflict."""
    async with db.write() as connection:
        order = await seen(connection, actor, order_id)
        if order.facts.state not in OPEN:
            raise Conflict("order_forbidden", REFUSALS[order.facts.state])
        last = await store.last_of_kind(connection, order_id, Word.URGE)
        if last is not None and now_ms() - last < URGE_EVERY_MS:
            raise Conflict("order_urged", "You have urged this within the last hour. It is seen.")
        await _say(connection, actor, order, Word.URGE, NOTHING, now_ms())
        return await _again(connection, order_id)


async def rate(
    db: Database, actor: Actor, order_id: int, stars: int, note: str | None = None, *, at: int | None = None
) -> Order:
    """Say how good the repair was; only whoever asked for it may, once. Raises: NotFound; Conflict."""
    async with db.write() as connection:
        order = await seen(connection, actor, order_id)
        if Who.REQUESTER not in parts_of(actor, order):
            raise NotFound("no_order", "There is no such work order.")
        if order.facts.state not in (State.CLOSED, State.AWAIT_CONFIRM):
            raise Conflict("order_forbidden", REFUSALS[order.facts.state])
        if order.facts.rating is not None:
            raise Conflict("order_rated", "You have rated this repair already.")
        await _say(connection, actor, order, Word.RATE, Said({"rating": stars}, note), now_ms() if at is None else at)
        return await _again(connection, order_id)


async def _say(connection: AsyncConnection, actor: Actor, order: Order, word: Word, said: Said, now: int) -> None:
    if await store.advance(connection, order, actor, Event(word, now, said.body), said.note) is None:
        raise Conflict("order_moved", _MOVED)
    await _keep_photos(connection, actor, order, said)
    await audit.note(connection, actor, f"orders.{word.value}", f"order:{order.id}")


async def cancel(db: Database, actor: Actor, order_id: int, version: int | None, note: str | None = None) -> Order:
    """Take back a report before anybody is on site. Raises: as take."""
    return await take(db, actor, order_id, Step.CANCEL, version, Said(note=note))


async def confirm(db: Database, actor: Actor, order_id: int, version: int | None) -> Order:
    """Say that the fault is gone. Raises: as take."""
    return await take(db, actor, order_id, Step.CONFIRM, version)


async def reopen(db: Database, actor: Actor, order_id: int, version: int | None, note: str) -> Order:
    """Say that the fault is still there; the same technician has it again. Raises: as take."""
    return await take(db, actor, order_id, Step.REOPEN, version, Said(note=note))


async def dispatch(
    db: Database,
    actor: Actor,
    order_id: int,
    to: Step,
    version: int,
    said: Said = NOTHING,
    *,
    at: int | None = None,
) -> Order:
    """Bring an order to the pool or to a technician in one go, judged as it came. Raises: as take."""
    now = now_ms() if at is None else at
    async with db.write() as connection:
        order = await seen(connection, actor, order_id)
        if version != order.facts.version:
            raise Conflict("order_moved", _MOVED)
        if order.facts.state is State.NEW:
            order = await step_in(connection, actor, order, Step.TRIAGE, None, NOTHING, now)
        if order.facts.state is State.DEFERRED:
            order = await step_in(connection, actor, order, Step.TAKE_UP, None, NOTHING, now)
        if to is Step.ASSIGN and order.facts.state is State.ASSIGNED:
            to = Step.TRANSFER
        return await step_in(connection, actor, order, to, None, said, now)


async def come_round(db: Database, now: int) -> set[int]:
    """Close what nobody confirmed in time and take up what was put off until now; give the sites."""
    lapsed = (
        work_order.c.state == State.AWAIT_CONFIRM.value,
        work_order.c.finished_at <= now - CLOSES_AFTER_MS,
    )
    put_off = (work_order.c.state == State.DEFERRED.value, work_order.c.deferred_until <= now)
    sites: set[int] = set()
    for where, step in ((lapsed, Step.LAPSE), (put_off, Step.TAKE_UP)):
        async with db.read() as connection:
            due = await store.listed(connection, where, (work_order.c.id,), 200)
        for order in due:
            async with db.write() as connection:
                fresh = await _again(connection, order.id)
                if fresh.facts == order.facts:
                    await step_in(connection, system("scheduler"), fresh, step, None, NOTHING, now)
                    sites.add(order.site_id)
    return sites
