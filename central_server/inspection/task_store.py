"""The SQL of tasks: what is expected of whom when, and what was answered."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.inspection.model import Answer, Item, State
from central_server.inspection.store import item_of
from central_server.inspection.window import Slot
from central_server.rbac import Actor
from central_server.schema import (
    account,
    check_answer,
    check_item,
    checkpoint,
    inspection_plan,
    inspection_route,
    inspection_task,
    site,
    task_point,
)
from central_server.telemetry.store import insert_ignoring

_OPEN, _MISSED = State.OPEN.value, State.MISSED.value


class TaskRow(NamedTuple):
    """A task and how far it is; ``made`` counts the points that were looked at or excused."""

    id: int
    plan_id: int
    plan: str
    route: str
    is_statutory: bool
    site_id: int
    site: str
    zone: str
    account_id: int | None
    inspector: str | None
    slot: str
    starts_at: int
    ends_at: int
    state: State
    closed_at: int | None
    points: int
    made: int


class TaskPointRow(NamedTuple):
    """A point of a task, with who was there and when."""

    id: int
    task_id: int
    checkpoint_id: int
    position: int
    state: State
    code: str
    name: str
    place: str
    building_id: int | None
    equipment_id: int | None
    client_id: str | None
    done_at: int | None
    received_at: int | None
    skew_ms: int | None
    who: str | None
    is_scanned: bool | None
    note: str | None


class AnswerRow(NamedTuple):
    id: int
    task_point_id: int
    item: Item
    value: str
    is_failed: bool
    order_id: int | None


class FindingRow(NamedTuple):
    """A failed answer with where and when."""

    answer_id: int
    task_id: int
    code: str
    point: str
    title: str
    value: str
    unit: str
    done_at: int
    order_id: int | None


class Mark(NamedTuple):
    """What is noted with a point when it was made."""

    state: State
    client_id: str
    done_at: int
    received_at: int
    skew_ms: int
    account_id: int | None
    is_scanned: bool
    note: str


def _tasks() -> Select[Any]:
    own = inspection_task.c
    points = select(func.count()).where(task_point.c.task_id == own.id).correlate(inspection_task)
    made = points.where(task_point.c.state.not_in((_OPEN, _MISSED)))
    return select(
        own.id,
        own.plan_id,
        inspection_plan.c.name,
        inspection_route.c.name,
        inspection_plan.c.is_statutory,
        own.site_id,
        site.c.name,
        site.c.zone,
        own.account_id,
        account.c.name,
        own.slot,
        own.starts_at,
        own.ends_at,
        own.state,
        own.closed_at,
        points.scalar_subquery(),
        made.scalar_subquery(),
    ).select_from(
        inspection_task.join(inspection_plan, inspection_plan.c.id == own.plan_id)
        .join(inspection_route, inspection_route.c.id == inspection_plan.c.route_id)
        .join(site, site.c.id == own.site_id)
        .outerjoin(account, account.c.id == own.account_id)
    )


def _task(row: Any) -> TaskRow:
    return TaskRow(**dict(zip(TaskRow._fields, row, strict=True)) | {"state": State(row.state)})


async def find_tasks(
    connection: AsyncConnection,
    actor: Actor,
    *where: ColumnElement[bool],
    newest_first: bool = False,
    limit: int | None = None,
    offset: int = 0,
) -> list[TaskRow]:
    """Give tasks of the actor's sites by the end of their window."""
    own = inspection_task.c
    order = (own.ends_at.desc(), own.id.desc()) if newest_first else (own.ends_at, own.id)
    query = _tasks().where(actor.sees_site(own.site_id), *where).order_by(*order)
    if limit is not None:
        query = query.limit(limit).offset(offset)
    return [_task(row) for row in await connection.execute(query)]


async def count_tasks(connection: AsyncConnection, actor: Actor, *where: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(inspection_task).where(actor.sees_site(inspection_task.c.site_id), *where)
    return int(await connection.scalar(query) or 0)


def is_for(actor: Actor) -> ColumnElement[bool]:
    """Keep to what anybody may walk, and what is this one's own."""
    own = inspection_task.c.account_id
    return or_(own.is_(None), own == actor.account_id)


def ended_between(from_at: int, to_at: int) -> ColumnElement[bool]:
    return (inspection_task.c.ends_at >= from_at) & (inspection_task.c.ends_at < to_at)


async def task_points(connection: AsyncConnection, task_ids: Sequence[int]) -> dict[int, list[TaskPointRow]]:
    """Give the points of some tasks, in the order in which they are walked."""
    own = task_point.c
    query = (
        select(
            own.id,
            own.task_id,
            own.checkpoint_id,
            own.position,
            own.state,
            checkpoint.c.code,
            checkpoint.c.name,
            checkpoint.c.place,
            checkpoint.c.building_id,
            checkpoint.c.equipment_id,
            own.client_id,
            own.done_at,
            own.received_at,
            own.skew_ms,
            account.c.name,
            own.is_scanned,
            own.note,
        )
        .select_from(task_point.join(checkpoint).outerjoin(account))
        .where(own.task_id.in_(task_ids))
        .order_by(own.task_id, own.position)
    )
    found: dict[int, list[TaskPointRow]] = {key: [] for key in task_ids}
    for row in await connection.execute(query):
        found[row.task_id].append(
            TaskPointRow(**dict(zip(TaskPointRow._fields, row, strict=True)) | {"state": State(row.state)})
        )
    return found


async def task_of_client(connection: AsyncConnection, client_id: str) -> tuple[int, int] | None:
    """Give the (task, point) that a check of this id was counted for."""
    query = select(task_point.c.task_id, task_point.c.id).where(task_point.c.client_id == client_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else (row[0], row[1])


async def answers(connection: AsyncConnection, task_point_ids: Sequence[int]) -> dict[int, list[AnswerRow]]:
    query = (
        select(check_answer, check_item.c.kind, check_item.c.title, check_item.c.unit, check_item.c.low)
        .add_columns(check_item.c.high, check_item.c.metering_point_id, check_item.c.is_required)
        .join(check_item)
        .where(check_answer.c.task_point_id.in_(task_point_ids))
        .order_by(check_item.c.position, check_item.c.id)
    )
    found: dict[int, list[AnswerRow]] = {key: [] for key in task_point_ids}
    for row in await connection.execute(query):
        made = AnswerRow(row.id, row.task_point_id, item_of(row), row.value, row.is_failed, row.order_id)
        found[row.task_point_id].append(made)
    return found


async def findings(connection: AsyncConnection, actor: Actor, since: int, limit: int) -> list[FindingRow]:
    """Give the newest failed answers."""
    query = (
        select(
            check_answer.c.id,
            task_point.c.task_id,
            checkpoint.c.code,
            checkpoint.c.name,
            check_item.c.title,
            check_answer.c.value,
            check_item.c.unit,
            task_point.c.done_at,
            check_answer.c.order_id,
        )
        .select_from(
            check_answer.join(task_point)
            .join(checkpoint)
            .join(check_item, check_answer.c.check_item_id == check_item.c.id)
        )
        .where(check_answer.c.is_failed.is_(True), task_point.c.done_at >= since)
        .where(actor.sees_site(checkpoint.c.site_id))
        .order_by(task_point.c.done_at.desc(), check_answer.c.id)
        .limit(limit)
    )
    return [FindingRow(*row) for row in await connection.execute(query)]


async def add_task(
    connection: AsyncConnection, plan: Any, slot: Slot, point_ids: Sequence[int], now: int
) -> int | None:
    """Make a task with its points; None where it is there already, or has no points."""
    if not point_ids:
        return None
    values = {
        "plan_id": plan.id,
        "site_id": plan.site_id,
        "account_id": plan.account_id,
        "slot": slot.key,
        "starts_at": slot.starts_at,
        "ends_at": slot.ends_at,
        "created_at": now,
        "state": _OPEN,
    }
    done = await connection.execute(insert_ignoring(connection, inspection_task).values(values))
    if done.rowcount != 1:
        return None
    own = inspection_task.c
    made = await connection.scalar(select(own.id).where(own.plan_id == plan.id, own.slot == slot.key))
    rows = [
        {"task_id": made, "checkpoint_id": key, "position": position, "state": _OPEN}
        for position, key in enumerate(point_ids, 1)
    ]
    await connection.execute(insert(task_point), rows)
    return int(made or 0)


async def over(connection: AsyncConnection, now: int) -> list[int]:
    """Give the open tasks whose window has ended, oldest first."""
    own = inspection_task.c
    query = select(own.id).where(own.state == _OPEN, own.ends_at <= now).order_by(own.ends_at, own.id)
    return [row[0] for row in await connection.execute(query)]


async def mark_points(
    connection: AsyncConnection, task_id: int, states: Iterable[State], to: State, note: str | None = None
) -> int:
    """Move a task's points from some states to another, with a reason where there is one; give how many."""
    changes: dict[str, Any] = {"state": to.value}
    if note is not None:
        changes["note"] = note
    done = await connection.execute(
        update(task_point)
        .where(task_point.c.task_id == task_id, task_point.c.state.in_([each.value for each in states]))
        .values(**changes)
    )
    return done.rowcount


async def find_task(connection: AsyncConnection, actor: Actor, key: int) -> TaskRow | None:
    found = await find_tasks(connection, actor, inspection_task.c.id == key)
    return found[0] if found else None


async def mark_made(connection: AsyncConnection, point_id: int, mark: Mark) -> bool:
    """Note that a point was made; False if somebody was first or it is excused."""
    done = await connection.execute(
        update(task_point)
        .where(task_point.c.id == point_id, task_point.c.state.in_((_OPEN, _MISSED)))
        .values(**mark._asdict() | {"state": mark.state.value})
    )
    return done.rowcount == 1


async def set_task_state(connection: AsyncConnection, task_id: int, state: State, at: int | None) -> None:
    await connection.execute(
        update(inspection_task).where(inspection_task.c.id == task_id).values(state=state.value, closed_at=at)
    )


async def add_answer(connection: AsyncConnection, point_id: int, answer: Answer, order_id: int | None) -> None:
    await connection.execute(
        insert(check_answer).values(
            task_point_id=point_id,
            check_item_id=answer.item.id,
            value=answer.value,
            is_failed=answer.is_failed,
            order_id=order_id,
        )
    )


async def has_open(connection: AsyncConnection, plan_id: int, now: int) -> bool:
    """Tell whether a plan has a task that has begun and is open."""
    own = inspection_task.c
    query = select(own.id).where(own.plan_id == plan_id, own.state == _OPEN, own.starts_at <= now, own.ends_at > now)
    return await connection.scalar(query.limit(1)) is not None


async def unmake(connection: AsyncConnection, plan_id: int, after: int) -> int:
    """Take away a plan's tasks that begin later and that nobody has begun."""
    own = inspection_task.c
    begun = select(task_point.c.task_id).where(task_point.c.state != _OPEN)
    query = select(own.id).where(own.plan_id == plan_id, own.starts_at > after, own.id.not_in(begun))
    keys = [row[0] for row in await connection.execute(query)]
    if keys:
        await connection.execute(delete(task_point).where(task_point.c.task_id.in_(keys)))
        await connection.execute(delete(inspection_task).where(own.id.in_(keys)))
    return len(keys)


async def of_checkpoint(
    connection: AsyncConnection, actor: Actor, checkpoint_id: int, since: int
) -> list[tuple[TaskRow, int]]:
    """Give the tasks in which a checkpoint still waits, those that end first before the others, with its point."""
    own = inspection_task.c
    waiting = select(task_point.c.task_id, task_point.c.id).join(inspection_task).where(own.ends_at >= since)
    waiting = waiting.where(task_point.c.checkpoint_id == checkpoint_id, task_point.c.state.in_((_OPEN, _MISSED)))
    points = {row[0]: row[1] for row in await connection.execute(waiting)}
    found = await find_tasks(connection, actor, own.id.in_(points), is_for(actor))
    return [(task, points[task.id]) for task in found]
