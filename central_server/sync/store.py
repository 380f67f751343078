"""The SQL of the gateways' door: gateways, high-water marks and the log of batches."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.schema import batch, gateway, gateway_epoch, gateway_key, gateway_series, lane_mark
from central_server.sync.intake import Logged
from protocols.sync import Header


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """A gateway as far as its door needs it."""

    id: int
    edge_id: str
    site_id: int
    secret_hash: str
    is_revoked: bool
    sign_key: str | None = None


# What every batch asks is put together once; the library would do it, and look for what it made of it, each time.
_GATEWAY: BindParameter[int] = bindparam("of_gateway")
_EPOCH: BindParameter[str] = bindparam("of_epoch")
_LANE: BindParameter[int] = bindparam("of_lane")
_AT_LANE = lane_mark.c.gateway_id == _GATEWAY, lane_mark.c.epoch == _EPOCH, lane_mark.c.lane == _LANE
_FIND = select(
    gateway.c.id,
    gateway.c.edge_id,
    gateway.c.site_id,
    gateway.c.secret_hash,
    gateway.c.revoked_at,
    gateway.c.sign_key,
).where(gateway.c.edge_id == bindparam("name"))


async def find_gateway(connection: AsyncConnection, edge_id: str) -> GatewayRow | None:
    row = (await connection.execute(_FIND, {"name": edge_id})).one_or_none()
    return None if row is None else GatewayRow(row[0], row[1], row[2], row[3], row[4] is not None, row[5])


async def pin_sign_key(connection: AsyncConnection, gateway_id: int, key: str, since: int) -> None:
    """Note the key with which a gateway signs, if none is in force yet."""
    done = await connection.execute(
        update(gateway).where(gateway.c.id == gateway_id, gateway.c.sign_key.is_(None)).values(sign_key=key)
    )
    own = gateway_key.c
    known = select(own.since).where(own.gateway_id == gateway_id, own.sign_key == key)
    if done.rowcount == 1 and (await connection.execute(known)).scalar_one_or_none() is None:
        await connection.execute(insert(gateway_key).values(gateway_id=gateway_id, sign_key=key, since=since))


async def sign_keys(connection: AsyncConnection) -> dict[int, list[str]]:
    """Give every key that each gateway has ever signed with."""
    found: dict[int, list[str]] = {}
    for row in await connection.execute(select(gateway_key.c.gateway_id, gateway_key.c.sign_key)):
        found.setdefault(row[0], []).append(row[1])
    return found


class LaneRow(NamedTuple):
    """What is known of the lane and the store of a batch.

    Shape: ``mark`` is the highest number stored, None where there is none; ``newest_epoch`` is that of the
    store which the gateway has begun last; ``names`` is up to which number the store's series are known;
    ``is_let_in`` is whether the gateway still is what it was known to be when it called.
    """

    mark: int | None
    newest_epoch: int | None
    is_known_epoch: bool
    names: int
    is_let_in: bool


def let_in(known: GatewayRow) -> tuple[Any, ...]:
    """Give what holds of a gateway's row while it is let in as it was known: not shut out, no other box in its place."""
    return _let_in(known.id, known.sign_key)


def _let_in(gateway_id: Any, sign_key: Any) -> tuple[Any, ...]:
    own = gateway.c
    return own.id == gateway_id, own.revoked_at.is_(None), own.sign_key.is_(None) | (own.sign_key == sign_key)


_OF_GATEWAY = select(gateway_epoch.c.epoch).where(gateway_epoch.c.gateway_id == _GATEWAY)
_NAMES = select(func.max(gateway_series.c.number)).where(
    gateway_series.c.gateway_id == _GATEWAY, gateway_series.c.epoch == _EPOCH
)
_LANE_OF = select(
    select(lane_mark.c.high_seq).where(*_AT_LANE).scalar_subquery(),
    _OF_GATEWAY.order_by(gateway_epoch.c.since.desc(), gateway_epoch.c.epoch.desc()).limit(1).scalar_subquery(),
    _OF_GATEWAY.where(gateway_epoch.c.epoch == _EPOCH).exists(),
    _NAMES.scalar_subquery(),
    select(gateway.c.id).where(*_let_in(_GATEWAY, bindparam("of_key"))).exists(),
)


async def lane_of(connection: AsyncConnection, known: GatewayRow, header: Header) -> LaneRow:
    """Read all that decides on a batch, in one question: it is asked for each."""
    asked = {**_lane(known.id, header), "of_key": known.sign_key}
    mark, newest, is_known, most, is_let_in = (await connection.execute(_LANE_OF, asked)).one()
    return LaneRow(mark, None if newest is None else int(newest), bool(is_known), most or 0, bool(is_let_in))


async def newest_epochs(connection: AsyncConnection) -> dict[int, int]:
    """Give the epoch of the store that each gateway has begun last."""
    own = gateway_epoch.c
    rows = await connection.execute(select(own.gateway_id, own.epoch).order_by(own.since, own.epoch))
    return {gateway_id: int(epoch) for gateway_id, epoch in rows}


async def add_epoch(connection: AsyncConnection, gateway_id: int, epoch: int, since: int) -> None:
    await connection.execute(insert(gateway_epoch).values(gateway_id=gateway_id, epoch=str(epoch), since=since))


async def head_of(connection: AsyncConnection, gateway_id: int, header: Header) -> str:
    """Give the digest of the last batch in a lane's log."""
    query = select(batch.c.digest).where(*_logged(gateway_id, header)).order_by(batch.c.from_seq.desc()).limit(1)
    return str((await connection.execute(query)).scalar_one_or_none() or "")


async def logged_from(
    connection: AsyncConnection, gateway_id: int, header: Header, seq: int, most: int
) -> list[Logged]:
    """Give what of a lane's log holds a number and what follows it, up to a batch's end."""
    own = batch.c
    holds = select(func.max(own.from_seq)).where(*_logged(gateway_id, header), own.from_seq <= seq).scalar_subquery()
    query = (
        select(own.from_seq, own.last_seq, own.digest, own.body)
        .where(*_logged(gateway_id, header), own.from_seq >= func.coalesce(holds, 0), own.from_seq <= header.last_seq)
        .order_by(own.from_seq)
        .limit(most)
    )
    return [Logged(row[0], row[1], row[2], bytes(row[3])) for row in await connection.execute(query)]


_MOVE = (
    update(lane_mark)
    .where(*_AT_LANE, lane_mark.c.high_seq == bindparam("of_mark"))
    .values(high_seq=bindparam("to_mark"))
)
_APPEND = insert(batch)


async def move_mark(connection: AsyncConnection, gateway_id: int, header: Header, before: int | None) -> bool:
    """Move a mark to a batch's end if it still stands where it was read; tell whether it did."""
    if before is None:
        values = {"gateway_id": gateway_id, "epoch": str(header.epoch), "lane": int(header.lane)}
        await connection.execute(insert(lane_mark).values(**values, high_seq=header.last_seq))
        return True
    moved = await connection.execute(
        _MOVE, {**_lane(gateway_id, header), "of_mark": before, "to_mark": header.last_seq}
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
    made = await connection.execute(_APPEND, values)
    key = made.inserted_primary_key
    return int(key[0]) if key else 0


def _logged(gateway_id: int, header: Header) -> tuple[Any, ...]:
    own = batch.c
    return own.gateway_id == gateway_id, own.epoch == str(header.epoch), own.lane == int(header.lane)


def _lane(gateway_id: int, header: Header) -> dict[str, Any]:
    return {"of_gateway": gateway_id, "of_epoch": str(header.epoch), "of_lane": int(header.lane)}
