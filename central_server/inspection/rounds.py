"""Walking a round: what is to be done, and each check counted once, whenever and however often it comes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.form import Invalid, Problem
from central_server.inspection import alarm, keeping, meter_read, store, task_store
from central_server.inspection.model import (
    DAY_MS,
    Answer,
    Given,
    Item,
    Kind,
    Moment,
    NotAnswered,
    State,
    judge,
    late_until,
    moment,
    state_of_check,
)
from central_server.inspection.store import PointRow
from central_server.inspection.task_store import AnswerRow, Mark, TaskPointRow, TaskRow
from central_server.photos import service as photos
from central_server.photos.picture import Picture
from central_server.rbac import Actor
from central_server.schema import inspection_task
from central_server.workorders.service import open_from_finding

_LONGEST_MS = 30 * DAY_MS  # no round may be made later than this


@dataclass(frozen=True, slots=True)
class Check:
    """What an inspector sends of a point. Units: ms of the phone's own clock.

    ``asked_at`` is when the server wrote the form: it is answered by the items of then.
    """

    client_id: str
    given: Mapping[int, Given]
    done_at: int | None = None
    sent_at: int | None = None
    asked_at: int | None = None
    presence: str = ""
    note: str = ""
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task with its points and all that was answered."""

    task: TaskRow
    points: Sequence[TaskPointRow]
    answers: Mapping[int, Sequence[AnswerRow]] = field(default_factory=dict)
    photos: Mapping[int, Sequence[str]] = field(default_factory=dict)

    def next_after(self, point_id: int | None) -> TaskPointRow | None:
        """Give the next point that waits, from one on and then from the beginning."""
        position = next((each.position for each in self.points if each.id == point_id), 0)
        waiting = [each for each in self.points if each.state in (State.OPEN, State.MISSED) and each.id != point_id]
        later = [each for each in waiting if each.position > position]
        return next(iter([*later, *waiting]), None)


@dataclass(frozen=True, slots=True)
class Mine:
    """An inspector's day: to do now, still to be made up for, later, and made."""

    now: Sequence[TaskRow]
    late: Sequence[TaskRow]
    soon: Sequence[TaskRow]
    made: Sequence[TaskRow]


async def my_tasks(connection: AsyncConnection, actor: Actor, now: int) -> Mine:
    """Give what an inspector may walk now, late, soon, and what was walked in the last day."""
    own = inspection_task.c
    tasks = await task_store.find_tasks(
        connection, actor, task_store.is_for(actor), own.ends_at > now - _LONGEST_MS, own.starts_at < now + DAY_MS
    )
    current = [task for task in tasks if task.state is State.OPEN and task.starts_at <= now]
    late = [task for task in tasks if task.state is State.MISSED and is_still_due(task, now)]
    soon = [task for task in tasks if task.state is State.OPEN and task.starts_at > now]
    made = [task for task in tasks if task.state in (State.DONE, State.LATE) and (task.closed_at or 0) > now - DAY_MS]
    return Mine(current, late, soon, made)


def is_still_due(task: TaskRow, now: int) -> bool:
    """Tell whether a task that is over may still be made."""
    return now <= late_until(task.ends_at, is_statutory=task.is_statutory)


async def get_round(connection: AsyncConnection, actor: Actor, task_id: int) -> TaskView:
    """Give a task that the actor may walk. Raises: NotFound."""
    view = await get_task(connection, actor, task_id)
    if view.task.account_id not in (None, actor.account_id):
        raise NotFound("no_round", "There is no such round.")
    return view


async def get_task(connection: AsyncConnection, actor: Actor, task_id: int) -> TaskView:
    """Give a task of the actor's sites with its answers. Raises: NotFound."""
    task = await task_store.find_task(connection, actor, task_id)
    if task is None:
        raise NotFound("no_round", "There is no such round.")
    points = (await task_store.task_points(connection, [task_id]))[task_id]
    keys = [point.id for point in points]
    answers = await task_store.answers(connection, keys)
    return TaskView(task, points, answers, await photos.refs(connection, "check", keys))


async def find_by_label(
    connection: AsyncConnection, actor: Actor, secret: str, now: int
) -> tuple[PointRow, TaskRow | None, int]:
    """Give the checkpoint of a label, and the task and point that wait there now, None for no task.

    Raises: NotFound.
    """
    point = await store.point_by_secret(connection, actor, secret)
    if point is None:
        raise NotFound("no_label", "This label is not known. Perhaps it was replaced by a new one.")
    for task, task_point_id in await task_store.of_checkpoint(connection, actor, point.id, now - _LONGEST_MS):
        if task.starts_at <= now and is_still_due(task, now):
            return point, task, task_point_id
    return point, None, 0


async def items_of(connection: AsyncConnection, point: TaskPointRow, at: int | None = None) -> list[Item]:
    """Give what is looked at at a point, now or as of an instant."""
    return (await store.items(connection, [point.checkpoint_id], at))[point.checkpoint_id]


async def check(db: Database, actor: Actor, task_id: int, point_id: int, sent: Check) -> TaskView:
    """Count a check, once; what failed opens a work order.

    Raises: NotFound, Invalid, Conflict where somebody was first, or it is too early or too late.
    """
    async with db.write() as connection:
        now = now_ms()
        seen = await task_store.task_of_client(connection, sent.client_id)
        view = await get_round(connection, actor, task_id)
        if seen == (task_id, point_id):
            return view
        point = _point(view, point_id)
        if seen is not None or point.state in (State.DONE, State.LATE, State.EXCUSED):
            raise Conflict("check_made", "This point was made already.")
        when = _when(view.task, sent, now)
        asked_at = None if sent.asked_at is None else max(min(sent.asked_at, now), now - 7 * DAY_MS)
        answers = _judged(await items_of(connection, point, asked_at), sent.given)
        row = await store.point(connection, actor, point.checkpoint_id)
        mark = Mark(
            state=state_of_check(when.done_at, view.task.ends_at),
            client_id=sent.client_id,
            done_at=when.done_at,
            received_at=now,
            skew_ms=when.skew_ms,
            account_id=actor.account_id,
            is_scanned=row is not None and sent.presence == row.secret,
            note=sent.note[:2000],
        )
        if not await task_store.mark_made(connection, point_id, mark):
            raise Conflict("check_made", "This point was made already.")
        await _keep(connection, actor, view.task, point, sent, answers, when, now)
        if await keeping.settle(connection, task_id, now) is not State.MISSED:
            await alarm.clear_missed(connection, task_id, now)
        failed = sum(answer.is_failed for answer in answers)
        detail: dict[str, Any] = {"point": point.code, "state": mark.state.value, "failed": failed}
        await audit.note(connection, actor, "inspection.check", f"round:{task_id}", **detail)
        return await get_round(connection, actor, task_id)


def _point(view: TaskView, point_id: int) -> TaskPointRow:
    for point in view.points:
        if point.id == point_id:
            return point
    raise NotFound("no_round", "There is no such round.")


def _when(task: TaskRow, sent: Check, now: int) -> Moment:
    try:
        when = moment(now, sent.done_at, sent.sent_at)
    except NotAnswered as refused:
        raise Invalid({"": refused.problem}) from None
    if when.done_at < task.starts_at:
        begins = datetime.fromtimestamp(task.starts_at / 1000, UTC).astimezone(ZoneInfo(task.zone))
        raise Invalid({"": Problem("This round begins at {time}.", {"time": f"{begins:%m-%d %H:%M}"})})
    if not is_still_due(task, when.done_at):
        raise Conflict("round_over", "It is too late for this round. It stays on record as missed.")
    return when


def _judged(items: Sequence[Item], given: Mapping[int, Given]) -> list[Answer]:
    answers, problems = [], {}
    for item in items:
        try:
            answer = judge(item, given.get(item.id, Given()))
        except NotAnswered as refused:
            problems[f"v-{item.id}"] = refused.problem
        else:
            if answer is not None:
                answers.append(answer)
    if problems:
        raise Invalid(problems)
    return answers


async def _keep(
    connection: AsyncConnection,
    actor: Actor,
    task: TaskRow,
    point: TaskPointRow,
    sent: Check,
    answers: Sequence[Answer],
    when: Moment,
    now: int,
) -> None:
    """Keep photos, answers, readings, and open an order for each item that failed."""
    photo_ids = await photos.add(
        connection, sent.pictures, kind="check", kind_id=point.id, site_id=task.site_id, actor=actor
    )
    for answer in answers:
        order_id = None
        if answer.is_failed:
            order_id = await open_from_finding(
                connection,
                actor,
                site_id=task.site_id,
                building_id=point.building_id,
                equipment_id=point.equipment_id,
                subject=f"check:{answer.item.id}",
                title=f"{point.name}: {answer.item.title}",
                detail=_said(answer, point, sent.note),
                photo_ids=photo_ids,
                at=when.done_at,
            )
        elif answer.item.kind is Kind.METER:
            await _read(connection, task.site_id, answer, when.done_at, now)
        await task_store.add_answer(connection, point.id, answer, order_id)


async def _read(connection: AsyncConnection, site_id: int, answer: Answer, done_at: int, now: int) -> None:
    if answer.item.metering_point_id is None or answer.number is None:
        return
    try:
        await meter_read.note(connection, site_id, answer.item.metering_point_id, answer.number, done_at, now)
    except NotAnswered as refused:
        raise Invalid({f"v-{answer.item.id}": refused.problem}) from None


def _said(answer: Answer, point: TaskPointRow, note: str) -> str:
    """Write a finding down without words of either language: place, figure, limits, and the inspector's own note."""
    item = answer.item
    figure = "" if item.kind is Kind.IN_ORDER else f"{answer.value} {item.unit}".strip()
    if item.low is not None or item.high is not None:
        figure += f" ({'' if item.low is None else item.low} – {'' if item.high is None else item.high})"
    return "\n".join(part for part in (f"{point.code} {point.place}".strip(), figure, note) if part)
