"""Planning: checkpoints with their labels and items, routes and plans. The only door for other slices."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.form import Invalid, Problem
from central_server.inspection import keeping, store, task_store
from central_server.inspection.entry import ItemEntry, PlanEntry, PointEntry, RouteEntry
from central_server.inspection.model import DAY_MS, Item, Kind, State
from central_server.inspection.store import Choice, PlanRow, PointRow, RouteRow, SiteRow
from central_server.inspection.task_store import FindingRow, TaskRow
from central_server.rbac import Actor
from central_server.schema import inspection_task

__all__ = ["FindingRow", "PlanRow", "PointRow", "RouteRow", "State", "TaskRow", "tasks_between"]

_MOST_POINTS = 200


@dataclass(frozen=True, slots=True)
class PointView:
    """A checkpoint with what is looked at there; ``meters`` are the codes of metering points."""

    row: PointRow
    items: Sequence[Item]
    meters: dict[int, str]


async def tasks_between(
    connection: AsyncConnection, actor: Actor, from_at: int, to_at: int, site_id: int | None = None
) -> list[TaskRow]:
    """Give the tasks whose window ended in [from_at, to_at), each with its state."""
    where = [task_store.ended_between(from_at, to_at)]
    found = await task_store.find_tasks(connection, actor, *where)
    return [task for task in found if site_id in (None, task.site_id)]


async def findings(connection: AsyncConnection, actor: Actor, since: int, limit: int = 50) -> list[FindingRow]:
    """Give what failed since an instant, newest first."""
    return await task_store.findings(connection, actor, since, limit)


@dataclass(frozen=True, slots=True)
class ListedPoint:
    """A checkpoint and how much is looked at there."""

    row: PointRow
    items: int


@dataclass(frozen=True, slots=True)
class Day:
    """The rounds of about a day: under way, to come, over; what was missed in the last week and is still so."""

    now: Sequence[TaskRow]
    soon: Sequence[TaskRow]
    over: Sequence[TaskRow]
    missed: Sequence[TaskRow]

    @property
    def points(self) -> int:
        return sum(task.points for task in self.over)

    @property
    def made(self) -> int:
        return sum(task.made for task in self.over)


async def day_of(connection: AsyncConnection, actor: Actor, now: int) -> Day:
    """Give the rounds around an instant."""
    own = inspection_task.c
    tasks = await task_store.find_tasks(connection, actor, own.ends_at > now - 7 * DAY_MS, own.starts_at < now + DAY_MS)
    return Day(
        [task for task in tasks if task.starts_at <= now < task.ends_at],
        [task for task in tasks if task.starts_at > now],
        [task for task in reversed(tasks) if now - DAY_MS < task.ends_at <= now],
        [task for task in reversed(tasks) if task.state is State.MISSED],
    )


async def list_tasks(
    connection: AsyncConnection,
    actor: Actor,
    now: int,
    *,
    state: State | None,
    plan_id: int | None,
    limit: int,
    offset: int,
) -> tuple[int, list[TaskRow]]:
    """Give how many rounds have begun and match, and some of them, newest first."""
    own = inspection_task.c
    where = [own.starts_at <= now]
    if state is not None:
        where.append(own.state == state.value)
    if plan_id is not None:
        where.append(own.plan_id == plan_id)
    total = await task_store.count_tasks(connection, actor, *where)
    rows = await task_store.find_tasks(connection, actor, *where, newest_first=True, limit=limit, offset=offset)
    return total, rows


async def list_points(
    connection: AsyncConnection, actor: Actor, *, site_id: int | None = None, search: str = "", is_retired: bool = False
) -> list[ListedPoint]:
    """Give the checkpoints in the order of their codes."""
    rows = await store.points(connection, actor, site_id=site_id, search=search, is_retired=is_retired)
    counts = await store.item_counts(connection, [row.id for row in rows])
    return [ListedPoint(row, counts.get(row.id, 0)) for row in rows]


async def list_routes(connection: AsyncConnection, actor: Actor) -> tuple[list[RouteRow], Mapping[int, int]]:
    """Give the routes, and how many plans in force use each."""
    return await store.routes(connection, actor), await store.plans_of_routes(connection)


async def list_plans(connection: AsyncConnection, actor: Actor, *, with_ended: bool = False) -> list[PlanRow]:
    """Give the plans in force, and behind them those that have ended."""
    rows = await store.plans(connection, actor, is_ended=None if with_ended else False)
    return sorted(rows, key=lambda row: row.ended_at is not None)


async def list_inspectors(connection: AsyncConnection, site_id: int | None) -> list[Choice]:
    return await store.inspectors(connection, site_id)


async def points_of_route(connection: AsyncConnection, route_id: int) -> list[int]:
    return await store.route_points(connection, route_id)


async def list_sites(connection: AsyncConnection, actor: Actor) -> list[SiteRow]:
    return await store.sites(connection, actor)


async def get_point(connection: AsyncConnection, actor: Actor, key: int) -> PointView:
    """Give a checkpoint. Raises: NotFound."""
    row = await _point(connection, actor, key)
    items = (await store.items(connection, [key]))[key]
    meters = [item.metering_point_id for item in items if item.metering_point_id is not None]
    return PointView(row, items, await store.metering_codes(connection, meters))


async def places_of(connection: AsyncConnection, actor: Actor) -> tuple[list[Choice], list[Choice]]:
    """Give the buildings and the equipment that a checkpoint may stand at."""
    keys = [site.id for site in await store.sites(connection, actor)]
    return await store.buildings(connection, keys), await store.equipments(connection, keys)


async def add_point(db: Database, actor: Actor, entry: PointEntry) -> int:
    """Write down a checkpoint, with a label of its own; give its id. Raises: Invalid."""
    async with db.write() as connection:
        site_id = await _site(connection, actor, entry.site)
        values = await _point_values(connection, site_id, entry, None)
        made = await store.add(
            connection,
            "checkpoint",
            **values,
            site_id=site_id,
            secret=_secret(),
            is_retired=False,
            created_at=now_ms(),
        )
        await audit.note(connection, actor, "inspection.add_point", f"checkpoint:{made}", **values)
    return made


async def change_point(db: Database, actor: Actor, key: int, entry: PointEntry) -> None:
    """Write a checkpoint anew. Raises: NotFound, Invalid."""
    async with db.write() as connection:
        row = await _point(connection, actor, key)
        values = await _point_values(connection, row.site_id, entry, key)
        await store.change(connection, "checkpoint", key, **values)
        await audit.note(connection, actor, "inspection.change_point", f"checkpoint:{key}", **values)


async def retire_point(db: Database, actor: Actor, key: int, *, is_retired: bool) -> None:
    """Take a checkpoint out of every round to come, or back into them. Raises: NotFound."""
    async with db.write() as connection:
        await _point(connection, actor, key)
        await store.change(connection, "checkpoint", key, is_retired=is_retired)
        action = "inspection.retire_point" if is_retired else "inspection.restore_point"
        await audit.note(connection, actor, action, f"checkpoint:{key}")


async def new_label(db: Database, actor: Actor, key: int) -> None:
    """Give a checkpoint another secret; its old label is worth nothing then. Raises: NotFound."""
    async with db.write() as connection:
        await _point(connection, actor, key)
        await store.change(connection, "checkpoint", key, secret=_secret())
        await audit.note(connection, actor, "inspection.new_label", f"checkpoint:{key}")


async def add_item(db: Database, actor: Actor, key: int, entry: ItemEntry) -> int:
    """Add what is looked at, at the end; give its id. Raises: NotFound, Invalid."""
    async with db.write() as connection:
        row = await _point(connection, actor, key)
        meter = await _meter(connection, row.site_id, entry)
        made = await store.add(
            connection,
            "item",
            checkpoint_id=key,
            position=await store.next_position(connection, key),
            kind=entry.kind.value,
            title=entry.title,
            unit=entry.unit,
            low=None if entry.low is None else format(entry.low, "f"),
            high=None if entry.high is None else format(entry.high, "f"),
            metering_point_id=meter,
            is_required=entry.required,
            created_at=now_ms(),
        )
        await audit.note(connection, actor, "inspection.add_item", f"checkpoint:{key}", item=made, title=entry.title)
    return made


async def retire_item(db: Database, actor: Actor, key: int, item_id: int) -> None:
    """Ask for something no more; what was answered stays. Raises: NotFound."""
    async with db.write() as connection:
        await _point(connection, actor, key)
        if not await store.retire_item(connection, key, item_id, now_ms()):
            raise NotFound("no_item", "There is no such check item.")
        await audit.note(connection, actor, "inspection.retire_item", f"checkpoint:{key}", item=item_id)


async def get_route(connection: AsyncConnection, actor: Actor, key: int) -> RouteRow:
    """Give a route. Raises: NotFound."""
    rows = await store.routes(connection, actor, key)
    if not rows:
        raise NotFound("no_route", "There is no such route.")
    return rows[0]


async def add_route(db: Database, actor: Actor, entry: RouteEntry, point_ids: Sequence[int]) -> int:
    """Write down a route over some checkpoints, in their order; give its id. Raises: Invalid."""
    async with db.write() as connection:
        site_id = await _site(connection, actor, entry.site)
        await _check_points(connection, actor, site_id, point_ids)
        made = await store.add(connection, "route", site_id=site_id, name=entry.name, created_at=now_ms())
        await store.set_route_points(connection, made, point_ids)
        await audit.note(connection, actor, "inspection.add_route", f"route:{made}", points=list(point_ids))
    return made


async def change_route(db: Database, actor: Actor, key: int, entry: RouteEntry, point_ids: Sequence[int]) -> None:
    """Write a route anew; rounds that have begun stay as they are. Raises: NotFound, Invalid."""
    async with db.write() as connection:
        row = await get_route(connection, actor, key)
        await _check_points(connection, actor, row.site_id, point_ids)
        await store.change(connection, "route", key, name=entry.name)
        await store.set_route_points(connection, key, point_ids)
        now = now_ms()
        for plan in await store.plans(connection, actor, is_ended=False):
            if plan.route_id == key:
                await keeping.make_anew(connection, plan, now)
        await audit.note(connection, actor, "inspection.change_route", f"route:{key}", points=list(point_ids))


async def get_plan(connection: AsyncConnection, actor: Actor, key: int) -> PlanRow:
    """Give a plan. Raises: NotFound."""
    rows = await store.plans(connection, actor, key=key)
    if not rows:
        raise NotFound("no_plan", "There is no such plan.")
    return rows[0]


async def add_plan(db: Database, actor: Actor, entry: PlanEntry) -> int:
    """Write down a plan and make its first rounds; give its id. Raises: Invalid."""
    async with db.write() as connection:
        now = now_ms()
        values = await _plan_values(connection, actor, entry)
        made = await store.add(connection, "plan", **values, created_at=now, made_to_at=now)
        (plan,) = await store.plans(connection, actor, key=made)
        await keeping.make_first(connection, plan, now)
        await audit.note(connection, actor, "inspection.add_plan", f"plan:{made}", **values)
    return made


async def change_plan(db: Database, actor: Actor, key: int, entry: PlanEntry) -> None:
    """Write a plan anew; rounds that have begun stay as they are. Raises: NotFound, Conflict, Invalid."""
    async with db.write() as connection:
        before = await get_plan(connection, actor, key)
        if before.ended_at is not None:
            raise Conflict("plan_ended", "This plan has ended. Write down a new one.")
        values = await _plan_values(connection, actor, entry)
        if values["site_id"] != before.site_id:
            raise Invalid({"route": Problem("Choose a route of the same site.")})
        await store.change(connection, "plan", key, **values)
        (plan,) = await store.plans(connection, actor, key=key)
        await keeping.make_anew(connection, plan, now_ms())
        await audit.note(connection, actor, "inspection.change_plan", f"plan:{key}", **values)


async def end_plan(db: Database, actor: Actor, key: int) -> None:
    """Let a plan make no more rounds; those that have begun stay. Raises: NotFound."""
    async with db.write() as connection:
        plan = await get_plan(connection, actor, key)
        if plan.ended_at is None:
            now = now_ms()
            await store.change(connection, "plan", key, ended_at=now)
            await task_store.unmake(connection, key, now)
            await audit.note(connection, actor, "inspection.end_plan", f"plan:{key}")


def _secret() -> str:
    return secrets.token_urlsafe(18)


async def _point(connection: AsyncConnection, actor: Actor, key: int) -> PointRow:
    row = await store.point(connection, actor, key)
    if row is None:
        raise NotFound("no_checkpoint", "There is no such checkpoint.")
    return row


async def _site(connection: AsyncConnection, actor: Actor, wanted: int | None) -> int:
    sites = [site.id for site in await store.sites(connection, actor)]
    if wanted is None and len(sites) == 1:
        return sites[0]
    if wanted not in sites:
        raise Invalid({"site": Problem("Choose one of the list.")})
    return wanted


async def _point_values(
    connection: AsyncConnection, site_id: int, entry: PointEntry, but: int | None
) -> dict[str, Any]:
    problems: dict[str, Problem] = {}
    if await store.has_code(connection, site_id, entry.code, but):
        text = "There is a checkpoint {code} at this site already."
        problems["code"] = Problem(text, {"code": entry.code})
    for field, key in (("building", entry.building), ("equipment", entry.equipment)):
        if key is not None and await store.site_of(connection, field, key) != site_id:
            problems[field] = Problem("Choose one of the same site.")
    if problems:
        raise Invalid(problems)
    return {
        "code": entry.code,
        "name": entry.name,
        "place": entry.place,
        "building_id": entry.building,
        "equipment_id": entry.equipment,
    }


async def _meter(connection: AsyncConnection, site_id: int, entry: ItemEntry) -> int | None:
    if entry.kind is not Kind.METER:
        return None
    found = await store.metering_point_named(connection, site_id, entry.meter) if entry.meter else None
    if found is None:
        raise Invalid({"meter": Problem("There is no metering point of this code at this site.")})
    return found


async def _check_points(connection: AsyncConnection, actor: Actor, site_id: int, point_ids: Sequence[int]) -> None:
    known = {point.id for point in await store.points(connection, actor, site_id=site_id)}
    if not point_ids:
        raise Invalid({"": Problem("Give at least one checkpoint its place on the route.")})
    if len(point_ids) > _MOST_POINTS or not known.issuperset(point_ids):
        raise Invalid({"": Problem("Choose checkpoints of the same site that are still in use.")})


async def _plan_values(connection: AsyncConnection, actor: Actor, entry: PlanEntry) -> dict[str, Any]:
    rows = await store.routes(connection, actor, entry.route)
    if not rows:
        raise Invalid({"route": Problem("Choose one of the list.")})
    site_id = rows[0].site_id
    known = {each.id for each in await store.inspectors(connection, site_id)}
    if entry.inspector is not None and entry.inspector not in known:
        raise Invalid({"inspector": Problem("Choose an inspector of this site.")})
    return {
        "site_id": site_id,
        "route_id": entry.route,
        "name": entry.name,
        "every_days": entry.every_days,
        "from_on": entry.from_on.isoformat(),
        "windows": entry.windows,
        "is_statutory": entry.statutory,
        "account_id": entry.inspector,
    }
