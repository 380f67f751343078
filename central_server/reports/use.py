"""What each meter of a site used in a month, and what that comes to in each building."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Select, and_, case, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.billing.money import EXACT
from central_server.billing.period import Period
from central_server.reports.source import Site
from central_server.schema import building, device, gateway, installation, metering_point, series, unit
from central_server.telemetry.use import Ends, Mark, ends_of, month_uses
from protocols.quantity import from_scaled

# kind of meter -> the register that counts, and its unit
REGISTERS = {"electricity": ("energyImportTotal", "kWh"), "water": ("volumeTotal", "m3")}
_NOTHING = Ends(None, None)


@dataclass(frozen=True, slots=True)
class MeterUse:
    """A meter in a month, as long as it served a unit; or one that serves none.

    Shape: ``unit`` and ``building`` are empty where it serves none, ``device_id`` is None where it was never heard.
    """

    building: str
    unit: str
    kind: str
    meter: str
    device_id: int | None
    ends: Ends
    multiplier: Decimal

    @property
    def use(self) -> Decimal | None:
        return None if self.ends.use is None else self.ends.use * self.multiplier


@dataclass(frozen=True, slots=True)
class Total:
    """What the meters of a kind used in a building; ``unknown`` of ``count`` have no figure and are not in it."""

    building: str
    kind: str
    use: Decimal
    count: int
    unknown: int


async def meters_of(connection: AsyncConnection, site: Site, month: Period, now: int) -> list[MeterUse]:
    """Give the meters of a site in the order of buildings and units, those that serve none last."""
    zone = ZoneInfo(site.zone)
    start, end = month.starts_at(zone), month.ends_at(zone)
    installed = (await connection.execute(_installed(site.id, start, end))).all()
    others = (await connection.execute(_registers(site.id))).all()
    ends = await month_uses(connection, _series_ids(site.id, {row.point for row in installed}), start, zone, now)
    found = [_meter(row, await _ends(connection, row, ends, start, end)) for row in installed]
    serving = {row.series_id for row in installed}
    found += [_meter(row, ends.get(row.series_id, _NOTHING)) for row in others if row.series_id not in serving]
    return found


def totals(meters: Iterable[MeterUse]) -> list[Total]:
    """Sum meters by building and kind, in the order they come."""
    found: dict[tuple[str, str], list[MeterUse]] = {}
    for each in meters:
        found.setdefault((each.building, each.kind), []).append(each)
    with localcontext(EXACT):
        return [
            Total(
                *key,
                sum((each.use for each in those if each.use is not None), Decimal(0)),
                len(those),
                sum(each.use is None for each in those),
            )
            for key, those in found.items()
        ]


def _installed(site_id: int, start: int, end: int) -> Select[Any]:
    own = installation.c
    natural = case({kind: measure for kind, (_, measure) in REGISTERS.items()}, value=metering_point.c.kind)
    return (
        select(building.c.name.label("building"), unit.c.code.label("unit"), metering_point.c.kind, device.c.name)
        .add_columns(own.device_code, own.point, own.multiplier, own.from_at, own.to_at)
        .add_columns(own.initial_mantissa, own.initial_exponent)
        .add_columns(device.c.id.label("device_id"), series.c.id.label("series_id"))
        .select_from(
            installation.join(metering_point)
            .join(unit)
            .join(building)
            .outerjoin(gateway, and_(gateway.c.edge_id == own.edge_id, gateway.c.site_id == building.c.site_id))
            .outerjoin(device, and_(device.c.gateway_id == gateway.c.id, device.c.code == own.device_code))
            .outerjoin(
                series,
                and_(series.c.device_id == device.c.id, series.c.point == own.point, series.c.unit == natural),
            )
        )
        .where(building.c.site_id == site_id, own.from_at < end, own.to_at.is_(None) | (own.to_at > start))
        .order_by(building.c.code, unit.c.code, metering_point.c.code, own.from_at)
    )


def _registers(site_id: int) -> Select[Any]:
    """Select what counts at a site, whomever it serves."""
    of_kind = (and_(series.c.point == point, series.c.unit == measure) for point, measure in REGISTERS.values())
    kind = case({point: kind for kind, (point, _) in REGISTERS.items()}, value=series.c.point)
    return (
        select(literal("").label("building"), literal("").label("unit"), kind.label("kind"), device.c.name)
        .add_columns(device.c.code.label("device_code"), literal("1").label("multiplier"))
        .add_columns(device.c.id.label("device_id"), series.c.id.label("series_id"))
        .select_from(series.join(device).join(gateway))
        .where(gateway.c.site_id == site_id, or_(*of_kind))
        .order_by(gateway.c.edge_id, device.c.code)
    )


def _series_ids(site_id: int, points: Iterable[str]) -> Select[Any]:
    every = {*points, *(point for point, _ in REGISTERS.values())}
    of_site = select(series.c.id).select_from(series.join(device).join(gateway))
    return of_site.where(gateway.c.site_id == site_id, series.c.point.in_(sorted(every)))


async def _ends(connection: AsyncConnection, row: Row[Any], ends: dict[int, Ends], start: int, end: int) -> Ends:
    """Give the ends of the time in which a meter served; what was noted at its installation is its opening."""
    if row.series_id is None:
        return _NOTHING
    if row.from_at <= start and (row.to_at is None or row.to_at >= end):
        return ends.get(row.series_id, _NOTHING)
    from_at, until = max(start, row.from_at), end if row.to_at is None else min(end, row.to_at)
    found = await ends_of(connection, row.series_id, from_at, until)
    if row.from_at > start and row.initial_mantissa is not None:
        return found._replace(opening=Mark(row.from_at, from_scaled(row.initial_mantissa, row.initial_exponent or 0)))
    return found


def _meter(row: Row[Any], ends: Ends) -> MeterUse:
    try:
        multiplier = Decimal(row.multiplier)
    except InvalidOperation:
        multiplier, ends = Decimal(1), _NOTHING
    return MeterUse(row.building, row.unit, row.kind, row.name or row.device_code, row.device_id, ends, multiplier)
