"""Which settings each gateway runs, and what became of those it tried: its own word, from its status and its events."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.configs import store
from central_server.db import Database
from central_server.devices import service as devices
from central_server.devices.store import GatewayRow
from central_server.rbac import Actor
from central_server.schema import event, gateway
from protocols.config_offer import CONFIRMED, ENDS, RESULT

MOST_ENDS = 50


@dataclass(frozen=True, slots=True)
class InForce:
    """What a gateway runs; ``revision`` is None where it has not told, ``offered`` where it has taken the last.

    Units: ``heard_at`` is milliseconds UTC.
    """

    edge_id: str
    name: str
    site: str
    revision: int | None
    state: str
    offered: int | None
    heard_at: int | None


class End(NamedTuple):
    """What became of one revision at its gateway; ``centre`` is its number here, None for one made there."""

    edge_id: str
    at: int
    revision: int
    centre: int | None
    state: str
    origin: str
    reason: str

    @property
    def is_good(self) -> bool:
        return self.state == CONFIRMED


async def in_force(db: Database, actor: Actor) -> list[InForce]:
    """Give what every gateway runs."""
    rows = [row for row in await devices.list_gateways(db, actor) if row.revoked_at is None]
    async with db.read() as connection:
        offered = await store.numbers_on_offer(connection)
    return [_in_force(row, offered.get(row.id)) for row in rows]


async def ends(connection: AsyncConnection, actor: Actor) -> list[End]:
    """Give what became of revisions, the newest first; what is none of the contract's is passed over."""
    known = list(
        await connection.execute(select(gateway.c.id, gateway.c.edge_id).where(actor.sees_site(gateway.c.site_id)))
    )
    edge_ids = {row[0]: row[1] for row in known}
    own = event.c
    query = select(own.gateway_id, own.at, own.body).where(
        own.subject.in_([f"gateway:{edge_id}" for edge_id in edge_ids.values()]),
        own.kind == RESULT,
        own.gateway_id.in_(edge_ids),
    )
    found = await connection.execute(query.order_by(own.at.desc(), own.id.desc()).limit(MOST_ENDS))
    read = [_end(edge_ids[row.gateway_id], row.at, json.loads(row.body)) for row in found]
    return [each for each in read if each is not None]


def _in_force(row: GatewayRow, offered: int | None) -> InForce:
    told = row.status.get("config")
    config: Mapping[str, Any] = told if isinstance(told, dict) else {}
    number, state, taken = config.get("revision"), config.get("state"), config.get("centre")
    if offered is not None and type(taken) is int and taken >= offered:
        offered = None
    return InForce(
        row.edge_id,
        row.name,
        row.site_code,
        number if type(number) is int else None,
        state if isinstance(state, str) else "unknown",
        offered,
        row.last_seen_at,
    )


def _end(edge_id: str, at: int, body: Mapping[str, Any]) -> End | None:
    number, state, centre = body.get("revision"), body.get("state"), body.get("centre")
    if type(number) is not int or state not in ENDS:
        return None
    origin, reason = (str(body.get(name) or "")[:500] for name in ("origin", "reason"))
    return End(edge_id, at, number, centre if type(centre) is int else None, str(state), origin, reason)
