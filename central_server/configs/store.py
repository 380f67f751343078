"""The SQL of settings that are meant for gateways."""

import json
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.rbac import system
from central_server.schema import audit as audit_table
from central_server.schema import config_revision, gateway
from protocols.config_offer import CONFIRMED, ENDS, REFUSED, RESULT
from protocols.sync import Event

OFFERED, SUPERSEDED = "offered", "superseded"
_LONGEST_REASON = 500
_MOST_NUMBER = 2**31


class ConfigRow(NamedTuple):
    """A revision as people see it. Units: instants are milliseconds UTC."""

    number: int
    hash: str
    actor: str
    issued_at: int
    state: str
    reported_at: int | None
    reason: str | None
    edge_revision: int | None


class Open(NamedTuple):
    """A revision that its gateway has still to be told of."""

    gateway_id: int
    edge_id: str
    number: int
    text: str
    actor: str
    issued_at: int


async def next_number(connection: AsyncConnection, gateway_id: int) -> int:
    """Give a number above all that this centre gave, and above those that its gateway has seen.

    A centre that was restored from an older copy must not use a number again: the gateway would not take it.
    """
    own = config_revision.c
    ours = await connection.scalar(select(func.max(own.number)).where(own.gateway_id == gateway_id))
    said = await connection.scalar(select(gateway.c.status).where(gateway.c.id == gateway_id))
    config = (json.loads(said) if said else {}).get("config")
    told = config.get("centre") if isinstance(config, dict) else None
    return max(ours or 0, told if type(told) is int and 0 <= told < _MOST_NUMBER else 0) + 1


async def add(connection: AsyncConnection, gateway_id: int, **values: Any) -> None:
    """Offer a revision in place of one that is still on offer."""
    own = config_revision.c
    is_open = own.gateway_id == gateway_id, own.state == OFFERED
    await connection.execute(update(config_revision).where(*is_open).values(state=SUPERSEDED))
    await connection.execute(insert(config_revision).values(gateway_id=gateway_id, state=OFFERED, **values))


async def on_offer(connection: AsyncConnection, gateway_id: int | None = None) -> list[Open]:
    """Give what is on offer, of one gateway or of all."""
    own = config_revision.c
    query = (
        select(own.gateway_id, gateway.c.edge_id, own.number, own.body, own.actor, own.issued_at)
        .join(gateway, gateway.c.id == own.gateway_id)
        .where(own.state == OFFERED)
    )
    if gateway_id is not None:
        query = query.where(own.gateway_id == gateway_id)
    return [Open._make(row) for row in await connection.execute(query)]


async def numbers_on_offer(connection: AsyncConnection) -> dict[int, int]:
    """Give the number on offer by gateway."""
    own = config_revision.c
    rows = await connection.execute(select(own.gateway_id, own.number).where(own.state == OFFERED))
    return {row[0]: row[1] for row in rows}


_own = config_revision.c
_ON_OFFER = select(_own.number).where(_own.gateway_id == bindparam("of_gateway"), _own.state == OFFERED)
_ON_OFFER = _ON_OFFER.order_by(_own.number.desc()).limit(1)


async def number_on_offer(connection: AsyncConnection, gateway_id: int) -> int | None:
    """Give the number on offer for one gateway: each asks with every status."""
    found: int | None = await connection.scalar(_ON_OFFER, {"of_gateway": gateway_id})
    return found


async def listed(connection: AsyncConnection, gateway_id: int) -> list[ConfigRow]:
    """Give a gateway's revisions, newest first."""
    own = config_revision.c
    query = select(*(own[name] for name in ConfigRow._fields)).where(own.gateway_id == gateway_id)
    return [ConfigRow._make(row) for row in await connection.execute(query.order_by(own.number.desc()))]


async def body_of(connection: AsyncConnection, gateway_id: int, number: int) -> str | None:
    own = config_revision.c
    found: str | None = await connection.scalar(
        select(own.body).where(own.gateway_id == gateway_id, own.number == number)
    )
    return found


async def take_in(connection: AsyncConnection, gateway_id: int, edge_id: str, event: Event) -> bool:
    """Note what a gateway tells of settings, once; an event that says something else is passed over."""
    if event.kind == REFUSED:
        await _note_refused(connection, edge_id, event)
        return False
    body = event.body
    number, state, made = body.get("centre"), body.get("state"), body.get("revision")
    if event.kind != RESULT or type(number) is not int or state not in ENDS:
        return False
    own = config_revision.c
    done = await connection.execute(
        update(config_revision)
        .where(own.gateway_id == gateway_id, own.number == number, own.reported_at.is_(None))
        .where(own.hash == str(body.get("hash")))
        .values(
            state=state,
            reported_at=event.at,
            reason=str(body.get("reason") or "")[:_LONGEST_REASON] or None,
            edge_revision=made if type(made) is int and 0 < made < _MOST_NUMBER else None,
        )
    )
    if done.rowcount != 1:
        return False
    who, subject = system(f"gateway:{edge_id}"), f"gateway:{edge_id}"
    outcome = "done" if state == CONFIRMED else "failed"
    await audit.note(connection, who, "configs.end", subject, outcome=outcome, revision=number, state=state)
    return True


async def _note_refused(connection: AsyncConnection, edge_id: str, event: Event) -> None:
    """Write into the audit that a gateway would not believe settings; the same event again changes nothing."""
    detail = {"at": event.at, "reason": str(event.body.get("reason"))[:32]}
    subject, own = f"gateway:{edge_id}", audit_table.c
    written = json.dumps(detail, ensure_ascii=False, sort_keys=True)
    known = select(own.id).where(own.action == "configs.refused", own.subject == subject, own.detail == written)
    if (await connection.execute(known.limit(1))).first() is None:
        await audit.note(connection, system("gateway"), "configs.refused", subject, outcome="denied", **detail)
