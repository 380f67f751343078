"""The SQL of records."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.rbac import Actor
from central_server.schema import (
    building,
    equipment,
    installation,
    metering_point,
    ownership,
    person,
    site,
    tenancy,
    unit,
    vehicle,
)


@dataclass(frozen=True, slots=True)
class SiteRow:
    id: int
    code: str
    name: str
    zone: str


@dataclass(frozen=True, slots=True)
class BuildingRow:
    """A building and how many units it has."""

    id: int
    site_id: int
    code: str
    name: str
    units: int


@dataclass(frozen=True, slots=True)
class MeterPlace:
    """Which unit a device's point is billed to."""

    edge_id: str
    device_code: str
    point: str
    metering_point: str
    unit: str
    building_id: int
    building: str


async def sites(connection: AsyncConnection, *where: ColumnElement[bool]) -> list[SiteRow]:
    return [
        SiteRow(row.id, row.code, row.name, row.zone)
        for row in await connection.execute(select(site).where(*where).order_by(site.c.code))
    ]


async def buildings(connection: AsyncConnection, *where: ColumnElement[bool]) -> list[BuildingRow]:
    query = (
        select(building, func.count(unit.c.id).label("units"))
        .outerjoin(unit, unit.c.building_id == building.c.id)
        .where(*where)
        .group_by(*building.c)
        .order_by(building.c.site_id, building.c.code)
    )
    return [BuildingRow(row.id, row.site_id, row.code, row.name, row.units) for row in await connection.execute(query)]


async def meter_places(connection: AsyncConnection, at: int) -> Sequence[MeterPlace]:
    """Give where every installed meter stands at an instant."""
    query = (
        select(installation.c.edge_id, installation.c.device_code, installation.c.point)
        .add_columns(metering_point.c.code, unit.c.code, building.c.id, building.c.name)
        .join(metering_point, metering_point.c.id == installation.c.metering_point_id)
        .join(unit, unit.c.id == metering_point.c.unit_id)
        .join(building, building.c.id == unit.c.building_id)
        .where(installation.c.from_at <= at, installation.c.to_at.is_(None) | (installation.c.to_at > at))
    )
    return [MeterPlace(*row) for row in await connection.execute(query)]


async def add(connection: AsyncConnection, name: str, /, **values: Any) -> int:
    """Add a row to one of this slice's tables; give its id."""
    key = (await connection.execute(insert(TABLES[name]).values(**values))).inserted_primary_key
    return int(key[0]) if key else 0


async def change(connection: AsyncConnection, name: str, key: int, /, **values: Any) -> None:
    """Change a row of one of this slice's tables."""
    await connection.execute(update(TABLES[name]).where(TABLES[name].c.id == key).values(**values))


async def remove(connection: AsyncConnection, name: str, key: int) -> None:
    """Take away a row of one of this slice's tables that should never have been."""
    await connection.execute(delete(TABLES[name]).where(TABLES[name].c.id == key))


async def is_taken(connection: AsyncConnection, name: str, besides: int | None, /, **values: Any) -> bool:
    """Tell whether another row has these values."""
    columns = TABLES[name].c
    query = select(columns.id).where(*(columns[column] == value for column, value in values.items()))
    if besides is not None:
        query = query.where(columns.id != besides)
    return await connection.scalar(query.limit(1)) is not None


async def lock_unit(connection: AsyncConnection, unit_id: int) -> None:
    """Let two who move people in at once take turns; SQLite has one writer already."""
    await connection.execute(select(unit.c.id).where(unit.c.id == unit_id).with_for_update())


async def people_elsewhere(connection: AsyncConnection, actor: Actor) -> set[int]:
    """Give whom the records know at other sites than the actor's and not at this one."""
    if actor.site_id is None:
        return set()
    return set(await connection.scalars(select(person.c.id).where(~seen_people(actor))))


def seen_people(actor: Actor) -> ColumnElement[bool]:
    """Give the condition by which people are seen: those of the actor's site, and those of none yet."""
    if actor.site_id is None:
        return true()
    mine = select(unit.c.id).join(building).where(building.c.site_id == actor.site_id)
    owners, tenants = select(ownership.c.owner_id), select(tenancy.c.person_id)
    drivers = select(vehicle.c.person_id).where(vehicle.c.unit_id.is_not(None))
    here = or_(
        person.c.id.in_(owners.where(ownership.c.unit_id.in_(mine))),
        person.c.id.in_(tenants.where(tenancy.c.unit_id.in_(mine))),
        person.c.id.in_(drivers.where(vehicle.c.unit_id.in_(mine))),
    )
    anywhere = or_(person.c.id.in_(owners), person.c.id.in_(tenants), person.c.id.in_(drivers))
    return or_(here, ~anywhere)


TABLES = {
    "site": site,
    "building": building,
    "owner": person,
    "unit": unit,
    "ownership": ownership,
    "tenancy": tenancy,
    "vehicle": vehicle,
    "equipment": equipment,
    "metering_point": metering_point,
    "installation": installation,
}
