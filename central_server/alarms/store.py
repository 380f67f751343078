"""The SQL of alarms. An alarm is raised once, acknowledged once and cleared once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.schema import alarm, gateway
from central_server.telemetry.store import insert_ignoring
from protocols.sync import Event

PRIORITIES = (1, 2, 3)
GATEWAY_SILENT = "gateway_silent"  # the one condition that the centre sees by itself


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """One alarm; ``subject`` is "device:em-1", "bus:line-1" or "gateway:gw-1"."""

    id: int
    key: str
    gateway_id: int | None
    edge_id: str | None
    subject: str
    condition: str
    priority: int
    raised_at: int
    cleared_at: int | None
    acknowledged_at: int | None
    acknowledged_by: str | None
    detail: Mapping[str, Any]


async def raise_alarm(
    connection: AsyncConnection,
    *,
    key: str,
    gateway_id: int | None,
    subject: str,
    condition: str,
    priority: int,
    raised_at: int,
    detail: Mapping[str, Any],
) -> bool:
    """Note an alarm; False if it is known already."""
    values = {
        "key": key[:255],
        "gateway_id": gateway_id,
        "subject": subject[:128],
        "condition": condition[:64],
        "priority": priority if priority in PRIORITIES else PRIORITIES[-1],
        "raised_at": raised_at,
        "detail": json.dumps(detail, ensure_ascii=False),
    }
    done = await connection.execute(insert_ignoring(connection, alarm).values(values))
    return done.rowcount == 1


async def clear_alarm(connection: AsyncConnection, key: str, cleared_at: int) -> bool:
    """Note that an alarm's cause is gone; False if it was cleared before or is not known."""
    done = await connection.execute(
        update(alarm).where(alarm.c.key == key[:255], alarm.c.cleared_at.is_(None)).values(cleared_at=cleared_at)
    )
    return done.rowcount == 1


async def apply_event(connection: AsyncConnection, gateway_id: int, edge_id: str, event: Event) -> bool:
    """Raise or clear what a gateway's event speaks of; tell whether anything changed."""
    match event.kind:
        case "alarm":
            return await _apply_alarm(connection, gateway_id, edge_id, event)
        case "started" if event.subject == f"gateway:{edge_id}":
            # Its alarms ended unsaid with the process before; whatever still holds it raises again.
            return await _clear_all(connection, gateway_id, event.at)
        case _:
            return False


async def _clear_all(connection: AsyncConnection, gateway_id: int, at: int) -> bool:
    """Clear what a gateway raised up to an instant; its silence is the centre's own to clear."""
    done = await connection.execute(
        update(alarm)
        .where(alarm.c.gateway_id == gateway_id, alarm.c.cleared_at.is_(None), alarm.c.raised_at <= at)
        .where(alarm.c.condition != GATEWAY_SILENT)
        .values(cleared_at=at)
    )
    return done.rowcount > 0


async def _apply_alarm(connection: AsyncConnection, gateway_id: int, edge_id: str, event: Event) -> bool:
    body = event.body
    key = str(body.get("alarm_id", ""))
    if not key:
        return False
    if not key.startswith(f"{edge_id}/"):
        # No gateway may raise or clear what another one, or the centre itself, speaks of.
        key = f"{edge_id}/{key}"
    if body.get("state") == "cleared":
        return await clear_alarm(connection, key, event.at)
    detail = body.get("detail")
    priority = body.get("priority")
    return await raise_alarm(
        connection,
        key=key,
        gateway_id=gateway_id,
        subject=event.subject,
        condition=str(body.get("condition", "")),
        priority=priority if isinstance(priority, int) else PRIORITIES[-1],
        raised_at=event.at,
        detail=detail if isinstance(detail, dict) else {},
    )


async def acknowledge(connection: AsyncConnection, alarm_id: int, who: str, at: int) -> bool:
    """Note who has seen an alarm; False if somebody had before."""
    done = await connection.execute(
        update(alarm)
        .where(alarm.c.id == alarm_id, alarm.c.acknowledged_at.is_(None))
        .values(acknowledged_at=at, acknowledged_by=who)
    )
    return done.rowcount == 1


def _selected() -> Any:
    return (
        select(alarm, gateway.c.edge_id)
        .outerjoin(gateway, gateway.c.id == alarm.c.gateway_id)
        .order_by(alarm.c.cleared_at.is_not(None), alarm.c.acknowledged_at.is_not(None))
    )


def _row(found: Any) -> AlarmRow:
    return AlarmRow(
        found.id,
        found.key,
        found.gateway_id,
        found.edge_id,
        found.subject,
        found.condition,
        found.priority,
        found.raised_at,
        found.cleared_at,
        found.acknowledged_at,
        found.acknowledged_by,
        json.loads(found.detail),
    )


async def find(connection: AsyncConnection, alarm_id: int) -> AlarmRow | None:
    found = (await connection.execute(_selected().where(alarm.c.id == alarm_id))).one_or_none()
    return None if found is None else _row(found)


async def listed(connection: AsyncConnection, *, is_active: bool, limit: int, offset: int) -> list[AlarmRow]:
    """Give a page: what lasts, then what nobody has seen, then by priority and age; all of them newest first."""
    query = _selected() if is_active else select(alarm, gateway.c.edge_id).outerjoin(gateway)
    if is_active:
        query = query.where(_is_open()).order_by(alarm.c.priority, alarm.c.raised_at.desc(), alarm.c.id.desc())
    else:
        query = query.order_by(alarm.c.raised_at.desc(), alarm.c.id.desc())
    return [_row(found) for found in await connection.execute(query.limit(limit).offset(offset))]


def _is_open() -> Any:
    """Whatever still lasts, and whatever nobody has seen yet."""
    return alarm.c.cleared_at.is_(None) | alarm.c.acknowledged_at.is_(None)


async def count(connection: AsyncConnection, *, is_active: bool) -> int:
    query = select(func.count()).select_from(alarm)
    found: int = (await connection.execute(query.where(_is_open()) if is_active else query)).scalar_one()
    return found


async def unacknowledged(connection: AsyncConnection) -> dict[int, int]:
    """Count the alarms nobody has seen, by priority."""
    query = select(alarm.c.priority, func.count()).where(alarm.c.acknowledged_at.is_(None)).group_by(alarm.c.priority)
    counts: dict[int, int] = {row[0]: row[1] for row in await connection.execute(query)}
    return {priority: counts.get(priority, 0) for priority in PRIORITIES}


async def open_subjects(connection: AsyncConnection) -> dict[tuple[int | None, str], int]:
    """Give the highest priority of what lasts, by (gateway, subject)."""
    query = (
        select(alarm.c.gateway_id, alarm.c.subject, func.min(alarm.c.priority))
        .where(alarm.c.cleared_at.is_(None))
        .group_by(alarm.c.gateway_id, alarm.c.subject)
    )
    return {(row[0], row[1]): row[2] for row in await connection.execute(query)}


async def open_of(connection: AsyncConnection, gateway_id: int, condition: str) -> str | None:
    """Give the key of a gateway's lasting alarm of one condition."""
    query = select(alarm.c.key).where(
        alarm.c.gateway_id == gateway_id, alarm.c.condition == condition, alarm.c.cleared_at.is_(None)
    )
    return (await connection.execute(query.limit(1))).scalar_one_or_none()
