"""The audit: who did what, when, from where and with what result, each entry chained to the one before.

An entry is written in the transaction of the change it speaks of. Its hash covers its content and
the hash of the entry before it, so that a change, a removal or a new order shows.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.clock import now_ms
from central_server.db import Database
from central_server.rbac import Actor
from central_server.schema import audit

GENESIS = "0" * 64
_COLUMNS = ("at", "login", "role", "peer", "action", "subject", "outcome", "detail")
_LOCK = 0x47415445  # an advisory lock's number on PostgreSQL
_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at the chain found; ``broken_id`` is the first entry that does not fit."""

    entries: int
    head: str
    broken_id: int | None = None


async def note(
    connection: AsyncConnection,
    actor: Actor,
    action: str,
    subject: str = "",
    *,
    outcome: str = "done",
    **detail: Any,
) -> None:
    """Write an entry in the caller's transaction.

    Shape: ``action`` is "<slice>.<verb>" such as "orders.assign", ``subject`` "<kind>:<key>" such as
    "order:12"; ``outcome`` is "done", "denied" or "failed". No personal data goes into ``detail``.
    """
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time already
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    newest = select(audit.c.id, audit.c.hash).order_by(audit.c.id.desc()).limit(1)
    last_id, before = (await connection.execute(newest)).one_or_none() or (0, GENESIS)
    values = {
        "at": now_ms(),
        "login": _clean(actor.login)[:64],
        "role": actor.role or "",
        "peer": _clean(actor.peer)[:64],
        "action": action,
        "subject": _clean(subject)[:128],
        "outcome": outcome,
        "detail": json.dumps(detail, ensure_ascii=False, sort_keys=True),
    }
    await connection.execute(
        insert(audit).values(
            **values, id=last_id + 1, account_id=actor.account_id, prev_hash=before, hash=entry_hash(before, values)
        )
    )


def entry_hash(before: str, values: Mapping[str, Any]) -> str:
    """Chain an entry to the one before it."""
    said = json.dumps([before, *(values[name] for name in _COLUMNS)], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


def _clean(text: str) -> str:
    """Leave out what could write other lines or turn the reading order."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


async def verify(db: Database) -> Verdict:
    """Walk the whole chain from its beginning."""
    before, last_id, count = GENESIS, 0, 0
    while True:
        query = select(audit).where(audit.c.id > last_id).order_by(audit.c.id).limit(_PAGE)
        async with db.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        for row in rows:
            # Numbers are given without gaps; one that is missing shows.
            fits = (
                row["id"] == last_id + 1 and row["prev_hash"] == before and row["hash"] == entry_hash(before, dict(row))
            )
            if not fits:
                return Verdict(count, before, row["id"])
            before, last_id, count = row["hash"], row["id"], count + 1
        if len(rows) < _PAGE:
            return Verdict(count, before)
