"""Drop what was packed of readings, and pack it anew from the log of batches.

To drop and to note what is to be done again is one transaction; the rest is the expansion's daily
work, which goes on where it was, whoever ends it in between. Until it is done no bill is made of the
readings that are missing. What events have caused stays as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import BadRequest
from central_server.live import Hub
from central_server.schema import batch, block, device, gateway, series
from central_server.telemetry import block_store
from central_server.telemetry.compaction import compact
from central_server.telemetry.expansion import Expander


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many batches were packed anew, and into how many blocks."""

    batches: int
    blocks: int


async def rebuild(
    db: Database, edge_id: str | None, *, is_dry: bool, step: Callable[[int, int], None] = lambda _done, _all: None
) -> Rebuilt:
    """Pack a gateway's readings anew, or everybody's; where ``is_dry``, only count.

    Shape: ``step`` is told how many batches are done, and of how many.
    Raises: BadRequest for a gateway that nobody knows.
    """
    async with db.write() as connection:
        gateways = await _gateways(connection, edge_id)
        own = batch.c.gateway_id.in_(gateways) & batch.c.error.is_(None)
        total = await connection.scalar(select(func.count()).select_from(batch).where(own)) or 0
        keys = (
            select(series.c.id).join(device, device.c.id == series.c.device_id).where(device.c.gateway_id.in_(gateways))
        )
        series_ids = list((await connection.execute(keys)).scalars())
        if not is_dry:
            await block_store.forget_all(connection, series_ids)
            await connection.execute(update(batch).where(own).values(packed_at=None))
    if not is_dry:
        expander = Expander(db, Hub())
        while await expander.expand_next():
            step(total - await _left(db), total)
        await compact(db, Hub(), now_ms())
    async with db.read() as connection:
        blocks = await connection.scalar(
            select(func.count()).select_from(block).where(block.c.series_id.in_(series_ids))
        )
    return Rebuilt(total, blocks or 0)


async def _gateways(connection: AsyncConnection, edge_id: str | None) -> list[int]:
    query = select(gateway.c.id)
    found = list(
        (await connection.execute(query if edge_id is None else query.where(gateway.c.edge_id == edge_id))).scalars()
    )
    if not found and edge_id is not None:
        text = "There is no gateway '{edge_id}'. List them with 'central edge list'."
        raise BadRequest("sync_no_gateway", text, edge_id=edge_id)
    return found


async def _left(db: Database) -> int:
    async with db.read() as connection:
        waiting = batch.c.packed_at.is_(None) & batch.c.error.is_(None)
        return await connection.scalar(select(func.count()).select_from(batch).where(waiting)) or 0
