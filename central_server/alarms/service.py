"""Alarms for people: what lasts, what nobody has seen, who has seen it, and what was said to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.alarms import store
from central_server.alarms.store import AlarmRow, NoteRow, Wanted
from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.rbac import Actor, system

PAGE = 50
_ITSELF = system("alarms")


class Note(BaseModel):
    """What somebody writes to an alarm."""

    text: Annotated[str, StringConstraints(min_length=2, max_length=500)]


@dataclass(frozen=True, slots=True)
class AlarmPage:
    """A page of alarms and how many there are in all."""

    alarms: tuple[AlarmRow, ...]
    total: int
    page: int
    pages: int


async def raise_own(
    connection: AsyncConnection,
    *,
    key: str,
    site_id: int,
    subject: str,
    condition: str,
    priority: int,
    at: int,
    detail: Mapping[str, Any],
) -> bool:
    """Raise an alarm that the centre sees by itself, in the caller's transaction; False if the key is known."""
    return await store.raise_alarm(
        connection,
        key=f"centre/{key}",
        gateway_id=None,
        subject=subject,
        condition=condition,
        priority=priority,
        raised_at=at,
        detail=detail,
        site_id=site_id,
    )


async def clear_own(connection: AsyncConnection, key: str, at: int) -> bool:
    """Clear what ``raise_own`` raised; False if it was cleared before or is not known."""
    return await store.clear_alarm(connection, f"centre/{key}", at)


async def list_alarms(
    db: Database, *, actor: Actor = _ITSELF, is_active: bool = True, page: int = 1, wanted: Wanted | None = None
) -> AlarmPage:
    """Give a page: those that last or wait for somebody, or all there ever were; ``wanted`` narrows them."""
    wanted = wanted or Wanted(is_active)
    async with db.read() as connection:
        total = await store.count(connection, wanted, actor)
        pages = max(1, -(-total // PAGE))
        page = min(max(page, 1), pages)
        rows = await store.listed(connection, wanted, actor, limit=PAGE, offset=(page - 1) * PAGE)
    return AlarmPage(tuple(rows), total, page, pages)


async def get_alarm(db: Database, alarm_id: int, actor: Actor = _ITSELF) -> AlarmRow:
    """Give one alarm. Raises: NotFound, also for one of another site."""
    async with db.read() as connection:
        return await _get(connection, actor, alarm_id)


async def _get(connection: AsyncConnection, actor: Actor, alarm_id: int) -> AlarmRow:
    found = await store.find(connection, alarm_id, actor)
    if found is None:
        raise NotFound("no_alarm", "There is no such alarm.")
    return found


async def acknowledge(db: Database, actor: Actor, alarm_id: int) -> AlarmRow:
    """Note who has seen an alarm.

    Raises: NotFound; Conflict naming the one who was first.
    """
    async with db.write() as connection:
        await _get(connection, actor, alarm_id)
        is_first = await store.acknowledge(connection, alarm_id, actor.name, now_ms())
        if is_first:
            await audit.note(connection, actor, "alarms.acknowledge", f"alarm:{alarm_id}")
        found = await _get(connection, actor, alarm_id)
    if not is_first:
        raise Conflict("alarm_acknowledged", "{who} has acknowledged this alarm already.", who=found.acknowledged_by)
    return found


async def comment(db: Database, actor: Actor, alarm_id: int, note: Note) -> AlarmRow:
    """Write down what was found or done. Raises: NotFound."""
    async with db.write() as connection:
        found = await _get(connection, actor, alarm_id)
        await store.add_note(connection, alarm_id, actor, "comment", note.text, now_ms())
        await audit.note(connection, actor, "alarms.comment", f"alarm:{alarm_id}")
    return found


async def end(db: Database, actor: Actor, alarm_id: int, note: Note) -> AlarmRow:
    """End an alarm that only a person may end, saying how it ended; it counts as seen.

    Raises: NotFound; Conflict where it is ended already, or ends by itself.
    """
    async with db.write() as connection:
        await _get(connection, actor, alarm_id)
        if not await store.end_alarm(connection, alarm_id, now_ms()):
            raise Conflict("alarm_not_to_end", "This alarm is over already, or ends by itself when its cause is gone.")
        await store.acknowledge(connection, alarm_id, actor.name, now_ms())
        await store.add_note(connection, alarm_id, actor, "ended", note.text, now_ms())
        await audit.note(connection, actor, "alarms.end", f"alarm:{alarm_id}")
        return await _get(connection, actor, alarm_id)


async def notes_of(db: Database, actor: Actor, alarm_id: int) -> list[NoteRow]:
    """Give what was said to an alarm, in order. Raises: NotFound."""
    async with db.read() as connection:
        await _get(connection, actor, alarm_id)
        return await store.notes(connection, alarm_id)


async def conditions(db: Database, actor: Actor) -> list[str]:
    """Give every condition there has been at the actor's site."""
    async with db.read() as connection:
        return await store.conditions(connection, actor)


async def counts(db: Database, actor: Actor = _ITSELF) -> Mapping[int, int]:
    """Count the alarms nobody has seen, by priority 1 to 3."""
    async with db.read() as connection:
        return await store.unacknowledged(connection, actor)


async def open_subjects(db: Database) -> Mapping[tuple[int | None, str], int]:
    """Give the highest priority of what lasts, by (gateway id, subject)."""
    async with db.read() as connection:
        return await store.open_subjects(connection)


async def of_subject(
    db: Database, gateway_id: int, subject: str, conditions: frozenset[str] = frozenset(), limit: int = 30
) -> list[AlarmRow]:
    """Give the alarms of one thing, newest first; whoever asks has shown that they may see it."""
    async with db.read() as connection:
        return await store.of_subject(connection, gateway_id, subject, conditions, limit)
