"""The SQL of what is planned: checkpoints, their items, routes and plans."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.inspection.model import Item, Kind
from central_server.rbac import Actor, Role
from central_server.schema import (
    account,
    building,
    check_item,
    checkpoint,
    equipment,
    inspection_plan,
    inspection_route,
    metering_point,
    route_point,
    site,
    unit,
)

_TABLES = {
    "checkpoint": checkpoint,
    "item": check_item,
    "route": inspection_route,
    "plan": inspection_plan,
}


class SiteRow(NamedTuple):
    id: int
    code: str
    name: str
    zone: str


class PointRow(NamedTuple):
    """A checkpoint with what it stands at."""

    id: int
    site_id: int
    site: str
    building_id: int | None
    building: str | None
    equipment_id: int | None
    equipment: str | None
    code: str
    name: str
    place: str
    secret: str
    is_retired: bool


class RouteRow(NamedTuple):
    id: int
    site_id: int
    site: str
    name: str
    points: int


class PlanRow(NamedTuple):
    id: int
    site_id: int
    site: str
    zone: str
    route_id: int
    route: str
    name: str
    every_days: int
    from_on: str
    windows: str
    is_statutory: bool
    account_id: int | None
    inspector: str | None
    created_at: int
    made_to_at: int
    ended_at: int | None


class Choice(NamedTuple):
    """Something to choose in a form."""

    id: int
    name: str


async def add(connection: AsyncConnection, what: str, /, **values: Any) -> int:
    """Add a row to one of this slice's tables; give its id."""
    key = (await connection.execute(insert(_TABLES[what]).values(**values))).inserted_primary_key
    return int(key[0]) if key else 0


async def change(connection: AsyncConnection, what: str, key: int, /, **values: Any) -> None:
    table = _TABLES[what]
    await connection.execute(update(table).where(table.c.id == key).values(**values))


async def sites(connection: AsyncConnection, actor: Actor) -> list[SiteRow]:
    query = select(site.c.id, site.c.code, site.c.name, site.c.zone).where(actor.sees_site(site.c.id))
    return [SiteRow(*row) for row in await connection.execute(query.order_by(site.c.code))]


def _points() -> Select[Any]:
    own = checkpoint.c
    return select(
        own.id,
        own.site_id,
        site.c.name,
        own.building_id,
        building.c.name,
        own.equipment_id,
        equipment.c.name,
        own.code,
        own.name,
        own.place,
        own.secret,
        own.is_retired,
    ).select_from(
        # Said in full: buildings and equipment name a site as well, and would be joined by that.
        checkpoint.join(site, own.site_id == site.c.id)
        .outerjoin(building, building.c.id == own.building_id)
        .outerjoin(equipment, equipment.c.id == own.equipment_id)
    )


async def points(
    connection: AsyncConnection, actor: Actor, *, site_id: int | None = None, search: str = "", is_retired: bool = False
) -> list[PointRow]:
    """Give the checkpoints of the actor's sites, in the order of their codes."""
    query = _points().where(actor.sees_site(checkpoint.c.site_id), checkpoint.c.is_retired == is_retired)
    if site_id is not None:
        query = query.where(checkpoint.c.site_id == site_id)
    if search:
        found = [column.contains(search, autoescape=True) for column in (checkpoint.c.code, checkpoint.c.name)]
        query = query.where(found[0] | found[1] | checkpoint.c.place.contains(search, autoescape=True))
    return [PointRow(*row) for row in await connection.execute(query.order_by(site.c.code, checkpoint.c.code))]


async def point(connection: AsyncConnection, actor: Actor, key: int) -> PointRow | None:
    query = _points().where(checkpoint.c.id == key, actor.sees_site(checkpoint.c.site_id))
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else PointRow(*row)


async def point_by_secret(connection: AsyncConnection, actor: Actor, secret: str) -> PointRow | None:
    query = _points().where(checkpoint.c.secret == secret, actor.sees_site(checkpoint.c.site_id))
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else PointRow(*row)


async def has_code(connection: AsyncConnection, site_id: int, code: str, but: int | None) -> bool:
    query = select(checkpoint.c.id).where(checkpoint.c.site_id == site_id, checkpoint.c.code == code)
    found = await connection.scalar(query)
    return found is not None and found != but


async def items(connection: AsyncConnection, point_ids: Sequence[int], at: int | None = None) -> dict[int, list[Item]]:
    """Give what is looked at at some checkpoints, now or as of an instant."""
    own = check_item.c
    query = select(check_item).where(own.checkpoint_id.in_(point_ids)).order_by(own.position, own.id)
    if at is None:
        query = query.where(own.retired_at.is_(None))
    else:
        query = query.where(own.created_at <= at, own.retired_at.is_(None) | (own.retired_at > at))
    found: dict[int, list[Item]] = {key: [] for key in point_ids}
    for row in await connection.execute(query):
        found[row.checkpoint_id].append(item_of(row))
    return found


def item_of(row: Any) -> Item:
    """Read an item from its row."""
    return Item(
        row.check_item_id if hasattr(row, "check_item_id") else row.id,
        Kind(row.kind),
        row.title,
        row.unit,
        None if row.low is None else Decimal(row.low),
        None if row.high is None else Decimal(row.high),
        row.metering_point_id,
        row.is_required,
    )


async def item_counts(connection: AsyncConnection, point_ids: Sequence[int]) -> dict[int, int]:
    query = (
        select(check_item.c.checkpoint_id, func.count())
        .where(check_item.c.checkpoint_id.in_(point_ids), check_item.c.retired_at.is_(None))
        .group_by(check_item.c.checkpoint_id)
    )
    return {row[0]: row[1] for row in await connection.execute(query)}


async def next_position(connection: AsyncConnection, checkpoint_id: int) -> int:
    query = select(func.coalesce(func.max(check_item.c.position), 0)).where(check_item.c.checkpoint_id == checkpoint_id)
    return int(await connection.scalar(query) or 0) + 1


async def retire_item(connection: AsyncConnection, checkpoint_id: int, item_id: int, at: int) -> bool:
    own = check_item.c
    done = await connection.execute(
        update(check_item)
        .where(own.id == item_id, own.checkpoint_id == checkpoint_id, own.retired_at.is_(None))
        .values(retired_at=at)
    )
    return done.rowcount == 1


async def buildings(connection: AsyncConnection, site_ids: Sequence[int]) -> list[Choice]:
    query = select(building.c.id, building.c.name).where(building.c.site_id.in_(site_ids)).order_by(building.c.code)
    return [Choice(*row) for row in await connection.execute(query)]


async def equipments(connection: AsyncConnection, site_ids: Sequence[int]) -> list[Choice]:
    query = select(equipment.c.id, equipment.c.code, equipment.c.name).where(equipment.c.site_id.in_(site_ids))
    query = query.where(equipment.c.is_retired.is_(False)).order_by(equipment.c.code)
    return [Choice(row[0], f"{row[1]} {row[2]}") for row in await connection.execute(query)]


async def site_of(connection: AsyncConnection, kind: str, key: int) -> int | None:
    """Give the site of a building or of a piece of equipment."""
    table = {"building": building, "equipment": equipment}[kind]
    found: int | None = await connection.scalar(select(table.c.site_id).where(table.c.id == key))
    return found


async def metering_point_named(connection: AsyncConnection, site_id: int, code: str) -> int | None:
    query = (
        select(metering_point.c.id)
        .select_from(metering_point.join(unit).join(building))
        .where(metering_point.c.code == code, building.c.site_id == site_id)
    )
    found: int | None = await connection.scalar(query)
    return found


async def metering_codes(connection: AsyncConnection, keys: Sequence[int]) -> dict[int, str]:
    query = select(metering_point.c.id, metering_point.c.code).where(metering_point.c.id.in_(keys))
    return {row[0]: row[1] for row in await connection.execute(query)}


async def inspectors(connection: AsyncConnection, site_id: int | None) -> list[Choice]:
    """Give who walks rounds at a site, or anywhere."""
    own = account.c
    query = select(own.id, own.name).where(own.role == Role.INSPECTOR.value, own.is_disabled.is_(False))
    if site_id is not None:
        query = query.where(own.site_id.is_(None) | (own.site_id == site_id))
    return [Choice(*row) for row in await connection.execute(query.order_by(own.name))]


async def routes(connection: AsyncConnection, actor: Actor, key: int | None = None) -> list[RouteRow]:
    own = inspection_route.c
    count = select(func.count()).where(route_point.c.route_id == own.id).scalar_subquery()
    query = select(own.id, own.site_id, site.c.name, own.name, count).join(site, site.c.id == own.site_id)
    query = query.where(actor.sees_site(own.site_id)).order_by(site.c.code, own.name)
    if key is not None:
        query = query.where(own.id == key)
    return [RouteRow(*row) for row in await connection.execute(query)]


async def route_points(connection: AsyncConnection, route_id: int) -> list[int]:
    """Give a route's checkpoints that are still there, in their order."""
    query = (
        select(route_point.c.checkpoint_id)
        .join(checkpoint)
        .where(route_point.c.route_id == route_id, checkpoint.c.is_retired.is_(False))
        .order_by(route_point.c.position)
    )
    return [row[0] for row in await connection.execute(query)]


async def set_route_points(connection: AsyncConnection, route_id: int, point_ids: Sequence[int]) -> None:
    await connection.execute(delete(route_point).where(route_point.c.route_id == route_id))
    rows = [
        {"route_id": route_id, "checkpoint_id": key, "position": position} for position, key in enumerate(point_ids, 1)
    ]
    if rows:
        await connection.execute(insert(route_point), rows)


async def plans(
    connection: AsyncConnection, actor: Actor, *, key: int | None = None, is_ended: bool | None = None
) -> list[PlanRow]:
    own = inspection_plan.c
    query = (
        select(
            own.id,
            own.site_id,
            site.c.name,
            site.c.zone,
            own.route_id,
            inspection_route.c.name,
            own.name,
            own.every_days,
            own.from_on,
            own.windows,
            own.is_statutory,
            own.account_id,
            account.c.name,
            own.created_at,
            own.made_to_at,
            own.ended_at,
        )
        .select_from(
            inspection_plan.join(site, own.site_id == site.c.id)
            .join(inspection_route, inspection_route.c.id == own.route_id)
            .outerjoin(account, account.c.id == own.account_id)
        )
        .where(actor.sees_site(own.site_id))
        .order_by(site.c.code, own.name, own.id)
    )
    if key is not None:
        query = query.where(own.id == key)
    if is_ended is not None:
        query = query.where(own.ended_at.is_not(None) if is_ended else own.ended_at.is_(None))
    return [PlanRow(*tuple(row)) for row in await connection.execute(query)]


async def plans_of_routes(connection: AsyncConnection) -> Mapping[int, int]:
    """Count the plans in force by route."""
    query = select(inspection_plan.c.route_id, func.count()).where(inspection_plan.c.ended_at.is_(None))
    return {row[0]: row[1] for row in await connection.execute(query.group_by(inspection_plan.c.route_id))}
