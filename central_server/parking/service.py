"""Parking's use cases: places, prices, leases, and the fees of a month, each made once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.billing.charge import add_charge
from central_server.billing.period import Period, local_day, parse_period
from central_server.clock import now_ms
from central_server.crypto import blind
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.form import Invalid, Problem
from central_server.parking import store
from central_server.parking.model import Kind, NewLease, NewPlace, NewPrice, Price, Span, most_at_once, price_in
from central_server.parking.store import CarRow, FeeRow, LeaseRow, PlaceRow, SiteRow, Wanted
from central_server.rbac import Actor
from central_server.records import service as records
from central_server.records.personal import plain_plate
from central_server.records.residency import UnitRow

DAY_MS = 24 * 3600 * 1000
_MOST_FEES = 24


@dataclass(frozen=True, slots=True)
class Car:
    """A vehicle and one unit it belongs to."""

    id: int
    plate: str
    kind: str
    person: str
    unit_id: int
    unit: str
    building: str


@dataclass(frozen=True, slots=True)
class Place:
    """A place as a month finds it. Units: ``month_fen`` in fen, None without a price."""

    row: PlaceRow
    leases: Sequence[LeaseRow]
    month_fen: int | None

    @property
    def free(self) -> int:
        return self.row.spaces - len(self.leases)


@dataclass(frozen=True, slots=True)
class PlaceView:
    """A place with all there is to know of it; its leases newest first."""

    row: PlaceRow
    prices: Sequence[Price]
    leases: Sequence[LeaseRow]
    fees: Sequence[FeeRow]
    period: str

    @property
    def standing(self) -> list[LeaseRow]:
        """Give the leases of this month."""
        return [lease for lease in self.leases if lease.span.holds(self.period)]


@dataclass(frozen=True, slots=True)
class Fee:
    """What a lease costs in a month; ``price`` None where the place has none, then nothing is charged."""

    place: PlaceRow
    lease: LeaseRow
    price: Price | None
    is_made: bool


def this_month(zone: str, now: int) -> str:
    """Give the month an instant lies in at a site."""
    day = local_day(now, ZoneInfo(zone))
    return str(Period(day.year, day.month))


async def list_places(
    connection: AsyncConnection, actor: Actor, wanted: Wanted, *, limit: int, offset: int = 0
) -> tuple[int, list[Place]]:
    """Give how many places the actor sees and finds, and some of them as the wanted month finds them."""
    total, rows = await store.places(connection, actor, wanted, limit, offset)
    keys = [row.id for row in rows]
    prices, leases = await store.prices(connection, keys), await store.leases(connection, keys, wanted.period)
    found = [Place(row, leases[row.id], _fen(price_in(prices[row.id], wanted.period))) for row in rows]
    return total, found


async def list_sites(connection: AsyncConnection, actor: Actor) -> list[SiteRow]:
    """Give the sites that the actor sees."""
    return await store.sites(connection, actor)


async def get_place(connection: AsyncConnection, actor: Actor, place_id: int) -> PlaceView:
    """Give one place. Raises: NotFound."""
    row = await _place(connection, actor, place_id)
    leases = (await store.leases(connection, [place_id]))[place_id]
    fees = await store.fees_of_leases(connection, [lease.id for lease in leases], _MOST_FEES)
    prices = (await store.prices(connection, [place_id]))[place_id]
    return PlaceView(row, prices, leases, fees, this_month(row.zone, now_ms()))


async def places_of_units(
    connection: AsyncConnection, unit_ids: Sequence[int], zone: str
) -> list[tuple[str, LeaseRow]]:
    """Give what units rent this month, each lease with its place's code."""
    return await store.leases_of_units(connection, unit_ids, this_month(zone, now_ms()))


async def cars(connection: AsyncConnection, actor: Actor, plate: str, on: str) -> list[Car]:
    """Give the vehicles of a whole plate that belong to a unit of the actor's sites on a day."""
    return [
        Car(car.id, car.plate, car.kind, car.person, unit.id, unit.code, unit.building_name)
        for car in await store.cars_with(connection, blind(connection, plain_plate(plate), "plate"))
        for unit in await _units_of_car(connection, car, on)
        if actor.site_id in (None, unit.site_id)
    ]


async def _units_of_car(connection: AsyncConnection, car: CarRow, on: str) -> list[UnitRow]:
    units = await records.units_of(connection, car.person_id, on)
    return [unit for unit in units if car.unit_id in (None, unit.id)]


async def cars_of_units(connection: AsyncConnection, unit_ids: Sequence[int]) -> list[CarRow]:
    """Give the vehicles that the records have for some units."""
    return await store.cars_of_units(connection, unit_ids)


async def add_place(db: Database, actor: Actor, new: NewPlace, site_id: int) -> int:
    """Write down a place with its first price; give its id. Raises: Invalid."""
    async with db.write() as connection:
        if await store.has_code(connection, site_id, new.code):
            raise Invalid({"code": Problem("There is a place {code} at this site already.", {"code": new.code})})
        spaces = 1 if new.kind is Kind.FIXED else new.spaces
        values: dict[str, Any] = {"site_id": site_id, "code": new.code, "kind": new.kind.value, "spaces": spaces}
        made = await store.add(connection, "place", **values, created_at=now_ms())
        await store.set_price(connection, made, new.price_from, new.month_fen)
        await audit.note(connection, actor, "parking.add_place", f"place:{made}", **values, fen=new.month_fen)
    return made


async def set_price(db: Database, actor: Actor, place_id: int, new: NewPrice) -> None:
    """Let a price hold from a month on; fees that were made keep theirs. Raises: NotFound."""
    async with db.write() as connection:
        await _place(connection, actor, place_id)
        await store.set_price(connection, place_id, new.price_from, new.month_fen)
        since, fen = new.price_from, new.month_fen
        await audit.note(connection, actor, "parking.set_price", f"place:{place_id}", since=since, fen=fen)


async def let(db: Database, actor: Actor, place_id: int, new: NewLease) -> int:
    """Let a place to a unit; give the lease's id. Raises: NotFound, Invalid."""
    wanted = Span(new.from_period, new.to_period)
    if new.to_period is not None and new.to_period < new.from_period:
        raise Invalid({"to_period": Problem("This is before the first month.")})
    async with db.write() as connection:
        row = await _place(connection, actor, place_id, lock=True)
        unit_id = await _unit(connection, row.site_id, new.unit)
        person_id = await _person(connection, row, unit_id, new.person)
        standing = [lease.span for lease in (await store.leases(connection, [place_id]))[place_id]]
        if most_at_once(standing, wanted) >= row.spaces:
            raise Invalid({"from_period": Problem("All of this place is let in these months. End a lease first.")})
        values: dict[str, Any] = {"place_id": place_id, "unit_id": unit_id, "person_id": person_id}
        values |= {"from_period": new.from_period, "to_period": new.to_period}
        made = await store.add(connection, "lease", **values, created_at=now_ms())
        await audit.note(connection, actor, "parking.let", f"lease:{made}", **values)
    return made


async def end_lease(db: Database, actor: Actor, place_id: int, lease_id: int, to_period: str) -> None:
    """Let a lease end with a month. Raises: NotFound, Invalid where a later month is charged already."""
    async with db.write() as connection:
        lease = await _lease(connection, actor, place_id, lease_id)
        if to_period < lease.from_period:
            raise Invalid({"to_period": Problem("This is before the first month.")})
        fees = await store.fees_of_leases(connection, [lease_id], 1)
        if fees and to_period < fees[0].period:
            charged = "The fee of {period} is charged already. End the lease with that month or a later one."
            raise Invalid({"to_period": Problem(charged, {"period": fees[0].period})})
        others = [each.span for each in (await store.leases(connection, [place_id]))[place_id] if each.id != lease_id]
        spaces = (await _place(connection, actor, place_id, lock=True)).spaces
        if most_at_once(others, Span(lease.from_period, to_period)) >= spaces:
            raise Invalid({"to_period": Problem("The place is let to somebody else by then.")})
        await store.end_lease(connection, lease_id, to_period)
        await audit.note(connection, actor, "parking.end_lease", f"lease:{lease_id}", last=to_period)


async def withdraw_lease(db: Database, actor: Actor, place_id: int, lease_id: int) -> None:
    """Take back a lease that was written down by mistake. Raises: NotFound, Conflict once a fee was made."""
    async with db.write() as connection:
        lease = await _lease(connection, actor, place_id, lease_id)
        if await store.fees_of_leases(connection, [lease_id], 1):
            raise Conflict(
                "lease_charged", "A fee of this lease is charged already, so it stays on record. End it instead."
            )
        await store.remove_lease(connection, lease_id)
        detail: dict[str, Any] = {
            "place": place_id,
            "unit": lease.unit_id,
            "first": lease.from_period,
            "last": lease.to_period,
        }
        await audit.note(connection, actor, "parking.withdraw_lease", f"lease:{lease_id}", **detail)


async def fees_of(
    connection: AsyncConnection, actor: Actor, period: str, *, made_before: int | None = None
) -> list[Fee]:
    """Give every fee of a month that the actor sees, those that were made and those that would be."""
    found: list[Fee] = []
    for site in await store.sites(connection, actor):
        leases = await store.leases_in(connection, site.id, period, made_before)
        prices = await store.prices(connection, list({place.id for place, _ in leases}))
        made = await store.charged(connection, [store.fee_key(lease.id, period) for _, lease in leases])
        for place, lease in leases:
            is_made = store.fee_key(lease.id, period) in made
            found.append(Fee(place, lease, price_in(prices[place.id], period), is_made))
    return found


async def make_fees(db: Database, actor: Actor, period: str, *, made_before: int | None = None) -> int:
    """Charge every lease of a month that is not charged yet; give how many were. Raises: Invalid."""
    async with db.write() as connection:
        months_now = [this_month(site.zone, now_ms()) for site in await store.sites(connection, actor)]
        if months_now and period > str(parse_period(max(months_now)).next):
            raise Invalid({"period": Problem("Fees are charged up to the next month, and not further ahead.")})
        return await _make_fees(connection, actor, period, made_before)


async def _make_fees(connection: AsyncConnection, actor: Actor, period: str, made_before: int | None) -> int:
    made = 0
    for fee in await fees_of(connection, actor, period, made_before=made_before):
        if fee.price is not None and not fee.is_made:
            made += await _charge(connection, fee, fee.price, period)
    if made:
        await audit.note(connection, actor, "parking.make_fees", f"period:{period}", fees=made)
    return made


async def _charge(connection: AsyncConnection, fee: Fee, price: Price, period: str) -> bool:
    step = {"key": "monthly_price", "since": price.from_period, "amount_fen": price.month_fen}
    return await add_charge(
        connection,
        key=store.fee_key(fee.lease.id, period),
        site_id=fee.place.site_id,
        unit_id=fee.lease.unit_id,
        kind="parking",
        description={"key": "parking", "place": fee.place.code},
        amount_fen=price.month_fen,
        period=period,
        trace={"steps": [step], "lease": fee.lease.id, "place": fee.place.code, "month": period},
    )


async def catch_up(db: Database, actor: Actor, site_id: int, zone: str, now: int) -> int:
    """Make a site's fees of this month and of those missed since the last time; give how many.

    A lease is left a day before it is charged by itself, so that one written down by mistake can be
    taken back.
    """
    period, last = this_month(zone, now), ""
    made = 0
    async with db.write() as connection:
        last = await store.last_made(connection, site_id) or period
        own = Actor(actor.login, actor.name, actor.role, site_id=site_id)
        for each in months(min(last, period), period):
            made += await _make_fees(connection, own, each, now - DAY_MS)
            await store.note_made(connection, site_id, each, now)
    return made


def months(first: str, last: str) -> list[str]:
    """Give the months from the first to the last."""
    found, period = [], parse_period(first)
    while str(period) <= last:
        found.append(str(period))
        period = period.next
    return found


def _fen(price: Price | None) -> int | None:
    return None if price is None else price.month_fen


async def _place(connection: AsyncConnection, actor: Actor, place_id: int, *, lock: bool = False) -> PlaceRow:
    row = await store.place(connection, actor, place_id, lock=lock)
    if row is None:
        raise NotFound("no_place", "There is no such parking place.")
    return row


async def _lease(connection: AsyncConnection, actor: Actor, place_id: int, lease_id: int) -> LeaseRow:
    await _place(connection, actor, place_id)
    for lease in (await store.leases(connection, [place_id]))[place_id]:
        if lease.id == lease_id:
            return lease
    raise NotFound("no_lease", "There is no such lease.")


async def _unit(connection: AsyncConnection, site_id: int, code: str) -> int:
    found = await store.units_called(connection, site_id, code)
    if not found:
        raise Invalid({"unit": Problem("There is no unit {unit} at this site.", {"unit": code})})
    if len(found) > 1:
        several = "Several buildings have a unit {unit}. Write the building before it, such as {example}."
        raise Invalid(
            {"unit": Problem(several, {"unit": code, "example": f"{found[0].building_code}/{found[0].code}"})}
        )
    return found[0].id


async def _person(connection: AsyncConnection, row: PlaceRow, unit_id: int, name: str | None) -> int | None:
    """Find who of a unit's people it is by the whole name."""
    if name is None:
        return None
    wanted = blind(connection, name, "name")
    today = local_day(now_ms(), ZoneInfo(row.zone)).isoformat()
    for each in await records.people_of_unit(connection, unit_id, today):
        if blind(connection, each.name, "name") == wanted:
            return each.person_id
    nobody = "Nobody of this name owns or rents the unit today. Write the whole name as in the records."
    raise Invalid({"person": Problem(nobody)})
