"""A workbook is kept as it was sent, looked at without a change, and brought in when confirmed."""

import asyncio
import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.form import Problem
from central_server.rbac import Actor
from central_server.records import workbook
from central_server.records.importing import bring
from central_server.records.work import Outcome
from central_server.records.workbook import CellFault
from central_server.schema import workbook as kept

_KEPT_MS = 7 * 86_400_000  # a file that nobody confirmed holds personal data for nothing
_reading = asyncio.Lock()  # one at a time: a large file takes seconds of a core


@dataclass(frozen=True, slots=True)
class Look:
    """A file with what it would do, or did; ``faults`` is cut, ``faulty`` counts all of them."""

    id: int
    name: str
    digest: str
    received_at: int
    applied_at: int | None
    rows: int
    outcome: Outcome | None = None
    faults: tuple[CellFault, ...] = ()
    faulty: int = 0


async def keep(db: Database, actor: Actor, name: str, body: bytes) -> int:
    """Keep a file to be looked at; the same bytes again are the same file. Raises: Invalid."""
    await asyncio.to_thread(workbook.check, body)
    digest, now = hashlib.sha256(body).hexdigest(), now_ms()
    values = {
        "name": "".join(letter for letter in name if letter.isprintable())[:120],
        "account_id": actor.account_id,
        "received_at": now,
        "applied_at": None,
        "rows": 0,
        "body": base64.b64encode(body).decode(),
    }
    async with db.write() as connection:
        await connection.execute(delete(kept).where(kept.c.applied_at.is_(None), kept.c.received_at < now - _KEPT_MS))
        key: int | None = await connection.scalar(select(kept.c.id).where(kept.c.digest == digest))
        if key is None:
            made = await connection.execute(kept.insert().values(digest=digest, **values))
            key = int(made.inserted_primary_key[0]) if made.inserted_primary_key else 0
        else:
            await connection.execute(update(kept).where(kept.c.id == key).values(**values))
        await audit.note(connection, actor, "records.upload", f"workbook:{key}", digest=digest)
    return key


async def look(db: Database, actor: Actor, key: int) -> Look:
    """Say what a file would do, without a change. Raises: NotFound, Invalid."""
    async with db.read() as connection:
        row = await _row(connection, actor, key)
        if row.applied_at is not None:
            return _look(row)
        book = await _read(row.body)
        outcome = await bring(connection, actor, book.records, (), is_dry_run=True, broken=book.broken)
    faults = (*book.faults, *(book.place(each) for each in outcome.refusals))
    return _look(row, book.rows, outcome, faults, book.faulty + outcome.refused)


async def apply(db: Database, actor: Actor, key: int, digest: str) -> Outcome:
    """Bring in exactly the file that was looked at; all of it or none.

    Raises: NotFound, Conflict where it was brought in already or something in its way came up meanwhile.
    """
    async with db.read() as connection:
        row = await _row(connection, actor, key)
    if row.digest != digest:
        raise Conflict("workbook_other", "This is not the file you looked at. Look at it again.")
    if row.applied_at is not None:
        raise Conflict("workbook_done", "This file was brought in already.")
    book = await _read(row.body)
    if book.faults:
        raise _changed()
    async with db.write() as connection:
        if (await _row(connection, actor, key)).applied_at is not None:
            raise Conflict("workbook_done", "This file was brought in already.")
        outcome = await bring(connection, actor, book.records, (), is_dry_run=False)
        if outcome.refusals:
            raise _changed()
        # What is kept from here on is the hash, not the personal data.
        done = {"applied_at": now_ms(), "rows": book.rows, "body": ""}
        await connection.execute(update(kept).where(kept.c.id == key).values(**done))
        said: dict[str, Any] = {"digest": digest, "tables": outcome.tables}
        await audit.note(connection, actor, "records.import", f"workbook:{key}", **said)
    return outcome


def _changed() -> Conflict:
    return Conflict("workbook_stale", "The records have changed since you looked. Look at the file again.")


async def _row(connection: AsyncConnection, actor: Actor, key: int) -> Any:
    """Give a kept file to whoever sent it; another's is not there."""
    query = select(kept).where(kept.c.id == key, kept.c.account_id == actor.account_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound("not_found", "There is nothing at this address.")
    return row


async def _read(body: str) -> workbook.Book:
    async with _reading:
        return await asyncio.to_thread(lambda: workbook.read(base64.b64decode(body)))


def _look(
    row: Any,
    rows: int | None = None,
    outcome: Outcome | None = None,
    faults: tuple[CellFault, ...] = (),
    faulty: int = 0,
) -> Look:
    number = row.rows if rows is None else rows
    return Look(row.id, row.name, row.digest, row.received_at, row.applied_at, number, outcome, faults, faulty)


NO_FILE = Problem("Choose a file.")
