"""The SQL by which units, people and equipment are listed, looked for and shown."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Numeric, Select, and_, cast, exists, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.crypto import blind
from central_server.rbac import Actor
from central_server.records.personal import plain_phone, plain_plate
from central_server.records.residency import UnitRow, unit_query
from central_server.records.store import seen_people
from central_server.schema import (
    audit,
    building,
    device,
    equipment,
    gateway,
    installation,
    metering_point,
    ownership,
    person,
    site,
    tenancy,
    unit,
    vehicle,
)

STATES = ("owned", "no_owner", "let")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which units to list.

    Shape: ``search`` is in a unit's code, or is the whole name, the whole phone number or its last four
    digits of somebody who belongs to it on the day ``on``, or a whole number plate; ``sort`` is "code",
    "building" or "area", with "-" before it the other way round.
    """

    on: str
    search: str = ""
    site_id: int | None = None
    building_id: int | None = None
    state: str = ""
    sort: str = "code"


class UnitHit(NamedTuple):
    """A unit in the list, with who owns it and how many live in it beside."""

    id: int
    code: str
    building_id: int
    building: str
    site: str
    area_m2: str | None
    owner: str | None
    residents: int


class PersonRow(NamedTuple):
    id: int
    code: str
    name: str
    phone: str | None
    id_number: str | None
    created_at: int


class Belonging(NamedTuple):
    """A unit somebody belongs to; ``id`` is the ownership's or the tenancy's."""

    id: int
    kind: str
    person_id: int
    person: str
    unit_id: int
    unit: str
    building: str
    site_id: int
    from_on: str
    to_on: str | None


class VehicleRow(NamedTuple):
    id: int
    plate: str
    kind: str
    person_id: int
    person: str
    unit_id: int | None
    unit: str | None
    created_at: int


class EquipmentRow(NamedTuple):
    id: int
    site_id: int
    site: str
    building_id: int | None
    building: str | None
    code: str
    name: str
    kind: str
    place: str
    installed_on: str | None
    is_retired: bool


class MeterRow(NamedTuple):
    """A metering point of a unit with an installation; ``device_id`` where the device was heard of."""

    code: str
    kind: str
    tariff: str
    device: str | None
    device_id: int | None
    from_at: int | None
    to_at: int | None


class Note(NamedTuple):
    """An entry of the audit about one thing."""

    at: int
    login: str
    action: str
    outcome: str
    detail: str


def _valid(table: Any, on: str) -> ColumnElement[bool]:
    return and_(table.c.from_on <= on, or_(table.c.to_on.is_(None), table.c.to_on > on))


def _people_called(connection: AsyncConnection, text: str) -> Select[Any]:
    """Select those whose name, phone number or its end is exactly this."""
    phone = plain_phone(text)
    where = [person.c.name_index == blind(connection, text, "name")]
    if phone.lstrip("+").isdigit():
        where.append(person.c.phone_index == blind(connection, phone, "phone"))
        if len(phone) == 4:
            where.append(person.c.phone4_index == blind(connection, phone, "phone4"))
    return select(person.c.id).where(or_(*where))


def _driven_by(connection: AsyncConnection, text: str) -> ColumnElement[bool]:
    return and_(vehicle.c.plate_index == blind(connection, plain_plate(text), "plate"), vehicle.c.removed_at.is_(None))


def _unit_matches(connection: AsyncConnection, wanted: Wanted) -> ColumnElement[bool]:
    text, on = wanted.search, wanted.on
    people, drives = _people_called(connection, text), _driven_by(connection, text)
    belong = or_(ownership.c.owner_id.in_(people), ownership.c.owner_id.in_(select(vehicle.c.person_id).where(drives)))
    live = or_(tenancy.c.person_id.in_(people), tenancy.c.person_id.in_(select(vehicle.c.person_id).where(drives)))
    where = [
        unit.c.code.contains(text, autoescape=True),
        unit.c.id.in_(select(ownership.c.unit_id).where(_valid(ownership, on), belong)),
        unit.c.id.in_(select(tenancy.c.unit_id).where(_valid(tenancy, on), live)),
        unit.c.id.in_(select(vehicle.c.unit_id).where(drives, vehicle.c.unit_id.is_not(None))),
    ]
    building_code, slash, unit_code = text.partition("/")
    if slash:
        where.append(and_(building.c.code == building_code.strip(), unit.c.code.startswith(unit_code.strip())))
    return or_(*where)


def _unit_where(connection: AsyncConnection, actor: Actor, wanted: Wanted) -> list[ColumnElement[bool]]:
    where = [actor.sees_site(building.c.site_id)]
    is_owned = exists().where(ownership.c.unit_id == unit.c.id, _valid(ownership, wanted.on))
    is_let = exists().where(tenancy.c.unit_id == unit.c.id, tenancy.c.kind == "tenant", _valid(tenancy, wanted.on))
    if wanted.search:
        where.append(_unit_matches(connection, wanted))
    if wanted.site_id is not None:
        where.append(building.c.site_id == wanted.site_id)
    if wanted.building_id is not None:
        where.append(building.c.id == wanted.building_id)
    states = {"owned": is_owned, "no_owner": ~is_owned, "let": is_let}
    if wanted.state in states:
        where.append(states[wanted.state])
    return where


def _order(sort: str) -> list[Any]:
    by_place: list[Any] = [
        site.c.code,
        func.length(building.c.code),
        building.c.code,
        func.length(unit.c.code),
        unit.c.code,
    ]
    orders: dict[str, list[Any]] = {
        "code": [func.length(unit.c.code), unit.c.code],
        "building": by_place,
        "area": [cast(unit.c.area_m2, Numeric(12, 4))],
    }
    chosen = orders.get(sort.lstrip("-"), by_place)
    return [each.desc() for each in chosen] if sort.startswith("-") else [*chosen, *by_place]


async def units(
    connection: AsyncConnection, actor: Actor, wanted: Wanted, limit: int | None, offset: int = 0
) -> tuple[int, list[UnitHit]]:
    """Give how many units match, and some of them."""
    where = _unit_where(connection, actor, wanted)
    total = await connection.scalar(select(func.count()).select_from(unit).join(building).where(*where))
    owner = (
        select(person.c.name)
        .join(ownership, ownership.c.owner_id == person.c.id)
        .where(ownership.c.unit_id == unit.c.id, _valid(ownership, wanted.on))
        .order_by(ownership.c.from_on.desc())
        .limit(1)
        .scalar_subquery()
    )
    living = (
        select(func.count())
        .select_from(tenancy)
        .where(tenancy.c.unit_id == unit.c.id, _valid(tenancy, wanted.on))
        .scalar_subquery()
    )
    query = (
        select(unit.c.id, unit.c.code, building.c.id, building.c.name, site.c.name, unit.c.area_m2, owner, living)
        .select_from(unit)
        .join(building)
        .join(site)
        .where(*where)
        .order_by(*_order(wanted.sort), unit.c.id)
        .limit(limit)
        .offset(offset)
    )
    return int(total or 0), [UnitHit(*row) for row in await connection.execute(query)]


async def one_unit(connection: AsyncConnection, actor: Actor, unit_id: int) -> UnitRow | None:
    row = (await connection.execute(unit_query().where(unit.c.id == unit_id, actor.sees_site(site.c.id)))).one_or_none()
    return None if row is None else UnitRow(*row)


async def people(
    connection: AsyncConnection, actor: Actor, search: str, limit: int, offset: int = 0
) -> tuple[int, list[PersonRow]]:
    """Give how many people match a whole name, phone number, its end, a plate or a number, and some of them."""
    where = [seen_people(actor)]
    if search:
        drivers = select(vehicle.c.person_id).where(_driven_by(connection, search))
        called = person.c.id.in_(_people_called(connection, search))
        where.append(or_(called, person.c.id.in_(drivers), func.lower(person.c.code) == search.lower()))
    total = await connection.scalar(select(func.count()).select_from(person).where(*where))
    query = _people().where(*where).order_by(func.length(person.c.code), person.c.code).limit(limit).offset(offset)
    return int(total or 0), [PersonRow(*row) for row in await connection.execute(query)]


def _people() -> Select[Any]:
    columns = (person.c.code, person.c.name, person.c.phone, person.c.id_number, person.c.created_at)
    return select(person.c.id, *columns)


async def one_person(connection: AsyncConnection, actor: Actor, person_id: int) -> PersonRow | None:
    row = (await connection.execute(_people().where(person.c.id == person_id, seen_people(actor)))).one_or_none()
    return None if row is None else PersonRow(*row)


async def belongings(
    connection: AsyncConnection,
    actor: Actor,
    *,
    unit_id: int | None = None,
    person_ids: Collection[int] | None = None,
    kinds: Collection[str] = ("ownership", "tenancy"),
    key: int | None = None,
) -> list[Belonging]:
    """Give what people own and where they live, ever, the newest first; ``key`` is of the one kind that is named."""
    where = [actor.sees_site(building.c.site_id)]
    if unit_id is not None:
        where.append(unit.c.id == unit_id)
    if person_ids is not None:
        where.append(person.c.id.in_(person_ids))
    found: list[Belonging] = []
    for table, who, kind in (
        (ownership, ownership.c.owner_id, literal("owner")),
        (tenancy, tenancy.c.person_id, tenancy.c.kind),
    ):
        if table.name not in kinds:
            continue
        query = (
            select(table.c.id, kind, person.c.id, person.c.name, unit.c.id, unit.c.code, building.c.name)
            .add_columns(building.c.site_id, table.c.from_on, table.c.to_on)
            .select_from(table)
            .join(unit, unit.c.id == table.c.unit_id)
            .join(building, building.c.id == unit.c.building_id)
            .join(person, person.c.id == who)
            .where(*where, *([] if key is None else [table.c.id == key]))
            .order_by(table.c.from_on.desc(), table.c.id.desc())
        )
        found += [Belonging(*row) for row in await connection.execute(query)]
    return found


async def vehicles(connection: AsyncConnection, **wanted: Any) -> list[VehicleRow]:
    """Give vehicles that were not removed, by ``id``, ``person_id``, ``unit_id`` or ``plate_index``."""
    where = [vehicle.c[name] == value for name, value in wanted.items()]
    query = (
        select(vehicle.c.id, vehicle.c.plate, vehicle.c.kind, person.c.id, person.c.name, unit.c.id, unit.c.code)
        .add_columns(vehicle.c.created_at)
        .select_from(vehicle)
        .join(person, person.c.id == vehicle.c.person_id)
        .outerjoin(unit, unit.c.id == vehicle.c.unit_id)
        .where(vehicle.c.removed_at.is_(None), *where)
        .order_by(vehicle.c.id)
    )
    return [VehicleRow(*row) for row in await connection.execute(query)]


async def equipments(
    connection: AsyncConnection,
    actor: Actor,
    search: str = "",
    kind: str = "",
    *,
    equipment_id: int | None = None,
    is_retired: bool | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> tuple[int, list[EquipmentRow]]:
    """Give how many things of the ledger match, and some of them."""
    where = [actor.sees_site(equipment.c.site_id)]
    for word in search.split():
        columns = (equipment.c.code, equipment.c.name, equipment.c.place)
        where.append(or_(*(column.contains(word, autoescape=True) for column in columns)))
    if kind:
        where.append(equipment.c.kind == kind)
    if equipment_id is not None:
        where.append(equipment.c.id == equipment_id)
    if is_retired is not None:
        where.append(equipment.c.is_retired.is_(is_retired))
    total = await connection.scalar(select(func.count()).select_from(equipment).where(*where))
    own = (equipment.c.code, equipment.c.name, equipment.c.kind, equipment.c.place, equipment.c.installed_on)
    query = (
        select(equipment.c.id, site.c.id, site.c.name, building.c.id, building.c.name, *own, equipment.c.is_retired)
        .select_from(equipment)
        .join(site, site.c.id == equipment.c.site_id)
        .outerjoin(building, building.c.id == equipment.c.building_id)
        .where(*where)
        .order_by(site.c.code, func.length(equipment.c.code), equipment.c.code)
        .limit(limit)
        .offset(offset)
    )
    return int(total or 0), [EquipmentRow(*row) for row in await connection.execute(query)]


async def meters(connection: AsyncConnection, unit_id: int) -> list[MeterRow]:
    """Give a unit's metering points with every meter that served them, the newest first."""
    query = (
        select(metering_point.c.code, metering_point.c.kind, metering_point.c.tariff)
        .add_columns(installation.c.device_code, device.c.id, installation.c.from_at, installation.c.to_at)
        .select_from(metering_point)
        .outerjoin(installation, installation.c.metering_point_id == metering_point.c.id)
        .outerjoin(gateway, gateway.c.edge_id == installation.c.edge_id)
        .outerjoin(device, and_(device.c.gateway_id == gateway.c.id, device.c.code == installation.c.device_code))
        .where(metering_point.c.unit_id == unit_id)
        .order_by(metering_point.c.code, installation.c.from_at.desc())
    )
    return [MeterRow(*row) for row in await connection.execute(query)]


async def history(connection: AsyncConnection, subject: str, limit: int = 100) -> list[Note]:
    """Give what the audit says of one thing, the newest first."""
    query = select(audit.c.at, audit.c.login, audit.c.action, audit.c.outcome, audit.c.detail)
    query = query.where(audit.c.subject == subject).order_by(audit.c.id.desc()).limit(limit)
    return [Note(*row) for row in await connection.execute(query)]
