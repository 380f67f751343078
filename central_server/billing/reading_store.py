"""Readings that a run may bill from, with what proves them."""

from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.billing.trace import BatchRef, Read
from central_server.schema import batch, gateway
from central_server.telemetry import readings
from central_server.telemetry.readings import ReadingRow
from protocols.quantity import Quality
from protocols.sync import Lane


async def last_good(conn: AsyncConnection, series_id: int, from_at: int, until: int) -> Read | None:
    """Give the last reading to be believed in [from_at, until]."""
    return await _read(conn, await readings.last_believed(conn, series_id, from_at, until))


async def first_good(conn: AsyncConnection, series_id: int, from_at: int, until: int | None) -> Read | None:
    """Give the first reading to be believed in [from_at, until], with no end if that is None."""
    return await _read(conn, await readings.first_believed(conn, series_id, from_at, until))


async def step_back(conn: AsyncConnection, series_id: int, opening: Read, until: int) -> tuple[Decimal, Decimal] | None:
    """Find the first place after the opening read where a register decreases: (before, after)."""
    before: Decimal | None = None
    async for row in readings.readings(conn, series_id, opening.at, until + 1):
        if not row.is_believed or row.value is None:
            continue
        if before is None or row.at == opening.at:
            before = opening.value  # of several readings of its instant it is the one that counts
            if row.at == opening.at:
                continue
        if row.value < before:
            return before, row.value
        before = row.value
    return None


async def _read(conn: AsyncConnection, row: ReadingRow | None) -> Read | None:
    if row is None or row.value is None:
        return None
    query = (
        select(batch.c.epoch, batch.c.lane, batch.c.digest, gateway.c.edge_id)
        .join(gateway, batch.c.gateway_id == gateway.c.id)
        .where(batch.c.id == row.batch_id)
    )
    found = (await conn.execute(query)).one()
    where = BatchRef(found.edge_id, found.epoch, Lane(found.lane).word, row.seq, found.digest)
    return Read(row.at, row.value, Quality(row.quality), where)
