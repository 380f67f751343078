"""The SQL of a run: what it reads, and what it writes."""

import json
from datetime import timedelta
from decimal import Decimal, localcontext
from typing import Any, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Select, and_, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.billing.canonical import canonical_json
from central_server.billing.charge import Charge, charged_units, waiting_charges
from central_server.billing.money import EXACT
from central_server.billing.period import Period, local_day
from central_server.billing.plan import Billed, Installed, Point, Window
from central_server.billing.run import Bill, RunResult, SiteRun, totals
from central_server.billing.trace import Meter, Read
from central_server.rbac import Actor
from central_server.schema import (
    batch,
    bill,
    bill_line,
    bill_run,
    building,
    device,
    gateway,
    installation,
    metering_point,
    ownership,
    person,
    series,
    site,
    unit,
)
from protocols.quantity import from_scaled

AnyRow: TypeAlias = Row[*tuple[Any, ...]]

DUE_AFTER = timedelta(days=15)

_NATURAL_UNIT = {"electricity": "kWh", "water": "m3"}


class Site(NamedTuple):
    """A site to bill, and the zone its months are counted in."""

    id: int
    code: str
    zone: str


class Unit(NamedTuple):
    """A unit with its metering points and waiting charges; ``owner`` is empty where nobody is recorded."""

    id: int
    code: str
    owner: str
    points: tuple[Point, ...]
    charges: tuple[Charge, ...] = ()


async def sites(conn: AsyncConnection, actor: Actor, code: str | None) -> list[Site]:
    """Give all sites the actor sees, or the one with a code."""
    query = select(site.c.id, site.c.code, site.c.zone).where(actor.sees_site(site.c.id)).order_by(site.c.code)
    if code is not None:
        query = query.where(site.c.code == code)
    return [Site(*row) for row in await conn.execute(query)]


async def site_names(conn: AsyncConnection, actor: Actor) -> dict[str, str]:
    query = select(site.c.code, site.c.name).where(actor.sees_site(site.c.id)).order_by(site.c.code)
    return {row.code: row.name for row in await conn.execute(query)}


async def newest_line(conn: AsyncConnection) -> int:
    """Give the mark that every issued line moves, for compare-and-set."""
    return int(await conn.scalar(select(func.coalesce(func.max(bill_line.c.id), 0))) or 0)


async def bill_count(conn: AsyncConnection, period: Period) -> int:
    """Count the bills of a period over all sites; numbers go on from here."""
    return int(await conn.scalar(select(func.count()).select_from(bill).where(bill.c.period == str(period))) or 0)


async def waiting_batches(conn: AsyncConnection, where: Site) -> int:
    """Count received batches whose readings a run cannot see yet."""
    query = (
        select(func.count())
        .select_from(batch.join(gateway, batch.c.gateway_id == gateway.c.id))
        .where(gateway.c.site_id == where.id, batch.c.packed_at.is_(None), batch.c.error.is_(None))
    )
    return int(await conn.scalar(query) or 0)


async def units(conn: AsyncConnection, where: Site, window: Window) -> list[Unit]:
    """Load a site's units that have metering points or waiting charges, in the order of their codes."""
    installed, billed = await _installed(conn, where), await _billed(conn, where)
    used, owners = await _used(conn, where, window.period), await _owners(conn, where, window)
    charges: dict[int, list[Charge]] = {}
    for each in await waiting_charges(conn, where.id, str(window.period)):
        charges.setdefault(each.unit_id, []).append(each)
    found: dict[int, Unit] = {}
    for row in await conn.execute(_units(where, window.period)):
        before = found.get(row.unit_id) or Unit(
            row.unit_id, row.unit_code, "、".join(owners.get(row.unit_id, ())), (), tuple(charges.get(row.unit_id, ()))
        )
        found[row.unit_id] = before
        if row.id is None:
            continue
        point = Point(
            id=row.id,
            code=row.code,
            kind=row.kind,
            tariff_code=row.tariff,
            installed=tuple(installed.get(row.id, ())),
            billed=billed.get(row.id),
            used_in=used.get(row.id, {}),
        )
        found[row.unit_id] = before._replace(points=(*before.points, point))
    return list(found.values())


async def issue(conn: AsyncConnection, result: RunResult, now: int, actor: Actor) -> None:
    """Write a run's bills; the caller's transaction makes them all or none."""
    for each in result.sites:
        if each.bills:
            await _issue_site(conn, each, now, actor)


async def _issue_site(conn: AsyncConnection, run: SiteRun, now: int, actor: Actor) -> None:
    zone = ZoneInfo((await conn.execute(select(site.c.zone).where(site.c.id == run.site_id))).scalar_one())
    written = await conn.execute(
        insert(bill_run)
        .values(
            site_id=run.site_id,
            period=str(run.window.period),
            through_at=run.window.through_at,
            created_at=now,
            created_by=actor.login,
            input_hash=run.input_hash,
            output_hash=run.output_hash,
            totals=canonical_json(totals(run)),
        )
        .returning(bill_run.c.id)
    )
    run_id = written.scalar_one()
    due_on = (local_day(now, zone) + DUE_AFTER).isoformat()
    bills = [
        {
            "number": each.number,
            "run_id": run_id,
            "unit_id": each.unit_id,
            "owner_name": each.owner,
            "period": str(run.window.period),
            "from_at": each.from_at,
            "through_at": each.through_at,
            "due_on": due_on,
            "total_fen": each.total_fen,
            "issued_at": now,
        }
        for each in run.bills
    ]
    await conn.execute(insert(bill), bills)
    numbers = select(bill.c.number, bill.c.id).where(bill.c.run_id == run_id)
    ids = {row.number: row.id for row in await conn.execute(numbers)}
    await conn.execute(insert(bill_line), [row for each in run.bills for row in _lines(each, ids[each.number])])
    subject = f"run:{run_id}"
    period, total = str(run.window.period), sum(each.total_fen for each in run.bills)
    await audit.note(
        conn, actor, "bills.issue", subject, site=run.site_code, period=period, bills=len(bills), total_fen=total
    )


def _lines(each: Bill, bill_id: int) -> list[dict[str, Any]]:
    points = [*(line.point.id for line in each.lines), *(None for _ in each.charges)]
    return [
        {"bill_id": bill_id, "metering_point_id": point, **_stored(row)}
        for point, row in zip(points, each.rows, strict=True)
    ]


def _stored(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "trace": canonical_json(row["trace"])}


async def _installed(conn: AsyncConnection, where: Site) -> dict[int, list[Installed]]:
    query = (
        select(
            installation,
            device.c.name.label("device_name"),
            series.c.id.label("series_id"),
            series.c.unit,
            metering_point.c.kind,
        )
        .select_from(
            installation.join(metering_point, installation.c.metering_point_id == metering_point.c.id)
            .join(unit, metering_point.c.unit_id == unit.c.id)
            .join(building, unit.c.building_id == building.c.id)
            .outerjoin(gateway, gateway.c.edge_id == installation.c.edge_id)
            .outerjoin(device, and_(device.c.gateway_id == gateway.c.id, device.c.code == installation.c.device_code))
            .outerjoin(series, and_(series.c.device_id == device.c.id, series.c.point == installation.c.point))
        )
        .where(building.c.site_id == where.id)
        .order_by(installation.c.metering_point_id, installation.c.from_at, installation.c.id, series.c.unit)
    )
    found: dict[int, dict[int, Installed]] = {}
    for row in await conn.execute(query):
        of_point = found.setdefault(row.metering_point_id, {})
        # A register has one unit; should it ever have had two, the kind of the point decides.
        if row.id not in of_point or row.unit == _NATURAL_UNIT.get(row.kind):
            of_point[row.id] = _one_installed(row)
    return {point: list(each.values()) for point, each in found.items()}


def _one_installed(row: AnyRow) -> Installed:
    initial = None if row.initial_mantissa is None else from_scaled(row.initial_mantissa, row.initial_exponent or 0)
    return Installed(
        meter=Meter(row.edge_id, row.device_code, row.point),
        name=row.device_name or row.device_code,
        series_id=row.series_id,
        unit=row.unit,
        multiplier=str(row.multiplier),
        from_at=row.from_at,
        to_at=row.to_at,
        initial=initial,
    )


async def _billed(conn: AsyncConnection, where: Site) -> dict[int, Billed]:
    newest = (
        select(
            bill_line.c.metering_point_id,
            func.max(bill_line.c.opening_at).label("opening_at"),
            func.max(bill.c.through_at).label("through_at"),
        )
        .join(bill, bill_line.c.bill_id == bill.c.id)
        .group_by(bill_line.c.metering_point_id)
        .subquery()
    )
    query = (
        select(bill_line.c.metering_point_id, bill_line.c.trace, newest.c.through_at)
        .join(
            newest,
            and_(
                newest.c.metering_point_id == bill_line.c.metering_point_id,
                newest.c.opening_at == bill_line.c.opening_at,
            ),
        )
        .join(metering_point, metering_point.c.id == bill_line.c.metering_point_id)
        .join(unit, unit.c.id == metering_point.c.unit_id)
        .join(building, building.c.id == unit.c.building_id)
        .where(building.c.site_id == where.id)
    )
    return {row.metering_point_id: _one_billed(row) for row in await conn.execute(query)}


def _one_billed(row: AnyRow) -> Billed:
    trace = json.loads(row.trace)
    meter = Meter(trace["meter"]["gateway"], trace["meter"]["device"], trace["register"])
    return Billed(meter, Read.from_json(trace["closing"]), row.through_at)


async def _used(conn: AsyncConnection, where: Site, period: Period) -> dict[int, dict[str, Decimal]]:
    """Sum the billed use of the calendar year by metering point and period."""
    query = (
        select(bill_line.c.metering_point_id, bill.c.period, bill_line.c.quantity)
        .join(bill, bill_line.c.bill_id == bill.c.id)
        .join(metering_point, metering_point.c.id == bill_line.c.metering_point_id)
        .join(unit, unit.c.id == metering_point.c.unit_id)
        .join(building, building.c.id == unit.c.building_id)
        .where(building.c.site_id == where.id, bill.c.period.like(f"{period.year:04d}-%"))
    )
    used: dict[int, dict[str, Decimal]] = {}
    with localcontext(EXACT):
        for row in (await conn.execute(query)).all():
            of_point = used.setdefault(row.metering_point_id, {})
            of_point[row.period] = of_point.get(row.period, Decimal(0)) + Decimal(row.quantity)
    return used


async def _owners(conn: AsyncConnection, where: Site, window: Window) -> dict[int, list[str]]:
    """Name who owns each unit on the last day that is billed."""
    day = local_day(window.through_at - 1, ZoneInfo(where.zone)).isoformat()
    query = (
        select(ownership.c.unit_id, person.c.name)
        .join(person, ownership.c.owner_id == person.c.id)
        .join(unit, ownership.c.unit_id == unit.c.id)
        .join(building, unit.c.building_id == building.c.id)
        .where(
            building.c.site_id == where.id,
            ownership.c.from_on <= day,
            or_(ownership.c.to_on.is_(None), ownership.c.to_on > day),
        )
        .order_by(person.c.code)
    )
    owners: dict[int, list[str]] = {}
    for row in await conn.execute(query):
        owners.setdefault(row.unit_id, []).append(row.name)
    return owners


def _units(where: Site, period: Period) -> Select[Any]:
    return (
        select(
            unit.c.id.label("unit_id"),
            unit.c.code.label("unit_code"),
            metering_point.c.id,
            metering_point.c.code,
            metering_point.c.kind,
            metering_point.c.tariff,
        )
        .select_from(
            unit.join(building, unit.c.building_id == building.c.id).outerjoin(
                metering_point, metering_point.c.unit_id == unit.c.id
            )
        )
        .where(
            building.c.site_id == where.id,
            or_(metering_point.c.id.is_not(None), unit.c.id.in_(charged_units(where.id, str(period)))),
        )
        .order_by(building.c.code, unit.c.code, metering_point.c.code)
    )
