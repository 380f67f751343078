"""The SQL of records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.schema import building, installation, metering_point, ownership, person, site, unit


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


@dataclass(frozen=True, slots=True)
class OwnershipRow:
    owner_id: int
    from_on: str
    to_on: str | None


async def upsert(
    connection: AsyncConnection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]
) -> tuple[int, str]:
    """Make a row or change what differs; give its id and "added", "changed" or "same"."""
    where = [table.c[name] == value for name, value in key.items()]
    row = (await connection.execute(select(table).where(*where))).mappings().one_or_none()
    if row is None:
        made = await connection.execute(insert(table).values(**key, **values))
        primary = made.inserted_primary_key
        return (int(primary[0]) if primary else 0), "added"
    if all(row[name] == value for name, value in values.items()):
        return int(row["id"]), "same"
    await connection.execute(update(table).where(table.c.id == row["id"]).values(**values))
    return int(row["id"]), "changed"


async def sites(connection: AsyncConnection) -> list[SiteRow]:
    return [
        SiteRow(row.id, row.code, row.name, row.zone)
        for row in await connection.execute(select(site).order_by(site.c.code))
    ]


async def buildings(connection: AsyncConnection) -> list[BuildingRow]:
    query = (
        select(building, func.count(unit.c.id).label("units"))
        .outerjoin(unit, unit.c.building_id == building.c.id)
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


async def ownerships(connection: AsyncConnection, unit_id: int) -> list[OwnershipRow]:
    query = select(ownership.c.owner_id, ownership.c.from_on, ownership.c.to_on).where(ownership.c.unit_id == unit_id)
    return [OwnershipRow(*row) for row in await connection.execute(query.order_by(ownership.c.from_on))]


async def overlapping(connection: AsyncConnection, metering_point_id: int, from_at: int) -> str | None:
    """Name the metering point of another installation that has this one's meter, or its point, at the same time."""
    mine, other = installation.alias("mine"), installation.alias("other")
    is_same_meter = and_(*(other.c[name] == mine.c[name] for name in ("edge_id", "device_code", "point")))
    query = (
        select(metering_point.c.code)
        .select_from(mine)
        .join(other, other.c.id != mine.c.id)
        .join(metering_point, metering_point.c.id == other.c.metering_point_id)
        .where(mine.c.metering_point_id == metering_point_id, mine.c.from_at == from_at)
        .where(or_(other.c.metering_point_id == mine.c.metering_point_id, is_same_meter))
        .where(or_(mine.c.to_at.is_(None), other.c.from_at < mine.c.to_at))
        .where(or_(other.c.to_at.is_(None), other.c.to_at > mine.c.from_at))
    )
    found: str | None = (await connection.execute(query.limit(1))).scalar_one_or_none()
    return found


TABLES = {
    "site": site,
    "building": building,
    "owner": person,
    "unit": unit,
    "ownership": ownership,
    "metering_point": metering_point,
    "installation": installation,
}
