"""Alarms for people: what lasts, what nobody has seen, and who has seen it."""

from collections.abc import Mapping
from dataclasses import dataclass

from central_server.alarms import store
from central_server.alarms.store import AlarmRow
from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import Conflict, NotFound

PAGE = 50


@dataclass(frozen=True, slots=True)
class AlarmPage:
    """A page of alarms and how many there are in all."""

    alarms: tuple[AlarmRow, ...]
    total: int
    page: int
    pages: int


async def list_alarms(db: Database, *, is_active: bool = True, page: int = 1) -> AlarmPage:
    """Give a page: those that last or wait for somebody, or all there ever were."""
    async with db.read() as connection:
        total = await store.count(connection, is_active=is_active)
        pages = max(1, -(-total // PAGE))
        page = min(max(page, 1), pages)
        rows = await store.listed(connection, is_active=is_active, limit=PAGE, offset=(page - 1) * PAGE)
    return AlarmPage(tuple(rows), total, page, pages)


async def get_alarm(db: Database, alarm_id: int) -> AlarmRow:
    """Give one alarm. Raises: NotFound."""
    async with db.read() as connection:
        found = await store.find(connection, alarm_id)
    if found is None:
        raise NotFound("no_alarm", "There is no such alarm.")
    return found


async def acknowledge(db: Database, alarm_id: int, who: str) -> AlarmRow:
    """Note who has seen an alarm.

    Raises: NotFound; Conflict naming the one who was first.
    """
    async with db.write() as connection:
        is_first = await store.acknowledge(connection, alarm_id, who, now_ms())
        found = await store.find(connection, alarm_id)
    if found is None:
        raise NotFound("no_alarm", "There is no such alarm.")
    if not is_first:
        raise Conflict("alarm_acknowledged", "{who} has acknowledged this alarm already.", who=found.acknowledged_by)
    return found


async def counts(db: Database) -> Mapping[int, int]:
    """Count the alarms nobody has seen, by priority 1 to 3."""
    async with db.read() as connection:
        return await store.unacknowledged(connection)


async def open_subjects(db: Database) -> Mapping[tuple[int | None, str], int]:
    """Give the highest priority of what lasts, by (gateway id, subject)."""
    async with db.read() as connection:
        return await store.open_subjects(connection)
