"""The SQL of the gateways' door: gateways, high-water marks and the log of batches."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.schema import batch, gateway, lane_mark
from protocols.sync import Header


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """A gateway as far as its door needs it."""

    id: int
    edge_id: str
    site_id: int
    secret_hash: str
    is_revoked: bool


async def find_gateway(connection: AsyncConnection, edge_id: str) -> GatewayRow | None:
    query = select(
        gateway.c.id, gateway.c.edge_id, gateway.c.site_id, gateway.c.secret_hash, gateway.c.revoked_at
    ).where(gateway.c.edge_id == edge_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else GatewayRow(row[0], row[1], row[2], row[3], row[4] is not None)


async def read_mark(connection: AsyncConnection, gateway_id: int, header: Header) -> int | None:
    """Give the highest sequence number stored of a batch's lane, None where there is none."""
    query = select(lane_mark.c.high_seq).where(*_lane(gateway_id, header))
    found: int | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def move_mark(connection: AsyncConnection, gateway_id: int, header: Header, before: int | None) -> bool:
    """Move a mark to a batch's end if it still stands where it was read; tell whether it did."""
    if before is None:
        values = {"gateway_id": gateway_id, "epoch": str(header.epoch), "lane": int(header.lane)}
        await connection.execute(insert(lane_mark).values(**values, high_seq=header.last_seq))
        return True
    moved = await connection.execute(
        update(lane_mark)
        .where(*_lane(gateway_id, header), lane_mark.c.high_seq == before)
        .values(high_seq=header.last_seq)
    )
    return moved.rowcount == 1


async def append_batch(
    connection: AsyncConnection, gateway_id: int, header: Header, body: bytes, from_seq: int, received_at: int
) -> int:
    """Put a batch into the log as it came; records before ``from_seq`` are stored already."""
    values: dict[str, Any] = {
        "gateway_id": gateway_id,
        "epoch": str(header.epoch),
        "lane": int(header.lane),
        "first_seq": header.first_seq,
        "last_seq": header.last_seq,
        "from_seq": from_seq,
        "digest": header.digest,
        "received_at": received_at,
        "body": body,
    }
    made = await connection.execute(insert(batch).values(values))
    key = made.inserted_primary_key
    return int(key[0]) if key else 0


def _lane(gateway_id: int, header: Header) -> tuple[Any, ...]:
    return (
        lane_mark.c.gateway_id == gateway_id,
        lane_mark.c.epoch == str(header.epoch),
        lane_mark.c.lane == int(header.lane),
    )
