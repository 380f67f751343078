"""Pack readings anew from the log of batches, and drop what was packed before.

What was packed is first put among the old, in one transaction with the note of what is to be done
again. It is told on, joined with what is packed anew, until all is; then it goes, in one transaction.
So pages and bills have their answers meanwhile, and whoever ends it in between leaves nothing half:
the expansion of the running centre, or the same command again, goes on where it was. What events
have caused stays as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import BadRequest
from central_server.live import Hub
from central_server.schema import batch, block, device, gateway, manual_read, series, site
from central_server.telemetry import block_store
from central_server.telemetry.compaction import compact
from central_server.telemetry.expansion import Expander


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many batches were packed anew, and into how many blocks."""

    batches: int
    blocks: int


async def rebuild(
    db: Database,
    edge_id: str | None = None,
    site_code: str | None = None,
    *,
    is_dry: bool = False,
    step: Callable[[int, int], None] = lambda _done, _all: None,
) -> Rebuilt:
    """Pack a gateway's or a site's readings anew, or everybody's; where ``is_dry``, only count.

    Shape: ``step`` is told how many batches are done, and of how many.
    Raises: BadRequest for a gateway or a site that nobody knows.
    """
    async with db.write() as connection:
        gateways = await _gateways(connection, edge_id, site_code)
        keys = select(series.c.id).join(device, device.c.id == series.c.device_id)
        keys = keys.where(device.c.gateway_id.in_(gateways))
        by_hand = select(manual_read.c.batch_id).where(manual_read.c.series_id.in_(keys))
        own = (batch.c.gateway_id.in_(gateways) | batch.c.id.in_(by_hand)) & batch.c.error.is_(None)
        total = await connection.scalar(select(func.count()).select_from(batch).where(own)) or 0
        if not is_dry and await block_store.age(connection, keys):  # else one was ended in between, and goes on
            await connection.execute(update(batch).where(own).values(packed_at=None))
    if not is_dry:
        expander = Expander(db, Hub())
        while await expander.expand_next():
            step(total - await _left(db), total)
        await compact(db, Hub(), now_ms())
    async with db.read() as connection:
        count = select(func.count()).select_from(block).where(block.c.series_id.in_(keys), block.c.part >= 0)
        return Rebuilt(total, await connection.scalar(count) or 0)


async def _gateways(connection: AsyncConnection, edge_id: str | None, site_code: str | None) -> Select[Any]:
    found = select(gateway.c.id)
    if site_code is not None:
        found = found.join(site, site.c.id == gateway.c.site_id).where(site.c.code == site_code)
        if (await connection.execute(select(site.c.id).where(site.c.code == site_code))).first() is None:
            text = "There is no site '{site}'. Look at the codes on the page of sites."
            raise BadRequest("sync_no_site", text, site=site_code)
    if edge_id is not None:
        found = found.where(gateway.c.edge_id == edge_id)
        if (await connection.execute(found)).first() is None:
            text = "There is no gateway '{edge_id}'. List them with 'central edge list'."
            raise BadRequest("sync_no_gateway", text, edge_id=edge_id)
    return found


async def _left(db: Database) -> int:
    async with db.read() as connection:
        waiting = batch.c.packed_at.is_(None) & batch.c.error.is_(None)
        return await connection.scalar(select(func.count()).select_from(batch).where(waiting)) or 0
