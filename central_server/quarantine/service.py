"""What was set aside, for people: which, since when and why, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.rbac import Actor
from central_server.schema import batch, gateway, quarantine
from central_server.sync.names import names_of
from central_server.sync.quarantine import WHOLE
from protocols.sync import Series

PAGE = 50
STATES = ("open", "settled", "all")


@dataclass(frozen=True, slots=True)
class Entry:
    """Something set aside; ``seq`` is 0 for a whole batch, ``outcome`` "retried", "dismissed" or None."""

    id: int
    edge_id: str
    gateway: str
    batch_id: int
    lane: int
    first_seq: int
    last_seq: int
    seq: int
    reason: str
    detail: str
    noted_at: int
    tries: int
    settled_at: int | None
    settled_by: str | None
    outcome: str | None
    remark: str | None


@dataclass(frozen=True, slots=True)
class Opened:
    """One entry with the batch it is of, and what the numbers of series in it stand for."""

    entry: Entry
    digest: str
    received_at: int
    body: bytes
    names: dict[int, Series]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is narrowed to."""

    text: str = ""
    state: str = "open"


async def list_entries(db: Database, actor: Actor, wanted: Wanted, page: int) -> tuple[int, Sequence[Entry]]:
    """Give how many entries fit and a page of them, newest first."""
    fits = _fits(actor, wanted)
    async with db.read() as connection:
        joined = quarantine.join(gateway, gateway.c.id == quarantine.c.gateway_id)
        total = (await connection.execute(select(func.count()).select_from(joined).where(fits))).scalar_one()
        query = _entries().where(fits).order_by(quarantine.c.id.desc()).limit(PAGE).offset((page - 1) * PAGE)
        return total, [Entry(*row) for row in await connection.execute(query)]


async def open_count(connection: AsyncConnection, actor: Actor) -> int:
    """Count what nobody has settled."""
    joined = quarantine.join(gateway, gateway.c.id == quarantine.c.gateway_id)
    query = select(func.count()).select_from(joined).where(_fits(actor, Wanted()))
    return int((await connection.execute(query)).scalar_one())


async def open_entry(db: Database, actor: Actor, key: int) -> Opened:
    """Give one entry with its bytes. Raises: NotFound."""
    async with db.read() as connection:
        entry = await _one(connection, actor, key)
        query = select(batch.c.digest, batch.c.received_at, batch.c.epoch, batch.c.body, batch.c.gateway_id)
        row = (await connection.execute(query.where(batch.c.id == entry.batch_id))).one()
        names = await names_of(connection, row.gateway_id, int(row.epoch))
    return Opened(entry, row.digest, row.received_at, bytes(row.body), names)


async def try_again(db: Database, actor: Actor, key: int) -> None:
    """Have a whole batch expanded once more. Raises: NotFound; Conflict where that cannot be."""
    async with db.write() as connection:
        entry = await _one(connection, actor, key)
        if entry.seq != WHOLE:
            text = "Only a whole batch can be tried again here. A single record is tried by: central sync rebuild"
            raise Conflict("quarantine_single", text)
        await _settle(connection, actor, entry, "retried", "")
        values = {"error": None}
        await connection.execute(update(batch).where(batch.c.id == entry.batch_id).values(values))
        await audit.note(connection, actor, "quarantine.retry", f"batch:{entry.batch_id}", gateway=entry.edge_id)


async def dismiss(db: Database, actor: Actor, key: int, remark: str) -> None:
    """Settle an entry with a remark; the bytes stay in the log. Raises: NotFound; Conflict if somebody has before."""
    async with db.write() as connection:
        entry = await _one(connection, actor, key)
        await _settle(connection, actor, entry, "dismissed", remark)
        more: dict[str, Any] = {"gateway": entry.edge_id, "seq": entry.seq, "remark": remark}
        await audit.note(connection, actor, "quarantine.dismiss", f"batch:{entry.batch_id}", **more)


async def _settle(connection: AsyncConnection, actor: Actor, entry: Entry, outcome: str, remark: str) -> None:
    own = quarantine.c
    values = {"settled_at": now_ms(), "settled_by": actor.name, "outcome": outcome, "remark": remark}
    done = await connection.execute(
        update(quarantine).where(own.id == entry.id, own.settled_at.is_(None)).values(values)
    )
    if done.rowcount != 1:
        raise Conflict("quarantine_settled", "Somebody has settled this already. Look at it again.")


async def _one(connection: AsyncConnection, actor: Actor, key: int) -> Entry:
    query = _entries().where(quarantine.c.id == key, actor.sees_site(gateway.c.site_id))
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound("no_quarantine", "Nothing is set aside under this number.")
    return Entry(*row)


def _entries() -> Any:
    own = quarantine.c
    return (
        select(own.id, gateway.c.edge_id, gateway.c.name, own.batch_id)
        .add_columns(batch.c.lane, batch.c.first_seq, batch.c.last_seq, own.seq, own.reason, own.detail)
        .add_columns(own.noted_at, own.tries, own.settled_at, own.settled_by, own.outcome, own.remark)
        .join(gateway, gateway.c.id == own.gateway_id)
        .join(batch, batch.c.id == own.batch_id)
    )


def _fits(actor: Actor, wanted: Wanted) -> ColumnElement[bool]:
    own = quarantine.c
    fits: ColumnElement[bool] = and_(true(), actor.sees_site(gateway.c.site_id))
    if wanted.state != "all":
        fits &= own.settled_at.is_(None) if wanted.state == "open" else own.settled_at.is_not(None)
    if wanted.text:
        texts = (gateway.c.edge_id, gateway.c.name, own.detail)
        fits &= or_(*(text.icontains(wanted.text, autoescape=True) for text in texts))
    return fits
