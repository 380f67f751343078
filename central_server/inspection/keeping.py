"""Keeping the plans: tasks are made ahead, and what was not done is missed within the minute.

Whoever was down meanwhile catches up: tasks are made from where they were made to, so that every
round that nobody could make is recorded as missed, and a statutory one is due again at once.
"""

from collections.abc import Iterable
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.inspection import alarm, store, task_store
from central_server.inspection.model import AHEAD_MS, DAY_MS, MAKE_UP_MS, State, task_state
from central_server.inspection.store import PlanRow
from central_server.inspection.window import Slot, parse_windows, slots
from central_server.rbac import Actor, system
from central_server.schema import inspection_task

_SELF = system("scheduler")


async def keep(db: Database, now: int) -> frozenset[int]:
    """Make what is due and close what is over; name the sites where anything changed."""
    changed: set[int] = set()
    async with db.read() as connection:
        plans = await store.plans(connection, _SELF, is_ended=False)
    behind = [plan for plan in plans if plan.made_to_at < now + AHEAD_MS - DAY_MS // 24]
    for plan in behind:
        async with db.write() as connection:
            if await make_ahead(connection, plan, now):
                changed.add(plan.site_id)
    async with db.read() as connection:
        over = await task_store.over(connection, now)
    if over:
        async with db.write() as connection:
            changed |= await close(connection, over, now)
    return frozenset(changed)


async def make_ahead(connection: AsyncConnection, plan: PlanRow, now: int) -> int:
    """Make a plan's tasks from where they were made to until well ahead; give how many."""
    return await _make(connection, plan, _slots(plan, plan.made_to_at, now + AHEAD_MS), now)


async def make_first(connection: AsyncConnection, plan: PlanRow, now: int) -> int:
    """Make a new plan's tasks, also that of a window that is open already."""
    due = (slot for slot in _slots(plan, now - 2 * DAY_MS, now + AHEAD_MS) if slot.ends_at > now)
    return await _make(connection, plan, due, now)


async def make_anew(connection: AsyncConnection, plan: PlanRow, now: int) -> int:
    """Make a plan's tasks to come again, after it was changed."""
    await task_store.unmake(connection, plan.id, now)
    return await _make(connection, plan, _slots(plan, now, now + AHEAD_MS), now)


async def _make(connection: AsyncConnection, plan: PlanRow, due: Iterable[Slot], now: int) -> int:
    points = await store.route_points(connection, plan.route_id)
    made = 0
    for slot in due:
        made += await task_store.add_task(connection, plan, slot, points, now) is not None
    await store.change(connection, "plan", plan.id, made_to_at=now + AHEAD_MS)
    return made


def _slots(plan: PlanRow, after: int, until: int) -> Iterable[Slot]:
    windows = parse_windows(plan.windows)
    return slots(windows, ZoneInfo(plan.zone), date.fromisoformat(plan.from_on), plan.every_days, after, until)


async def close(connection: AsyncConnection, task_ids: list[int], now: int) -> set[int]:
    """Record what was not done as missed; name the sites."""
    own = inspection_task.c
    tasks = await task_store.find_tasks(connection, _SELF, own.id.in_(task_ids), own.state == State.OPEN.value)
    for task in tasks:
        await task_store.mark_points(connection, task.id, (State.OPEN,), State.MISSED)
        state = await settle(connection, task.id, now)
        if state is State.MISSED:
            await alarm.tell_missed(connection, task, now)
            await audit.note(connection, _SELF, "inspection.missed", f"round:{task.id}", slot=task.slot)
    for plan_id in {task.plan_id for task in tasks if task.is_statutory}:
        await _make_up(connection, plan_id, now)
    return {task.site_id for task in tasks}


async def settle(connection: AsyncConnection, task_id: int, now: int) -> State:
    """Write down what a task is by its points."""
    points = (await task_store.task_points(connection, [task_id]))[task_id]
    state = task_state(point.state for point in points)
    await task_store.set_task_state(connection, task_id, state, None if state is State.OPEN else now)
    return state


async def _make_up(connection: AsyncConnection, plan_id: int, now: int) -> None:
    """Let a statutory plan whose round was missed be due at once, unless a round of it is open."""
    for plan in await store.plans(connection, _SELF, key=plan_id, is_ended=False):
        if not await _has_missed_last(connection, plan_id, now) or await task_store.has_open(connection, plan_id, now):
            continue
        points = await store.route_points(connection, plan.route_id)
        slot = Slot(f"again {now}", now, now + MAKE_UP_MS)
        if (made := await task_store.add_task(connection, plan, slot, points, now)) is not None:
            await audit.note(connection, _SELF, "inspection.due_again", f"round:{made}", plan=plan_id)


async def _has_missed_last(connection: AsyncConnection, plan_id: int, now: int) -> bool:
    own = inspection_task.c
    where = (own.plan_id == plan_id, own.ends_at <= now)
    last = await task_store.find_tasks(connection, _SELF, *where, newest_first=True, limit=1)
    return bool(last) and last[0].state is State.MISSED


async def excuse(db: Database, actor: Actor, task_id: int, reason: str, now: int) -> int:
    """Say why what is open or missed of a task need not be done; give its site.

    Raises: NotFound, Conflict where nothing of it is.
    """
    async with db.write() as connection:
        task = await task_store.find_task(connection, actor, task_id)
        if task is None:
            raise NotFound("no_round", "There is no such round.")
        waiting = (State.OPEN, State.MISSED)
        if not await task_store.mark_points(connection, task_id, waiting, State.EXCUSED, reason):
            raise Conflict("nothing_to_excuse", "Nothing of this round is open or missed.")
        await settle(connection, task_id, now)
        await alarm.clear_missed(connection, task_id, now)
        await audit.note(connection, actor, "inspection.excuse", f"round:{task_id}")
    return task.site_id
