"""What the pages ask of the database beyond the slices' own services; reading only."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.dashboard.usage import Read
from central_server.devices.store import IS_BOX
from central_server.rbac import Actor
from central_server.records.store import SiteRow
from central_server.schema import bill_run, building, device, door, event, gateway, installation, site
from central_server.telemetry import readings
from central_server.telemetry.block import NO_VALUE
from central_server.telemetry.readings import LATEST_MS
from protocols.quantity import from_scaled


@dataclass(frozen=True, slots=True)
class RawEvent:
    """An event as a gateway told it."""

    at: int
    kind: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunNote:
    """That bills were issued: when, for which month, how many."""

    at: int
    period: str
    bills: int


async def registers_at(
    conn: AsyncConnection, series_ids: Sequence[int], marks: Sequence[int]
) -> dict[int, list[Read | None]]:
    """Give what each register last showed at each mark; a day of readings is unpacked for each."""
    found: dict[int, list[Read | None]] = {}
    for key in series_ids:
        held = await readings.values_at(conn, key, marks)
        found[key] = [None if each is None else Read(*each) for each in held]
    return found


async def first_reads(conn: AsyncConnection, series_ids: Sequence[int], from_at: int) -> dict[int, Read]:
    """Give the first reading of each register at or after an instant."""
    found: dict[int, Read] = {}
    for key in series_ids:
        row = await readings.first_believed(conn, key, from_at)
        if row is not None and row.value is not None:
            found[key] = Read(row.at, row.value)
    return found


async def span_of(conn: AsyncConnection, series_id: int, from_at: int) -> tuple[Decimal, Decimal] | None:
    """Give the lowest and the highest value of a series since an instant."""
    ends: list[Decimal] = []
    async for block in readings.days(conn, series_id, from_at, LATEST_MS):
        values: dict[int, list[int]] = {}
        for at, mantissa, exponent, quality in zip(
            block.at, block.mantissa, block.exponent, block.quality, strict=True
        ):
            if at >= from_at and not quality & NO_VALUE:
                values.setdefault(exponent, []).append(mantissa)
        ends += [from_scaled(end, exponent) for exponent, each in values.items() for end in (min(each), max(each))]
    return (min(ends), max(ends)) if ends else None


async def multipliers(conn: AsyncConnection, at: int) -> dict[tuple[str, str], Decimal]:
    """Give the factor of each installed meter, by (gateway, device code)."""
    query = select(installation.c.edge_id, installation.c.device_code, installation.c.multiplier).where(
        installation.c.from_at <= at, installation.c.to_at.is_(None) | (installation.c.to_at > at)
    )
    return {(edge_id, code): Decimal(factor) for edge_id, code, factor in await conn.execute(query)}


async def device_count(conn: AsyncConnection, actor: Actor) -> int:
    """Count the devices of the actor's site that were ever heard of."""
    query = select(func.count()).select_from(device.join(gateway)).where(actor.sees_site(gateway.c.site_id), IS_BOX)
    return int((await conn.execute(query)).scalar_one())


async def events_of(conn: AsyncConnection, gateway_id: int, subject: str, limit: int) -> list[RawEvent]:
    """Give the newest events of one subject of a gateway."""
    query = (
        select(event.c.at, event.c.kind, event.c.body)
        .where(and_(event.c.subject == subject, event.c.gateway_id == gateway_id))
        .order_by(event.c.at.desc(), event.c.id.desc())
        .limit(limit)
    )
    return [RawEvent(at, kind, json.loads(body)) for at, kind, body in await conn.execute(query)]


async def runs_since(conn: AsyncConnection, site_id: int, at: int) -> list[RunNote]:
    """Give the billing runs of a site since an instant, newest first."""
    query = (
        select(bill_run.c.created_at, bill_run.c.period, bill_run.c.totals)
        .where(bill_run.c.site_id == site_id, bill_run.c.created_at >= at)
        .order_by(bill_run.c.created_at.desc())
        .limit(5)
    )
    return [RunNote(row[0], row[1], int(json.loads(row[2]).get("bills", 0))) for row in await conn.execute(query)]


async def site_of(conn: AsyncConnection, code: str) -> SiteRow:
    """Give the site of a code that is known to exist."""
    query = select(site.c.id, site.c.code, site.c.name, site.c.zone).where(site.c.code == code)
    return SiteRow(*(await conn.execute(query)).one())


async def places_of_doors(conn: AsyncConnection, site_id: int) -> dict[int, int]:
    """Give the building of each door of a site that has one, by device."""
    query = (
        select(door.c.device_id, door.c.building_id)
        .join(building, building.c.id == door.c.building_id)
        .where(building.c.site_id == site_id)
    )
    return dict((await conn.execute(query)).all())
