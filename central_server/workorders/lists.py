"""Work orders as lists, boards and single views, each for whoever may see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import and_, case, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.crypto import blind
from central_server.errors import NotFound
from central_server.photos import service as photos
from central_server.rbac import Actor, Right
from central_server.records.personal import plain_phone
from central_server.schema import building, unit, work_order
from central_server.workorders import store
from central_server.workorders.clocks import Clock, clock_of
from central_server.workorders.model import (
    HELD,
    OPEN,
    UNFINISHED,
    WAITING,
    State,
    Step,
    Who,
)
from central_server.workorders.steps import parts_of, possible
from central_server.workorders.store import Entry, Order
from central_server.workorders.words import COLUMNS

_o = work_order.c
MOST_ON_BOARD = 300
MOST_OF_PERSON = 100
GROUPS: Mapping[str, frozenset[State]] = {
    "open": UNFINISHED,
    "waiting": WAITING,
    "closed": frozenset(State) - OPEN,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which orders to list; ``group`` is a name of GROUPS or "" for all."""

    group: str = "open"
    category: str = ""
    urgency: str = ""
    source: str = ""
    lead_id: int | None = None
    is_overdue: bool = False
    search: str = ""
    sort: str = "due"


class Listed(NamedTuple):
    """An order with its clock."""

    order: Order
    clock: Clock


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with its history, photos and what the reader may do now."""

    order: Order
    clock: Clock
    entries: Sequence[Entry]
    photos: Sequence[str]
    steps: Sequence[Step]
    parts: frozenset[Who]


class Finished(NamedTuple):
    """A repair that was finished; ``is_kept`` tells whether both clocks were. Units: ms since 1970."""

    id: int
    site_id: int
    category: str
    urgency: str
    created_at: int
    responded_at: int | None
    finished_at: int
    is_kept: bool


SORTS: Mapping[str, Any] = {
    "due": case(
        (_o.paused_at.is_not(None), 2**62),  # what stands still comes last
        (_o.responded_at.is_(None), _o.respond_due_at),
        else_=_o.finish_due_at,
    ),
    "created": _o.created_at,
    "changed": _o.changed_at,
    "number": _o.id,
}


def overdue(now: int) -> Any:
    """Give the condition for orders whose running clock has run out."""
    late = or_(
        and_(_o.responded_at.is_(None), _o.respond_due_at < now),
        and_(_o.responded_at.is_not(None), _o.finish_due_at < now),
    )
    return and_(_in(UNFINISHED), _o.paused_at.is_(None), late)


def _in(states: frozenset[State]) -> Any:
    return _o.state.in_(sorted(each.value for each in states))


async def list_orders(
    connection: AsyncConnection, actor: Actor, wanted: Wanted, now: int, *, limit: int, offset: int = 0
) -> tuple[int, list[Listed]]:
    """Give how many orders the actor sees and finds, and some of them."""
    where = [actor.sees_site(_o.site_id), *_conditions(connection, wanted, now)]
    column = SORTS.get(wanted.sort.removeprefix("-"), SORTS["due"])
    by = column.desc() if wanted.sort.startswith("-") else column
    total = await store.count(connection, *where)
    found = await store.listed(connection, where, (by, _o.id.desc()), limit, offset)
    return total, [Listed(order, clock_of(order.facts, now)) for order in found]


def _conditions(connection: AsyncConnection, wanted: Wanted, now: int) -> list[Any]:
    where: list[Any] = []
    if wanted.group in GROUPS:
        where.append(_in(GROUPS[wanted.group]))
    for column, value in ((_o.category, wanted.category), (_o.urgency, wanted.urgency), (_o.source, wanted.source)):
        if value:
            where.append(column == value)
    if wanted.lead_id is not None:
        where.append(_o.lead_id == wanted.lead_id)
    if wanted.is_overdue:
        where.append(overdue(now))
    if wanted.search:
        where.append(_matches(connection, wanted.search))
    return where


def _matches(connection: AsyncConnection, text: str) -> Any:
    """Find a number's last part, words of the title or place, a unit's code, or the whole phone of who called."""
    tail = text.rpartition("-")[2]
    units = select(unit.c.id).where(unit.c.code.icontains(text, autoescape=True))
    buildings = select(building.c.id).where(building.c.name.icontains(text, autoescape=True))
    ways = [
        _o.title.icontains(text, autoescape=True),
        _o.place.icontains(text, autoescape=True),
        _o.unit_id.in_(units),
        _o.building_id.in_(buildings),
        _o.contact_phone_index == blind(connection, plain_phone(text), "phone"),
    ]
    if tail.isascii() and tail.isdecimal() and len(tail) < 10:
        ways.append(_o.id == int(tail))
    return or_(*ways)


async def board(connection: AsyncConnection, actor: Actor, now: int) -> dict[str, list[Listed]]:
    """Give the open orders by column, the most urgent first; one's own site alone."""
    shown = frozenset(State(state) for _, _, states in COLUMNS for state in states)
    found = await store.listed(
        connection, [actor.sees_site(_o.site_id), _in(shown)], (SORTS["due"], _o.id), MOST_ON_BOARD
    )
    column_of = {state: key for key, _, states in COLUMNS for state in states}
    columns: dict[str, list[Listed]] = {key: [] for key, _, _ in COLUMNS}
    for order in found:
        columns[column_of[order.facts.state]].append(Listed(order, clock_of(order.facts, now)))
    return columns


async def counts(connection: AsyncConnection, actor: Actor, now: int) -> dict[str, int]:
    """Count the orders of each group that the actor sees, and those overdue."""
    sees = actor.sees_site(_o.site_id)
    found = {name: await store.count(connection, sees, _in(states)) for name, states in GROUPS.items()}
    return found | {"overdue": await store.count(connection, sees, overdue(now))}


async def get_order(connection: AsyncConnection, actor: Actor, order_id: int, now: int) -> OrderView:
    """Give an order that the actor may see: the staff of its site, its technician, the pool's. Raises: NotFound."""
    order = await store.find(connection, _o.id == order_id, actor.sees_site(_o.site_id))
    if order is None or not _may_see(actor, order):
        raise NotFound("no_order", "There is no such work order.")
    return await _view(connection, actor, order, now)


def _may_see(actor: Actor, order: Order) -> bool:
    parts = parts_of(actor, order)
    is_offered = Who.TECHNICIAN in parts and order.facts.state is State.POOL
    return actor.may(Right.ORDERS_SEE) or is_offered or Who.LEAD in parts


async def get_for_person(connection: AsyncConnection, actor: Actor, order_id: int, now: int) -> OrderView:
    """Give a resident's own order. Raises: NotFound."""
    order = await store.find(connection, _o.id == order_id, _o.person_id == actor.person_id)
    if order is None or actor.person_id is None:
        raise NotFound("no_order", "There is no such work order.")
    return await _view(connection, actor, order, now)


async def _view(connection: AsyncConnection, actor: Actor, order: Order, now: int) -> OrderView:
    return OrderView(
        order,
        clock_of(order.facts, now),
        await store.events(connection, order.id),
        (await photos.refs(connection, "order", [order.id]))[order.id],
        possible(actor, order, now),
        parts_of(actor, order),
    )


async def orders_of_person(connection: AsyncConnection, person_id: int) -> list[Order]:
    """Give what a resident has reported, what is open first, then the newest."""
    by = (_in(frozenset(State) - OPEN), _o.created_at.desc())
    return await store.listed(connection, [_o.person_id == person_id], by, MOST_OF_PERSON)


async def orders_of_unit(connection: AsyncConnection, actor: Actor, unit_id: int) -> list[Order]:
    """Give a unit's orders, the newest first."""
    where = [_o.unit_id == unit_id, actor.sees_site(_o.site_id)]
    return await store.listed(connection, where, (_o.created_at.desc(), _o.id.desc()), MOST_OF_PERSON)


async def work_of(connection: AsyncConnection, actor: Actor, now: int) -> tuple[list[Listed], list[Listed]]:
    """Give a technician's unfinished orders and the pool, what is due first on top."""
    sees = actor.sees_site(_o.site_id)
    mine = [sees, _o.lead_id == actor.account_id, _in(HELD)]
    pool = [sees, _o.state == State.POOL.value]
    lists = [await store.listed(connection, where, (SORTS["due"], _o.id), 100) for where in (mine, pool)]
    held, offered = ([Listed(order, clock_of(order.facts, now)) for order in found] for found in lists)
    return held, offered


async def done_by(connection: AsyncConnection, actor: Actor, since: int) -> list[Order]:
    """Give what a technician has finished since an instant, the newest first."""
    where = [_o.lead_id == actor.account_id, _o.finished_at >= since, _in(frozenset(State) - HELD)]
    return await store.listed(connection, where, (_o.finished_at.desc(),), 50)


async def finished_between(connection: AsyncConnection, actor: Actor, from_at: int, to_at: int) -> list[Finished]:
    """Give the repairs that were finished in [from_at, to_at) at the sites an actor sees."""
    query = select(
        *(_o.id, _o.site_id, _o.category, _o.urgency, _o.created_at, _o.responded_at, _o.finished_at),
        *(_o.respond_due_at, _o.finish_due_at),
    ).where(actor.sees_site(_o.site_id), _o.finished_at >= from_at, _o.finished_at < to_at)
    return [
        Finished(
            *row[:7],
            is_kept=row.finished_at <= row.finish_due_at
            and (row.responded_at is None or row.responded_at <= row.respond_due_at),
        )
        for row in await connection.execute(query.order_by(_o.finished_at, _o.id))
    ]
