"""The SQL of alarms. An alarm is raised once, acknowledged once and cleared once.

Those of STAYS are not cleared when their cause is gone: that is noted, and a person ends them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.rbac import Actor
from central_server.schema import alarm, alarm_note, gateway
from central_server.telemetry.store import insert_ignoring
from protocols.sync import Event

PRIORITIES = (1, 2, 3)
GATEWAY_SILENT = "gateway_silent"  # the one condition of a gateway that the centre sees by itself
# Ended by a person alone: whether anybody was in there, and which of two boxes is the right one.
STAYS = frozenset(("lift_entrapment", "gateway_copied"))


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
    site_id: int | None = None
    gone_at: int | None = None

    @property
    def is_for_a_person(self) -> bool:
        """Whether it lasts until somebody ends it, whatever its cause does."""
        return self.condition in STAYS and self.cleared_at is None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alarms to list: those that last or wait for somebody, or all there ever were, narrowed further."""

    is_active: bool = True
    condition: str = ""
    site_id: int | None = None
    priority: int | None = None


class NoteRow(NamedTuple):
    """What somebody said to an alarm, or what became of it; ``kind`` is "comment" or "ended"."""

    id: int
    at: int
    kind: str
    name: str
    text: str | None


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
    site_id: int | None = None,
) -> bool:
    """Note an alarm; False if it is known already. A gateway's alarm is of its site."""
    if site_id is None and gateway_id is not None:
        site_id = await connection.scalar(select(gateway.c.site_id).where(gateway.c.id == gateway_id))
    values = {
        "key": key[:255],
        "gateway_id": gateway_id,
        "subject": subject[:128],
        "condition": condition[:64],
        "priority": priority if priority in PRIORITIES else PRIORITIES[-1],
        "raised_at": raised_at,
        "detail": json.dumps(detail, ensure_ascii=False),
        "site_id": site_id,
    }
    done = await connection.execute(insert_ignoring(connection, alarm).values(values))
    return done.rowcount == 1


async def clear_alarm(connection: AsyncConnection, key: str, cleared_at: int) -> bool:
    """Note that an alarm's cause is gone; False if it was cleared before or is not known."""
    open_one = update(alarm).where(alarm.c.key == key[:255], alarm.c.cleared_at.is_(None))
    done = await connection.execute(open_one.where(alarm.c.condition.not_in(STAYS)).values(cleared_at=cleared_at))
    stays = alarm.c.condition.in_(STAYS), alarm.c.gone_at.is_(None)
    gone = await connection.execute(open_one.where(*stays).values(gone_at=cleared_at))
    return done.rowcount + gone.rowcount == 1


async def end_alarm(connection: AsyncConnection, alarm_id: int, at: int) -> bool:
    """End an alarm that only a person may end; False for any other, or one that is ended."""
    where = alarm.c.id == alarm_id, alarm.c.condition.in_(STAYS), alarm.c.cleared_at.is_(None)
    return (await connection.execute(update(alarm).where(*where).values(cleared_at=at))).rowcount == 1


async def add_note(connection: AsyncConnection, alarm_id: int, actor: Actor, kind: str, text: str, at: int) -> None:
    said = {"alarm_id": alarm_id, "kind": kind, "text": text, "at": at}
    who = {"account_id": actor.account_id, "login": actor.login[:64], "name": actor.name}
    await connection.execute(insert(alarm_note).values(**said, **who))


async def notes(connection: AsyncConnection, alarm_id: int) -> list[NoteRow]:
    """Give what was said to an alarm, in order."""
    columns = alarm_note.c.id, alarm_note.c.at, alarm_note.c.kind, alarm_note.c.name, alarm_note.c.text
    query = select(*columns).where(alarm_note.c.alarm_id == alarm_id).order_by(alarm_note.c.id)
    return [NoteRow(*row) for row in await connection.execute(query)]


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
        .where(alarm.c.condition.not_in(STAYS | {GATEWAY_SILENT}))
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
    return select(alarm, gateway.c.edge_id).outerjoin(gateway, gateway.c.id == alarm.c.gateway_id)


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
        found.site_id,
        found.gone_at,
    )


def _seen_by(actor: Actor) -> ColumnElement[bool]:
    return actor.sees_site(alarm.c.site_id)


async def find(connection: AsyncConnection, alarm_id: int, actor: Actor) -> AlarmRow | None:
    query = _selected().where(alarm.c.id == alarm_id, _seen_by(actor))
    found = (await connection.execute(query)).one_or_none()
    return None if found is None else _row(found)


async def listed(
    connection: AsyncConnection, wanted: Wanted, actor: Actor, *, limit: int, offset: int
) -> list[AlarmRow]:
    """Give a page, newest first; of what is open, first what stays until a person ends it.

    Shape: then what lasts, then what nobody has seen, then by priority and age.
    """
    query = _selected().where(*_where(wanted, actor))
    if wanted.is_active:
        stays = and_(alarm.c.condition.in_(STAYS), alarm.c.cleared_at.is_(None))
        query = query.order_by(
            case((stays, 0), else_=1),
            alarm.c.cleared_at.is_not(None),
            alarm.c.acknowledged_at.is_not(None),
            alarm.c.priority,
        )
    query = query.order_by(alarm.c.raised_at.desc(), alarm.c.id.desc())
    return [_row(found) for found in await connection.execute(query.limit(limit).offset(offset))]


def _where(wanted: Wanted, actor: Actor) -> list[ColumnElement[bool]]:
    found = [_seen_by(actor)]
    if wanted.is_active:  # whatever still lasts, and whatever nobody has seen yet
        found.append(alarm.c.cleared_at.is_(None) | alarm.c.acknowledged_at.is_(None))
    if wanted.condition:
        found.append(alarm.c.condition == wanted.condition)
    if wanted.site_id is not None:
        found.append(alarm.c.site_id == wanted.site_id)
    if wanted.priority is not None:
        found.append(alarm.c.priority == wanted.priority)
    return found


async def count(connection: AsyncConnection, wanted: Wanted, actor: Actor) -> int:
    query = select(func.count()).select_from(alarm).where(*_where(wanted, actor))
    found: int = (await connection.execute(query)).scalar_one()
    return found


async def conditions(connection: AsyncConnection, actor: Actor) -> list[str]:
    """Give every condition there has been, for choosing."""
    query = select(alarm.c.condition).where(_seen_by(actor)).distinct().order_by(alarm.c.condition)
    return list((await connection.execute(query)).scalars())


async def unacknowledged(connection: AsyncConnection, actor: Actor) -> dict[int, int]:
    """Count the alarms nobody has seen, by priority."""
    query = select(alarm.c.priority, func.count()).where(alarm.c.acknowledged_at.is_(None), _seen_by(actor))
    counts: dict[int, int] = {row[0]: row[1] for row in await connection.execute(query.group_by(alarm.c.priority))}
    return {priority: counts.get(priority, 0) for priority in PRIORITIES}


async def of_subject(
    connection: AsyncConnection, gateway_id: int, subject: str, conditions: frozenset[str], limit: int
) -> list[AlarmRow]:
    """Give the alarms of one thing, newest first; ``conditions`` narrows them where it names any."""
    query = _selected().where(alarm.c.gateway_id == gateway_id, alarm.c.subject == subject)
    if conditions:
        query = query.where(alarm.c.condition.in_(conditions))
    query = query.order_by(alarm.c.raised_at.desc(), alarm.c.id.desc()).limit(limit)
    return [_row(found) for found in await connection.execute(query)]


async def open_subjects(connection: AsyncConnection) -> dict[tuple[int | None, str], int]:
    """Give the highest priority of what lasts, by (gateway, subject)."""
    query = (
        select(alarm.c.gateway_id, alarm.c.subject, func.min(alarm.c.priority))
        .where(alarm.c.cleared_at.is_(None))
        .group_by(alarm.c.gateway_id, alarm.c.subject)
    )
    return {(row[0], row[1]): row[2] for row in await connection.execute(query)}


async def open_by_gateway(connection: AsyncConnection, condition: str) -> dict[int, str]:
    """Give the key of each gateway's lasting alarm of one condition."""
    query = select(alarm.c.gateway_id, alarm.c.key).where(alarm.c.condition == condition, alarm.c.cleared_at.is_(None))
    return {row[0]: row[1] for row in await connection.execute(query)}


async def open_of(connection: AsyncConnection, gateway_id: int, condition: str) -> str | None:
    """Give the key of a gateway's lasting alarm of one condition."""
    query = select(alarm.c.key).where(
        alarm.c.gateway_id == gateway_id, alarm.c.condition == condition, alarm.c.cleared_at.is_(None)
    )
    return (await connection.execute(query.limit(1))).scalar_one_or_none()
