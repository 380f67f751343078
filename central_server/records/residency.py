"""Who belongs to which unit on a day: owners, tenants and those who live with them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, literal, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.schema import building, ownership, person, site, tenancy, unit


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit with where it stands."""

    id: int
    code: str
    building_id: int
    building_code: str
    building_name: str
    site_id: int
    site_code: str
    site_name: str
    zone: str
    area_m2: str | None = None


@dataclass(frozen=True, slots=True)
class Resident:
    """A person in relation to a unit; ``kind`` is owner, tenant or occupant; ``to_on`` is the first day without."""

    person_id: int
    name: str
    phone: str | None
    kind: str
    from_on: str
    to_on: str | None


def unit_query() -> Select[Any]:
    """Select the columns of UnitRow, to be narrowed further."""
    return (
        select(
            unit.c.id,
            unit.c.code,
            building.c.id,
            building.c.code,
            building.c.name,
            site.c.id,
            site.c.code,
            site.c.name,
            site.c.zone,
            unit.c.area_m2,
        )
        .select_from(unit)
        .join(building, building.c.id == unit.c.building_id)
        .join(site, site.c.id == building.c.site_id)
    )


def _relations() -> Any:
    owners = select(
        ownership.c.unit_id,
        ownership.c.owner_id.label("person_id"),
        literal("owner").label("kind"),
        ownership.c.from_on,
        ownership.c.to_on,
    )
    tenants = select(tenancy.c.unit_id, tenancy.c.person_id, tenancy.c.kind, tenancy.c.from_on, tenancy.c.to_on)
    return union_all(owners, tenants).subquery("relation")


async def units_of(connection: AsyncConnection, person_id: int, on: str) -> list[UnitRow]:
    """Give the units a person belongs to on a day (ISO), by place."""
    relation = _relations()
    mine = select(relation.c.unit_id).where(relation.c.person_id == person_id, *_on(relation, on))
    query = unit_query().where(unit.c.id.in_(mine)).order_by(site.c.code, building.c.code, unit.c.code)
    return [UnitRow(*row) for row in await connection.execute(query)]


async def people_of_unit(connection: AsyncConnection, unit_id: int, on: str | None) -> list[Resident]:
    """Give who belongs to a unit on a day, or who ever did: owners first, then since when."""
    relation = _relations()
    query = (
        select(person.c.id, person.c.name, person.c.phone, relation.c.kind, relation.c.from_on, relation.c.to_on)
        .join(relation, relation.c.person_id == person.c.id)
        .where(relation.c.unit_id == unit_id)
        .order_by(relation.c.kind != "owner", relation.c.from_on.desc(), person.c.id)
    )
    if on is not None:
        query = query.where(*_on(relation, on))
    return [Resident(*row) for row in await connection.execute(query)]


def _on(relation: Any, on: str) -> tuple[Any, ...]:
    return relation.c.from_on <= on, or_(relation.c.to_on.is_(None), relation.c.to_on > on)
