"""The SQL of parking."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.parking.model import Price, Span
from central_server.rbac import Actor
from central_server.schema import (
    bill,
    bill_line,
    building,
    charge,
    parking_fees,
    parking_lease,
    parking_place,
    parking_price,
    person,
    site,
    unit,
    vehicle,
)


class SiteRow(NamedTuple):
    id: int
    code: str
    name: str
    zone: str


class PlaceRow(NamedTuple):
    id: int
    site_id: int
    site: str
    zone: str
    code: str
    kind: str
    spaces: int


class LeaseRow(NamedTuple):
    """A lease with whose it is; ``person`` is a name in the clear."""

    id: int
    place_id: int
    unit_id: int
    unit: str
    building: str
    person: str | None
    from_period: str
    to_period: str | None
    created_at: int

    @property
    def span(self) -> Span:
        return Span(self.from_period, self.to_period)


class FeeRow(NamedTuple):
    """A fee that was made; ``bill`` is the number of the bill it is on. Units: fen."""

    key: str
    period: str
    unit: str
    amount_fen: int
    bill: str | None


class UnitRow(NamedTuple):
    id: int
    building_code: str
    building: str
    code: str


class CarRow(NamedTuple):
    """A vehicle of the records; ``plate`` and ``person`` in the clear."""

    id: int
    plate: str
    kind: str
    person_id: int
    person: str
    unit_id: int | None


class Wanted(NamedTuple):
    """Which places to list; ``search`` is in a place's or a unit's code, ``state`` "free", "let" or ""."""

    period: str
    search: str = ""
    site_id: int | None = None
    kind: str = ""
    state: str = ""
    unit_ids: Sequence[int] = ()


async def sites(connection: AsyncConnection, actor: Actor) -> list[SiteRow]:
    query = select(site.c.id, site.c.code, site.c.name, site.c.zone).where(actor.sees_site(site.c.id))
    return [SiteRow(*row) for row in await connection.execute(query.order_by(site.c.code))]


async def places(
    connection: AsyncConnection, actor: Actor, wanted: Wanted, limit: int, offset: int
) -> tuple[int, list[PlaceRow]]:
    """Give how many places match, and some of them in the order of their codes."""
    where = [actor.sees_site(parking_place.c.site_id), *_matches(wanted)]
    total = await connection.scalar(select(func.count()).select_from(parking_place).where(*where))
    query = _places().where(*where).order_by(site.c.code, parking_place.c.code).limit(limit).offset(offset)
    return int(total or 0), [PlaceRow(*row) for row in await connection.execute(query)]


async def place(connection: AsyncConnection, actor: Actor, place_id: int, *, lock: bool = False) -> PlaceRow | None:
    query = _places().where(parking_place.c.id == place_id, actor.sees_site(parking_place.c.site_id))
    if lock:  # two who let the same place at once take turns; SQLite has one writer already
        query = query.with_for_update(of=parking_place)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else PlaceRow(*row)


async def has_code(connection: AsyncConnection, site_id: int, code: str) -> bool:
    query = select(parking_place.c.id).where(parking_place.c.site_id == site_id, parking_place.c.code == code)
    return await connection.scalar(query) is not None


async def add(connection: AsyncConnection, table: str, **values: Any) -> int:
    """Add a row to one of this slice's tables."""
    tables = {"place": parking_place, "price": parking_price, "lease": parking_lease}
    key = (await connection.execute(insert(tables[table]).values(**values))).inserted_primary_key
    return int(key[0]) if key else 0


async def set_price(connection: AsyncConnection, place_id: int, from_period: str, month_fen: int) -> None:
    """Write a place's price from a month on, over one of the same month."""
    where = and_(parking_price.c.place_id == place_id, parking_price.c.from_period == from_period)
    done = await connection.execute(update(parking_price).where(where).values(month_fen=month_fen))
    if not done.rowcount:
        await add(connection, "price", place_id=place_id, from_period=from_period, month_fen=month_fen)


async def end_lease(connection: AsyncConnection, lease_id: int, to_period: str) -> None:
    await connection.execute(update(parking_lease).where(parking_lease.c.id == lease_id).values(to_period=to_period))


async def remove_lease(connection: AsyncConnection, lease_id: int) -> None:
    await connection.execute(parking_lease.delete().where(parking_lease.c.id == lease_id))


async def prices(connection: AsyncConnection, place_ids: Sequence[int]) -> dict[int, list[Price]]:
    """Give every price of some places, oldest first."""
    found: dict[int, list[Price]] = {key: [] for key in place_ids}
    query = select(parking_price).where(parking_price.c.place_id.in_(place_ids))
    for row in await connection.execute(query.order_by(parking_price.c.from_period)):
        found[row.place_id].append(Price(row.from_period, row.month_fen))
    return found


async def leases(
    connection: AsyncConnection, place_ids: Sequence[int], period: str | None = None
) -> dict[int, list[LeaseRow]]:
    """Give the leases of some places, newest first; only those of a month where one is named."""
    found: dict[int, list[LeaseRow]] = {key: [] for key in place_ids}
    query = _leases().where(parking_lease.c.place_id.in_(place_ids))
    if period is not None:
        query = query.where(_holds(period))
    for row in await connection.execute(query.order_by(parking_lease.c.from_period.desc(), parking_lease.c.id.desc())):
        found[row.place_id].append(LeaseRow(*row))
    return found


async def leases_in(
    connection: AsyncConnection, site_id: int, period: str, made_before: int | None
) -> list[tuple[PlaceRow, LeaseRow]]:
    """Give a site's leases of a month with their places; only those written down before an instant."""
    query = _leases().where(parking_place.c.site_id == site_id, _holds(period))
    if made_before is not None:
        query = query.where(parking_lease.c.created_at < made_before)
    rows = [
        LeaseRow(*row) for row in await connection.execute(query.order_by(parking_place.c.code, parking_lease.c.id))
    ]
    found = await connection.execute(_places().where(parking_place.c.site_id == site_id))
    by_id = {row.id: PlaceRow(*row) for row in found}
    return [(by_id[row.place_id], row) for row in rows]


async def leases_of_units(
    connection: AsyncConnection, unit_ids: Sequence[int], period: str
) -> list[tuple[str, LeaseRow]]:
    """Give what units rent in a month, each with its place's code."""
    query = _leases().add_columns(parking_place.c.code).where(parking_lease.c.unit_id.in_(unit_ids), _holds(period))
    return [(row[-1], LeaseRow(*row[:-1])) for row in await connection.execute(query.order_by(parking_place.c.code))]


async def charged(connection: AsyncConnection, keys: Sequence[str]) -> set[str]:
    """Give which of some fees were made already."""
    found: set[str] = set()
    for start in range(0, len(keys), 500):  # SQLite takes only so many parameters
        query = select(charge.c.key).where(charge.c.key.in_(keys[start : start + 500]))
        found |= set((await connection.scalars(query)).all())
    return found


async def fees_of_leases(connection: AsyncConnection, lease_ids: Sequence[int], limit: int) -> list[FeeRow]:
    """Give the newest fees of some leases, each with its bill."""
    if not lease_ids:
        return []
    query = (
        select(charge.c.key, charge.c.period, unit.c.code, charge.c.amount_fen, bill.c.number)
        .join(unit, unit.c.id == charge.c.unit_id)
        .outerjoin(bill_line, bill_line.c.source_key == charge.c.key)
        .outerjoin(bill, bill.c.id == bill_line.c.bill_id)
        .where(or_(*(charge.c.key.startswith(fee_key(key, ""), autoescape=True) for key in lease_ids)))
        .order_by(charge.c.period.desc(), charge.c.id.desc())
        .limit(limit)
    )
    return [FeeRow(*row) for row in await connection.execute(query)]


def fee_key(lease_id: int, period: str) -> str:
    """Give the key by which a month's fee of a lease is made once."""
    return f"parking:{lease_id}:{period}"


async def last_made(connection: AsyncConnection, site_id: int) -> str | None:
    """Give the last month whose fees were made by themselves."""
    found: str | None = await connection.scalar(
        select(func.max(parking_fees.c.period)).where(parking_fees.c.site_id == site_id)
    )
    return found


async def note_made(connection: AsyncConnection, site_id: int, period: str, at: int) -> None:
    known = select(parking_fees.c.period).where(parking_fees.c.site_id == site_id, parking_fees.c.period == period)
    if await connection.scalar(known) is None:
        await connection.execute(insert(parking_fees).values(site_id=site_id, period=period, made_at=at))


async def units_called(connection: AsyncConnection, site_id: int, code: str) -> list[UnitRow]:
    """Find a site's units by their code, or by their building's code and theirs with a "/" between."""
    building_code, slash, unit_code = code.partition("/")
    query = (
        select(unit.c.id, building.c.code, building.c.name, unit.c.code)
        .join(building, building.c.id == unit.c.building_id)
        .where(building.c.site_id == site_id, unit.c.code == (unit_code.strip() if slash else code))
    )
    if slash:
        query = query.where(building.c.code == building_code.strip())
    return [UnitRow(*row) for row in await connection.execute(query.order_by(building.c.code).limit(10))]


async def cars_with(connection: AsyncConnection, plate_index: str) -> list[CarRow]:
    """Give the vehicles of a plate."""
    return [CarRow(*row) for row in await connection.execute(_cars().where(vehicle.c.plate_index == plate_index))]


async def cars_of_units(connection: AsyncConnection, unit_ids: Sequence[int]) -> list[CarRow]:
    return [CarRow(*row) for row in await connection.execute(_cars().where(vehicle.c.unit_id.in_(unit_ids)))]


def _cars() -> Select[Any]:
    columns = (vehicle.c.id, vehicle.c.plate, vehicle.c.kind, vehicle.c.person_id, person.c.name, vehicle.c.unit_id)
    cars = select(*columns).join(person, person.c.id == vehicle.c.person_id)
    return cars.where(vehicle.c.removed_at.is_(None)).order_by(vehicle.c.id)


def _matches(wanted: Wanted) -> list[ColumnElement[bool]]:
    is_of_place = and_(parking_lease.c.place_id == parking_place.c.id, _holds(wanted.period))
    taken = select(func.count()).select_from(parking_lease).where(is_of_place).scalar_subquery()
    where: list[ColumnElement[bool]] = []
    if wanted.search:
        of_unit = select(parking_lease.c.place_id).join(unit, unit.c.id == parking_lease.c.unit_id)
        found = or_(unit.c.code.contains(wanted.search, autoescape=True), unit.c.id.in_(wanted.unit_ids))
        where.append(
            or_(
                parking_place.c.code.contains(wanted.search, autoescape=True),
                parking_place.c.id.in_(of_unit.where(_holds(wanted.period), found)),
            )
        )
    if wanted.site_id is not None:
        where.append(parking_place.c.site_id == wanted.site_id)
    if wanted.kind:
        where.append(parking_place.c.kind == wanted.kind)
    if wanted.state == "let":
        where.append(taken > 0)
    if wanted.state == "free":
        where.append(taken < parking_place.c.spaces)
    return where


def _holds(period: str) -> ColumnElement[bool]:
    return and_(
        parking_lease.c.from_period <= period,
        or_(parking_lease.c.to_period.is_(None), parking_lease.c.to_period >= period),
    )


def _places() -> Select[Any]:
    columns = (parking_place.c.code, parking_place.c.kind, parking_place.c.spaces)
    return select(parking_place.c.id, parking_place.c.site_id, site.c.name, site.c.zone, *columns).join(
        site, site.c.id == parking_place.c.site_id
    )


def _leases() -> Select[Any]:
    lease = parking_lease.c
    return (
        select(lease.id, lease.place_id, lease.unit_id, unit.c.code, building.c.name, person.c.name)
        .add_columns(lease.from_period, lease.to_period, lease.created_at)
        .select_from(parking_lease)
        .join(parking_place, parking_place.c.id == lease.place_id)
        .join(unit, unit.c.id == lease.unit_id)
        .join(building, building.c.id == unit.c.building_id)
        .outerjoin(person, person.c.id == lease.person_id)
    )
