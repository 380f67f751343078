"""The SQL of readings that a run may bill from."""

from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.billing.trace import BatchRef, Read
from central_server.schema import batch, gateway, reading
from protocols.quantity import BELIEVED, Quality, from_scaled
from protocols.sync import Lane

# Only these reach a bill.
_BELIEVED = tuple(quality.value for quality in BELIEVED)


async def last_good(conn: AsyncConnection, series_id: int, from_at: int, until: int) -> Read | None:
    """Give the last reading to be believed in [from_at, until]."""
    query = _reads().where(*_good(series_id, from_at, until))
    row = (await conn.execute(query.order_by(reading.c.taken_at.desc(), reading.c.id.desc()).limit(1))).first()
    return _read(row) if row else None


async def first_good(conn: AsyncConnection, series_id: int, from_at: int, until: int | None) -> Read | None:
    """Give the first reading to be believed in [from_at, until], with no end if that is None."""
    query = _reads().where(*_good(series_id, from_at, until))
    row = (await conn.execute(query.order_by(reading.c.taken_at, reading.c.id).limit(1))).first()
    return _read(row) if row else None


async def step_back(conn: AsyncConnection, series_id: int, opening: Read, until: int) -> tuple[Decimal, Decimal] | None:
    """Find the first place after the opening read where a register decreases: (before, after)."""
    after_opening = await first_good(conn, series_id, opening.at + 1, until)
    if after_opening and after_opening.value < opening.value:
        return opening.value, after_opening.value
    order = (reading.c.taken_at, reading.c.id)
    pairs = (
        select(
            reading.c.taken_at,
            reading.c.id,
            reading.c.mantissa,
            reading.c.exponent,
            func.lag(reading.c.mantissa).over(order_by=order).label("mantissa_before"),
            func.lag(reading.c.exponent).over(order_by=order).label("exponent_before"),
        )
        .where(*_good(series_id, opening.at, until))
        .subquery()
    )
    # Equal exponents compare as integers in SQL, exactly; the few unequal pairs are compared here.
    doubtful = (
        select(pairs)
        .where(
            pairs.c.mantissa_before.is_not(None),
            or_(pairs.c.mantissa < pairs.c.mantissa_before, pairs.c.exponent != pairs.c.exponent_before),
        )
        .order_by(pairs.c.taken_at, pairs.c.id)
    )
    for row in await conn.execute(doubtful):
        before = from_scaled(row.mantissa_before, row.exponent_before)
        after = from_scaled(row.mantissa, row.exponent)
        if after < before:
            return before, after
    return None


def _reads() -> Select[Any]:
    return select(
        reading.c.taken_at,
        reading.c.mantissa,
        reading.c.exponent,
        reading.c.quality,
        reading.c.seq,
        batch.c.epoch,
        batch.c.lane,
        batch.c.digest,
        gateway.c.edge_id,
    ).select_from(
        reading.join(batch, reading.c.batch_id == batch.c.id).join(gateway, batch.c.gateway_id == gateway.c.id)
    )


def _good(series_id: int, from_at: int, until: int | None) -> list[ColumnElement[bool]]:
    wanted = [
        reading.c.series_id == series_id,
        reading.c.taken_at >= from_at,
        reading.c.quality.in_(_BELIEVED),
        reading.c.mantissa.is_not(None),
    ]
    return wanted if until is None else [*wanted, reading.c.taken_at <= until]


def _read(row: Row[Any]) -> Read:
    where = BatchRef(row.edge_id, row.epoch, Lane(row.lane).word, row.seq, row.digest)
    return Read(row.taken_at, from_scaled(row.mantissa, row.exponent), Quality(row.quality), where)
