"""The audit for readers: found by who, what, on what and when, a page at a time or whole."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.audit import GENESIS
from central_server.db import Database
from central_server.rbac import Actor
from central_server.schema import account, audit

PAGE = 50
_CHUNK = 1_000
OUTCOMES = ("done", "denied", "failed")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the audit."""

    id: int
    at: int
    login: str
    role: str
    peer: str
    action: str
    subject: str
    outcome: str
    detail: Mapping[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the audit is narrowed to; ``from_at`` and ``to_at`` in ms, ``to_at`` not within."""

    who: str = ""
    action: str = ""
    subject: str = ""
    outcome: str = ""
    from_at: int | None = None
    to_at: int | None = None


def _fits(actor: Actor, wanted: Wanted) -> ColumnElement[bool]:
    fits: ColumnElement[bool] = true()
    if actor.site_id is not None:
        fits &= audit.c.account_id.in_(select(account.c.id).where(account.c.site_id == actor.site_id))
    if wanted.who:
        fits &= audit.c.login.icontains(wanted.who, autoescape=True)
    if wanted.action:
        fits &= or_(audit.c.action == wanted.action, audit.c.action.startswith(f"{wanted.action}.", autoescape=True))
    if wanted.subject:
        fits &= audit.c.subject.icontains(wanted.subject, autoescape=True)
    if wanted.outcome:
        fits &= audit.c.outcome == wanted.outcome
    if wanted.from_at is not None:
        fits &= audit.c.at >= wanted.from_at
    if wanted.to_at is not None:
        fits &= audit.c.at < wanted.to_at
    return fits


def _entry(row: Any) -> Entry:
    texts = (row.login, row.role, row.peer, row.action, row.subject, row.outcome)
    return Entry(row.id, row.at, *texts, json.loads(row.detail), row.hash)


async def list_entries(
    connection: AsyncConnection, actor: Actor, wanted: Wanted, page: int
) -> tuple[int, Sequence[Entry]]:
    """Give how many entries fit and a page of them, newest first."""
    fits = _fits(actor, wanted)
    total = (await connection.execute(select(func.count()).select_from(audit).where(fits))).scalar_one()
    query = select(audit).where(fits).order_by(audit.c.id.desc()).limit(PAGE).offset((page - 1) * PAGE)
    return total, [_entry(row) for row in await connection.execute(query)]


async def list_actions(connection: AsyncConnection) -> list[str]:
    """Give every action that was ever noted."""
    return list((await connection.execute(select(audit.c.action).distinct().order_by(audit.c.action))).scalars())


async def every_entry(db: Database, actor: Actor, wanted: Wanted) -> AsyncIterator[Entry]:
    """Give every entry that fits, oldest first; what is noted meanwhile comes too."""
    last_id = 0
    while True:
        query = select(audit).where(_fits(actor, wanted), audit.c.id > last_id).order_by(audit.c.id).limit(_CHUNK)
        async with db.read() as connection:
            rows = (await connection.execute(query)).all()
        for row in rows:
            yield _entry(row)
            last_id = row.id
        if len(rows) < _CHUNK:
            return


async def holds(db: Database, known: str) -> bool:
    """Tell whether a hash that was noted earlier is still in the chain."""
    if known == GENESIS:
        return True
    async with db.read() as connection:
        return (await connection.execute(select(audit.c.id).where(audit.c.hash == known))).first() is not None
