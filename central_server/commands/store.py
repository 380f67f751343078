"""The SQL of commands."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.commands.model import GRACE_MS, OPEN_STATES, QUEUED, SENT, CommandRow
from central_server.rbac import Actor, system
from central_server.schema import audit as audit_table
from central_server.schema import command, device, gateway, site
from protocols.command import DONE, ENDS, EXPIRED, REFUSED, RESULT, UNKNOWN
from protocols.sync import Event

_LONGEST_ERROR = 500


async def add(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    await connection.execute(insert(command).values(state=QUEUED, **values))


async def find(connection: AsyncConnection, command_id: str, actor: Actor) -> CommandRow | None:
    found = await _rows(connection, _query().where(command.c.id == command_id, actor.sees_site(gateway.c.site_id)))
    return found[0] if found else None


async def listed(
    connection: AsyncConnection, actor: Actor, *, device_id: int | None = None, limit: int, offset: int = 0
) -> list[CommandRow]:
    """Give commands, newest first."""
    query = _query().where(*_where(actor, device_id)).order_by(command.c.issued_at.desc(), command.c.id.desc())
    return await _rows(connection, query.limit(limit).offset(offset))


async def how_many(connection: AsyncConnection, actor: Actor, device_id: int | None = None) -> int:
    query = select(func.count()).select_from(command).join(gateway, gateway.c.id == command.c.gateway_id)
    return int((await connection.execute(query.where(*_where(actor, device_id)))).scalar_one())


async def alive(connection: AsyncConnection, gateway_id: int, now: int) -> list[CommandRow]:
    """Give what a gateway still has to be told, oldest first."""
    own = command.c
    query = _query().where(own.gateway_id == gateway_id, own.state.in_(OPEN_STATES), own.expires_at > now)
    return await _rows(connection, query.order_by(own.id))


async def overdue(connection: AsyncConnection, now: int) -> list[CommandRow]:
    """Give what has had its time and no end."""
    own = command.c
    late = or_(
        and_(own.state == QUEUED, own.expires_at <= now),
        and_(own.state == SENT, own.expires_at + GRACE_MS <= now),
    )
    return await _rows(connection, _query().where(own.state.in_(OPEN_STATES), late))


async def move(connection: AsyncConnection, command_id: str, before: str, after: str, **values: Any) -> bool:
    """Take a command from one state to another; False where it has left the first meanwhile."""
    done = await connection.execute(
        update(command).where(command.c.id == command_id, command.c.state == before).values(state=after, **values)
    )
    return done.rowcount == 1


async def give_up(connection: AsyncConnection, row: CommandRow) -> bool:
    """End a command of which nothing more can come in time."""
    return await move(connection, row.id, row.state, EXPIRED if row.state == QUEUED else UNKNOWN)


async def take_in(connection: AsyncConnection, gateway_id: int, edge_id: str, event: Event) -> bool:
    """Note what a gateway tells of a command, once; an event that says something else is passed over."""
    if event.kind == REFUSED:
        await _note_refused(connection, edge_id, event)
        return False
    return event.kind == RESULT and await take_result(connection, gateway_id, edge_id, event.body, event.at)


async def take_result(
    connection: AsyncConnection, gateway_id: int, edge_id: str, body: Mapping[str, Any], at: int
) -> bool:
    """Note how a command of this gateway ended, where it has not told before."""
    command_id, state = body.get("id"), body.get("state")
    if not isinstance(command_id, str) or state not in ENDS:
        return False
    error, back = body.get("error"), body.get("read_back")
    done = await connection.execute(
        update(command)
        .where(command.c.id == command_id, command.c.gateway_id == gateway_id, command.c.reported_at.is_(None))
        .values(
            state=state,
            reported_at=at,
            error=str(error)[:_LONGEST_ERROR] if error else None,
            read_back=json.dumps(back, ensure_ascii=False) if isinstance(back, dict) else None,
        )
    )
    if done.rowcount != 1:
        return False
    outcome = "done" if state == DONE else "failed"
    who, subject = system(f"gateway:{edge_id}"), f"command:{command_id}"
    await audit.note(connection, who, "commands.end", subject, outcome=outcome, state=state)
    return True


async def _note_refused(connection: AsyncConnection, edge_id: str, event: Event) -> None:
    """Write into the audit that a gateway would not believe a command; the same event again changes nothing."""
    detail = {
        "at": event.at,
        "reason": str(event.body.get("reason"))[:32],
        "times": _number(event.body.get("times")),
        "id": str(event.body.get("id"))[:64],
    }
    subject, own = f"gateway:{edge_id}", audit_table.c
    written = json.dumps(detail, ensure_ascii=False, sort_keys=True)
    known = select(own.id).where(own.action == "commands.refused", own.subject == subject, own.detail == written)
    if (await connection.execute(known.limit(1))).first() is None:
        await audit.note(connection, system("gateway"), "commands.refused", subject, outcome="denied", **detail)


def _number(value: Any) -> int | None:
    return value if type(value) is int else None


def _where(actor: Actor, device_id: int | None) -> list[ColumnElement[bool]]:
    found = [actor.sees_site(gateway.c.site_id)]
    return found if device_id is None else [*found, command.c.device_id == device_id]


def _query() -> Select[Any]:
    own = command.c
    return (
        select(own.id, own.gateway_id, gateway.c.edge_id, gateway.c.site_id, site.c.zone, own.device_id)
        .add_columns(device.c.code, func.coalesce(func.nullif(device.c.name, ""), device.c.code), device.c.kind)
        .add_columns(own.action, own.args, own.kind, own.state, own.actor, own.reason, own.issued_at, own.expires_at)
        .add_columns(own.reported_at, own.error, own.read_back)
        .join(gateway, gateway.c.id == own.gateway_id)
        .join(site, site.c.id == gateway.c.site_id)
        .join(device, device.c.id == own.device_id)
    )


async def _rows(connection: AsyncConnection, query: Select[Any]) -> list[CommandRow]:
    return [_row(tuple(row)) for row in await connection.execute(query)]


def _row(row: Sequence[Any]) -> CommandRow:
    found = CommandRow._make(row)
    args, back = json.loads(row[10]), row[19]
    return found._replace(
        args=args if isinstance(args, dict) else {}, read_back=None if back is None else json.loads(back)
    )
