"""The SQL of payments."""

from typing import Any, NamedTuple

from sqlalchemy import Row, Select, case, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.db import sum_of
from central_server.rbac import Actor
from central_server.schema import bill, building, payment, site, unit

_LOCK = 0x50415953  # an advisory lock's number on PostgreSQL

_reversal, _reversed = payment.alias("reversal"), payment.alias("reversed")


class Owed(NamedTuple):
    """A bill at the counter. Units: fen."""

    id: int
    zone: str
    total_fen: int
    paid_fen: int

    @property
    def owed_fen(self) -> int:
        return self.total_fen - self.paid_fen


class Sums(NamedTuple):
    """An amount, and the part of it that a figure is about. Units: fen."""

    whole: int
    part: int


class Payment(NamedTuple):
    """A payment, or the counter-entry that gives one back.

    Shape: ``reverses`` and ``reversed_by`` are references of the other entry. Units: fen, ms since the epoch.
    """

    id: int
    reference: str
    bill: str
    unit: str
    building: str
    site: str
    zone: str
    owner: str | None
    period: str
    amount_fen: int
    method: str
    is_online: bool
    taken_at: int
    taken_by: str
    reason: str | None
    reverses: str | None
    reversed_by: str | None

    @property
    def is_reversal(self) -> bool:
        return self.reverses is not None


async def one_at_a_time(connection: AsyncConnection) -> None:
    """Let one transaction at a time look at what is owed and take it; SQLite has one writer already."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))


async def owed(connection: AsyncConnection, actor: Actor, number: str) -> Owed | None:
    paid = select(sum_of(payment.c.amount_fen)).where(payment.c.bill_id == bill.c.id)
    query = (
        select(bill.c.id, site.c.zone, bill.c.total_fen, paid.scalar_subquery())
        .select_from(_bills())
        .where(bill.c.number == number, actor.sees_site(site.c.id))
    )
    row = (await connection.execute(query)).first()
    return None if row is None else Owed(*row)


async def count_of(connection: AsyncConnection, prefix: str) -> int:
    """Count the payments whose reference begins so."""
    query = select(func.count()).select_from(payment).where(payment.c.reference.startswith(prefix, autoescape=True))
    return int(await connection.scalar(query) or 0)


async def add(connection: AsyncConnection, **values: Any) -> None:
    await connection.execute(insert(payment).values(**values))


async def by_once_key(connection: AsyncConnection, once_key: str) -> Payment | None:
    row = (await connection.execute(_payments().where(payment.c.once_key == once_key))).first()
    return None if row is None else _payment(row)


async def by_reference(connection: AsyncConnection, actor: Actor, reference: str) -> Payment | None:
    query = _payments().where(payment.c.reference == reference, actor.sees_site(site.c.id))
    row = (await connection.execute(query)).first()
    return None if row is None else _payment(row)


async def of_bill(connection: AsyncConnection, bill_id: int) -> list[Payment]:
    query = _payments().where(payment.c.bill_id == bill_id).order_by(payment.c.id)
    return [_payment(row) for row in await connection.execute(query)]


async def between(connection: AsyncConnection, actor: Actor, from_at: int, to_at: int) -> list[Payment]:
    query = _payments().where(payment.c.taken_at >= from_at, payment.c.taken_at < to_at, actor.sees_site(site.c.id))
    return [_payment(row) for row in await connection.execute(query.order_by(payment.c.id.desc()))]


async def received(connection: AsyncConnection, site_id: int, from_at: int, to_at: int) -> Sums:
    online = case((payment.c.is_online, payment.c.amount_fen), else_=0)
    query = (
        select(sum_of(payment.c.amount_fen), sum_of(online))
        .select_from(_bills().join(payment, payment.c.bill_id == bill.c.id))
        .where(site.c.id == site_id, payment.c.taken_at >= from_at, payment.c.taken_at < to_at)
    )
    return Sums(*(int(value) for value in (await connection.execute(query)).one()))


async def due(connection: AsyncConnection, site_id: int, from_on: str, to_on: str) -> Sums:
    is_due = (site.c.id == site_id, bill.c.due_on >= from_on, bill.c.due_on < to_on)
    billed = select(sum_of(bill.c.total_fen)).select_from(_bills()).where(*is_due)
    paid = select(sum_of(payment.c.amount_fen)).select_from(_bills().join(payment, payment.c.bill_id == bill.c.id))
    return Sums(int(await connection.scalar(billed) or 0), int(await connection.scalar(paid.where(*is_due)) or 0))


def _bills() -> Any:
    return (
        bill.join(unit, unit.c.id == bill.c.unit_id)
        .join(building, building.c.id == unit.c.building_id)
        .join(site, site.c.id == building.c.site_id)
    )


def _payments() -> Select[Any]:
    return select(
        payment,
        bill.c.number.label("bill"),
        bill.c.period,
        bill.c.owner_name.label("owner"),
        unit.c.code.label("unit"),
        building.c.name.label("building"),
        site.c.code.label("site"),
        site.c.zone,
        _reversed.c.reference.label("reverses"),
        _reversal.c.reference.label("reversed_by"),
    ).select_from(
        _bills()
        .join(payment, payment.c.bill_id == bill.c.id)
        .outerjoin(_reversed, _reversed.c.id == payment.c.reverses_id)
        .outerjoin(_reversal, _reversal.c.reverses_id == payment.c.id)
    )


def _payment(row: Row[Any]) -> Payment:
    return Payment(**{name: getattr(row, name) for name in Payment._fields})
