"""The SQL of visits."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.rbac import Actor
from central_server.schema import building, person, site, unit, visitor
from central_server.visitors.model import OPEN, State


class Visit(NamedTuple):
    """A visit; names, phone, plate and reason in the clear. Units: ms since the epoch."""

    id: int
    site_id: int
    site: str
    zone: str
    unit: str
    building: str
    person_id: int
    host: str
    name: str
    phone: str | None
    plate: str | None
    from_at: int
    until_at: int
    state: State
    version: int
    decided_at: int | None
    decided_by: str | None
    reason: str | None
    arrived_at: int | None
    left_at: int | None


async def add(connection: AsyncConnection, **values: Any) -> int:
    key = (await connection.execute(insert(visitor).values(**values))).inserted_primary_key
    return int(key[0]) if key else 0


async def by_once_key(connection: AsyncConnection, once_key: str) -> int | None:
    found: int | None = await connection.scalar(select(visitor.c.id).where(visitor.c.once_key == once_key))
    return found


async def visit(connection: AsyncConnection, actor: Actor, visit_id: int, person_id: int | None = None) -> Visit | None:
    """Give a visit that the actor's site has, of one host where one is named."""
    query = _visits().where(visitor.c.id == visit_id, actor.sees_site(visitor.c.site_id))
    if person_id is not None:
        query = query.where(visitor.c.person_id == person_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _visit(row)


async def change(connection: AsyncConnection, visit_id: int, version: int, **values: Any) -> bool:
    """Change a visit if nobody else has since it was looked at."""
    where = (visitor.c.id == visit_id, visitor.c.version == version)
    done = await connection.execute(update(visitor).where(*where).values(**values, version=version + 1))
    return done.rowcount == 1


async def in_states(
    connection: AsyncConnection, actor: Actor, states: Sequence[State], limit: int, *, newest_first: bool = False
) -> list[Visit]:
    """Give visits by when they begin."""
    query = _visits().where(actor.sees_site(visitor.c.site_id), visitor.c.state.in_([each.value for each in states]))
    order = (visitor.c.from_at.desc(), visitor.c.id.desc()) if newest_first else (visitor.c.from_at, visitor.c.id)
    return [_visit(row) for row in await connection.execute(query.order_by(*order).limit(limit))]


async def of_person(connection: AsyncConnection, person_id: int, limit: int) -> list[Visit]:
    """Give somebody's guests, the last to come first."""
    query = _visits().where(visitor.c.person_id == person_id)
    order = (visitor.c.from_at.desc(), visitor.c.id.desc())
    return [_visit(row) for row in await connection.execute(query.order_by(*order).limit(limit))]


async def counts_of_person(connection: AsyncConnection, person_id: int, since: int) -> tuple[int, int]:
    """Count somebody's open visits, and those asked for since an instant."""
    mine = select(func.count()).select_from(visitor).where(visitor.c.person_id == person_id)
    is_open = visitor.c.state.in_([each.value for each in OPEN])
    open_count = await connection.scalar(mine.where(is_open))
    return int(open_count or 0), int(await connection.scalar(mine.where(visitor.c.created_at >= since)) or 0)


async def overdue(connection: AsyncConnection, now: int) -> list[tuple[int, int, int, State]]:
    """Give (id, site, version, state) of the visits whose time is over and that nobody came for."""
    query = select(visitor.c.id, visitor.c.site_id, visitor.c.version, visitor.c.state).where(
        visitor.c.state.in_([each.value for each in OPEN]), visitor.c.until_at <= now
    )
    return [(row[0], row[1], row[2], State(row[3])) for row in await connection.execute(query)]


def _visits() -> Select[Any]:
    names = set(Visit._fields) - {"site", "zone", "unit", "building", "host"}
    return (
        select(*(visitor.c[name] for name in sorted(names)))
        .add_columns(site.c.name.label("site"), site.c.zone, unit.c.code.label("unit"))
        .add_columns(building.c.name.label("building"), person.c.name.label("host"))
        .join(site, site.c.id == visitor.c.site_id)
        .join(unit, unit.c.id == visitor.c.unit_id)
        .join(building, building.c.id == unit.c.building_id)
        .join(person, person.c.id == visitor.c.person_id)
    )


def _visit(row: Any) -> Visit:
    values = {name: getattr(row, name) for name in Visit._fields}
    return Visit(**(values | {"state": State(row.state)}))
