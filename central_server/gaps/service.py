"""The gaps of a month: when which meter was not read, and whether meter, gateway or the way here is to blame.

A gateway tells of each gap when it has ended (``edge gaps`` shows the very same); what lasts is found
from what was heard last. A gateway that is silent may still read and keep: that is the link's.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.db import Database
from central_server.rbac import Actor
from central_server.schema import device, event, gateway, latest, series, site

KIND = "gap"
CAUSES = ("device", "edge", "link")
# Silent for longer: the same as ``edge gaps`` allows, three periods of the slowest usual poll.
_LASTING_MS = 3 * 15 * 60_000
_SILENT_MS = 90_000
_REGISTERS = ("kWh", "kvarh", "kVAh", "m3", "GJ")  # what has one of these is a meter


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which a meter was not read. Units: milliseconds UTC, ``until`` None while it lasts."""

    device_id: int
    code: str
    name: str
    edge_id: str
    site: str
    since: int
    until: int | None
    cause: str

    def lasted_ms(self, now: int) -> int:
        return (now if self.until is None else self.until) - self.since


async def gaps_of(db: Database, actor: Actor, start: int, end: int, now: int, text: str = "") -> list[Gap]:
    """List the gaps that touch [start, end), the newest first; ``text`` narrows to meters and gateways."""
    async with db.read() as connection:
        found = await _told(connection, actor, start, end)
        if start <= now < end:
            found += await _lasting(connection, actor, now)
    wanted = text.casefold()
    found = [gap for gap in found if wanted in f"{gap.code} {gap.name} {gap.edge_id}".casefold()]
    return sorted(found, key=lambda gap: (gap.since, gap.code), reverse=True)


def totals(gaps: Sequence[Gap], now: int) -> dict[str, int]:
    """Sum up how long meters were not read, by cause. Units: milliseconds."""
    return {cause: sum(gap.lasted_ms(now) for gap in gaps if gap.cause == cause) for cause in CAUSES}


async def _told(connection: AsyncConnection, actor: Actor, start: int, end: int) -> list[Gap]:
    """Read what gateways have told; the instant of the event is that of the gap's end."""
    query = (
        _devices(actor)
        .add_columns(event.c.body)
        .join(event, (event.c.gateway_id == gateway.c.id) & (event.c.subject == "device:" + device.c.code))
        .where(event.c.kind == KIND, event.c.at >= start)
    )
    found = []
    for row in await connection.execute(query):
        told = json.loads(row[5])
        since, until, cause = told.get("since"), told.get("until"), told.get("cause")
        if type(since) is int and type(until) is int and cause in CAUSES and since < end:
            found.append(Gap(row[0], row[1], row[2], row[3], row[4], since, until, cause))
    return found


async def _lasting(connection: AsyncConnection, actor: Actor, now: int) -> list[Gap]:
    """Find meters of which nothing has been heard for long."""
    newest = func.max(latest.c.taken_at)
    query = (
        _devices(actor)
        .add_columns(newest, gateway.c.last_seen_at)
        .join(series, series.c.device_id == device.c.id)
        .join(latest, latest.c.series_id == series.c.id)
        .where(series.c.unit.in_(_REGISTERS))
        .group_by(device.c.id, device.c.code, device.c.name, gateway.c.edge_id, site.c.name, gateway.c.last_seen_at)
        .having(newest < now - _LASTING_MS)
    )
    found = []
    for row in await connection.execute(query):
        cause = "link" if (row[6] or 0) < now - _SILENT_MS else "device"
        found.append(Gap(row[0], row[1], row[2], row[3], row[4], row[5], None, cause))
    return found


def _devices(actor: Actor) -> Select[Any]:
    return (
        select(device.c.id, device.c.code, device.c.name, gateway.c.edge_id, site.c.name)
        .select_from(device)
        .join(gateway, gateway.c.id == device.c.gateway_id)
        .join(site, site.c.id == gateway.c.site_id)
        .where(actor.sees_site(gateway.c.site_id), gateway.c.revoked_at.is_(None))
    )
