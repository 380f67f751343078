"""The SQL of notices."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.notices.model import State, state_of
from central_server.rbac import Actor
from central_server.schema import (
    account,
    building,
    notice,
    notice_building,
    notice_read,
    ownership,
    person,
    site,
    tenancy,
    unit,
)


class SiteRow(NamedTuple):
    id: int
    name: str
    zone: str


class BuildingRow(NamedTuple):
    id: int
    site_id: int
    name: str


class Notice(NamedTuple):
    """A notice; ``buildings`` are the names of those it is for, none for the whole site."""

    id: int
    site_id: int
    site: str
    zone: str
    title: str
    body: str
    is_emergency: bool
    expires_at: int | None
    created_at: int
    created_by: str
    published_at: int | None
    published_by: str | None
    withdrawn_at: int | None
    version: int
    building_ids: tuple[int, ...] = ()
    buildings: tuple[str, ...] = ()
    reads: int = 0

    def state(self, now: int) -> State:
        return state_of(self.published_at, self.withdrawn_at, self.expires_at, now)


class Reader(NamedTuple):
    """Somebody a notice is for; ``name`` in the clear."""

    person_id: int
    name: str
    unit: str
    building: str
    has_account: bool


async def sites(connection: AsyncConnection, actor: Actor) -> list[SiteRow]:
    query = select(site.c.id, site.c.name, site.c.zone).where(actor.sees_site(site.c.id)).order_by(site.c.code)
    return [SiteRow(*row) for row in await connection.execute(query)]


async def buildings(connection: AsyncConnection, actor: Actor) -> list[BuildingRow]:
    query = select(building.c.id, building.c.site_id, building.c.name).where(actor.sees_site(building.c.site_id))
    return [BuildingRow(*row) for row in await connection.execute(query.order_by(building.c.site_id, building.c.code))]


async def add(connection: AsyncConnection, building_ids: Sequence[int], **values: Any) -> int:
    key = (await connection.execute(insert(notice).values(**values))).inserted_primary_key
    made = int(key[0]) if key else 0
    await scope(connection, made, building_ids)
    return made


async def change(connection: AsyncConnection, notice_id: int, version: int, **values: Any) -> bool:
    """Change a notice if nobody else has since it was looked at."""
    where = (notice.c.id == notice_id, notice.c.version == version)
    done = await connection.execute(update(notice).where(*where).values(**values, version=version + 1))
    return done.rowcount == 1


async def scope(connection: AsyncConnection, notice_id: int, building_ids: Sequence[int]) -> None:
    """Say which buildings a notice is for; none: the whole site."""
    await connection.execute(notice_building.delete().where(notice_building.c.notice_id == notice_id))
    for building_id in building_ids:
        await connection.execute(insert(notice_building).values(notice_id=notice_id, building_id=building_id))


async def one(connection: AsyncConnection, actor: Actor, notice_id: int) -> Notice | None:
    found = await _read(connection, _notices().where(notice.c.id == notice_id, actor.sees_site(notice.c.site_id)))
    return found[0] if found else None


async def listed(
    connection: AsyncConnection, actor: Actor, state: State | None, now: int, limit: int, offset: int
) -> tuple[int, list[Notice]]:
    """Give how many notices there are in a state, and some of them, the newest first."""
    where = [actor.sees_site(notice.c.site_id)]
    if state is not None:
        where.append(_is(state, now))
    total = int(await connection.scalar(select(func.count()).select_from(notice).where(*where)) or 0)
    newest = func.coalesce(notice.c.published_at, notice.c.created_at).desc()
    query = _notices().where(*where).order_by(newest, notice.c.id.desc()).limit(limit).offset(offset)
    return total, await _read(connection, query)


async def for_places(
    connection: AsyncConnection, site_ids: Sequence[int], building_ids: Sequence[int], now: int
) -> list[Notice]:
    """Give what is in force for some buildings of some sites, emergencies first, then the newest."""
    is_scoped = exists().where(notice_building.c.notice_id == notice.c.id)
    is_here = exists().where(
        notice_building.c.notice_id == notice.c.id, notice_building.c.building_id.in_(building_ids)
    )
    where = (notice.c.site_id.in_(site_ids), _is(State.PUBLISHED, now), or_(~is_scoped, is_here))
    order = (notice.c.is_emergency.desc(), notice.c.published_at.desc(), notice.c.id.desc())
    return await _read(connection, _notices().where(*where).order_by(*order).limit(200))


async def read_by(connection: AsyncConnection, account_id: int) -> set[int]:
    """Give the notices that an account has opened."""
    query = select(notice_read.c.notice_id).where(notice_read.c.account_id == account_id)
    return set((await connection.scalars(query)).all())


async def note_read(connection: AsyncConnection, notice_id: int, account_id: int, person_id: int, at: int) -> bool:
    """Note that an account has opened a notice; False where it is noted already."""
    known = and_(notice_read.c.notice_id == notice_id, notice_read.c.account_id == account_id)
    if await connection.scalar(select(notice_read.c.read_at).where(known)) is not None:
        return False
    try:
        async with connection.begin_nested():
            values = {"notice_id": notice_id, "account_id": account_id, "person_id": person_id, "read_at": at}
            await connection.execute(insert(notice_read).values(values))
    except IntegrityError:  # the same person opened it in two windows at once
        return False
    return True


async def audience(connection: AsyncConnection, found: Notice, on: str) -> int:
    """Count the people a notice is for on a day."""
    stays = _stays(found, on).subquery()
    return int(await connection.scalar(select(func.count(func.distinct(stays.c.person_id)))) or 0)


async def unread(
    connection: AsyncConnection, found: Notice, on: str, limit: int, offset: int
) -> tuple[int, list[Reader]]:
    """Give how many of those a notice is for have not opened it, and some of them in the order of their units."""
    stays = _stays(found, on).subquery()
    has_read = exists().where(notice_read.c.notice_id == found.id, notice_read.c.person_id == stays.c.person_id)
    total = await connection.scalar(select(func.count(func.distinct(stays.c.person_id))).where(~has_read))
    first = (
        select(stays.c.person_id, func.min(stays.c.unit_id).label("unit_id"))
        .where(~has_read)
        .group_by(stays.c.person_id)
        .subquery()
    )
    has_account = exists().where(account.c.person_id == first.c.person_id, account.c.is_disabled.is_(False))
    query = (
        select(first.c.person_id, person.c.name, unit.c.code, building.c.name, has_account)
        .join(person, person.c.id == first.c.person_id)
        .join(unit, unit.c.id == first.c.unit_id)
        .join(building, building.c.id == unit.c.building_id)
        .order_by(building.c.code, unit.c.code, first.c.person_id)
    )
    rows = await connection.execute(query.limit(limit).offset(offset))
    return int(total or 0), [Reader(row[0], row[1], row[2], row[3], bool(row[4])) for row in rows]


def _stays(found: Notice, on: str) -> Any:
    """Select (unit, person) of everybody who owns or rents a unit of a notice's buildings on a day."""
    owners = select(ownership.c.unit_id, ownership.c.owner_id.label("person_id")).where(
        ownership.c.from_on <= on, or_(ownership.c.to_on.is_(None), ownership.c.to_on > on)
    )
    tenants = select(tenancy.c.unit_id, tenancy.c.person_id).where(
        tenancy.c.from_on <= on, or_(tenancy.c.to_on.is_(None), tenancy.c.to_on > on)
    )
    both = owners.union(tenants).subquery()
    query = (
        select(both.c.unit_id, both.c.person_id)
        .join(unit, unit.c.id == both.c.unit_id)
        .join(building, building.c.id == unit.c.building_id)
        .where(building.c.site_id == found.site_id)
    )
    return query.where(building.c.id.in_(found.building_ids)) if found.building_ids else query


def _is(state: State, now: int) -> ColumnElement[bool]:
    is_out = and_(notice.c.published_at.is_not(None), notice.c.withdrawn_at.is_(None))
    is_over = and_(notice.c.expires_at.is_not(None), notice.c.expires_at <= now)
    return {
        State.DRAFT: and_(notice.c.published_at.is_(None), notice.c.withdrawn_at.is_(None)),
        State.PUBLISHED: and_(is_out, ~is_over),
        State.EXPIRED: and_(is_out, is_over),
        State.WITHDRAWN: notice.c.withdrawn_at.is_not(None),
    }[state]


def _notices() -> Select[Any]:
    own = [notice.c[name] for name in Notice._fields if name in notice.c]
    return select(*own, site.c.name.label("site"), site.c.zone).join(site, site.c.id == notice.c.site_id)


async def _read(connection: AsyncConnection, query: Select[Any]) -> list[Notice]:
    rows = (await connection.execute(query)).mappings().all()
    keys = [row["id"] for row in rows]
    places: dict[int, list[tuple[int, str]]] = {key: [] for key in keys}
    scoped = (
        select(notice_building.c.notice_id, building.c.id, building.c.name)
        .join(building, building.c.id == notice_building.c.building_id)
        .where(notice_building.c.notice_id.in_(keys))
        .order_by(building.c.code)
    )
    for key, building_id, name in await connection.execute(scoped):
        places[key].append((building_id, name))
    counted = (
        select(notice_read.c.notice_id, func.count(func.distinct(notice_read.c.person_id)))
        .where(notice_read.c.notice_id.in_(keys))
        .group_by(notice_read.c.notice_id)
    )
    reads: dict[int, int] = {row[0]: row[1] for row in await connection.execute(counted)}
    return [
        Notice(
            **row,
            building_ids=tuple(each[0] for each in places[row["id"]]),
            buildings=tuple(each[1] for each in places[row["id"]]),
            reads=reads.get(row["id"], 0),
        )
        for row in rows
    ]
