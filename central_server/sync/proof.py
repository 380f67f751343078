"""Prove the log: every batch whole, signed by its gateway, and none missing, moved or put between."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from central_server.db import Database
from central_server.schema import batch, gateway
from central_server.sync.store import newest_epochs, sign_keys
from protocols.errors import ProtocolError
from protocols.sync import Header, batch_header

_PAGE = 200


@dataclass(slots=True)
class Proof:
    """What a look at the whole log found; ``faults`` are sentences that name the batch."""

    batches: int = 0
    records: int = 0
    signed: int = 0
    faults: list[str] = field(default_factory=list)


async def prove(db: Database) -> Proof:
    """Look at every batch of the log in the order in which each lane grew."""
    found = Proof()
    async with db.read() as connection:
        keys = await sign_keys(connection)
        newest = await newest_epochs(connection)
    ends: dict[tuple[int, int, int], tuple[int, str]] = {}
    async for row in _batches(db):
        found.batches += 1
        name = f"batch {row.id} of {row.edge_id}"
        try:
            header = batch_header(bytes(row.body))
        except ProtocolError as error:
            found.faults.append(f"{name}: {error.detail}")
            continue
        found.records += max(1, header.size - (row.from_seq - header.first_seq))
        found.signed += bool(header.signature)
        lane = (row.gateway_id, header.epoch, int(header.lane))
        end = ends.get(lane, (0, ""))
        is_ended = newest.get(row.gateway_id) != header.epoch
        told = _faults(row, header, keys.get(row.gateway_id, ()), *end, is_ended=is_ended)
        found.faults += [f"{name}: {reason}" for reason in told]
        ends[lane] = (header.last_seq, header.digest)
    return found


def _faults(row: Any, header: Header, keys: Sequence[str], before: int, digest: str, *, is_ended: bool) -> list[str]:
    """Say what is wrong with a batch that follows record ``before`` and the batch of that digest.

    One that repeats some of the batch before was compared with it when it came; a version before
    this one signed nothing and named nothing.
    """
    found = []
    if (header.digest, header.first_seq, header.last_seq) != (row.digest, row.first_seq, row.last_seq):
        found.append("its row says something else than its bytes")
    if keys and not any(header.is_signed_by(key) for key in keys):
        found.append("it is not signed with a key of this gateway")
    return found + _breaks(header, row.from_seq, before, digest, is_ended=is_ended)


def _breaks(header: Header, from_seq: int, before: int, digest: str, *, is_ended: bool) -> list[str]:
    """Say where a batch does not follow: a salvaged store may not know what it sent last in the epoch it ended."""
    if from_seq != before + 1:
        return [f"records {before + 1} to {from_seq - 1} of the {header.lane.word} lane are not here"]
    if not header.prev and is_ended:
        return []
    if header.signature and header.first_seq == from_seq and header.prev != digest:
        return ["it names another batch as the one before it"]
    return []


def chain_faults(log: Iterable[tuple[Header, int]]) -> list[str]:
    """Say where one gateway's log, as batches and the first number that counts of each, does not hold together."""
    found: list[str] = []
    ends: dict[tuple[int, int], tuple[int, str]] = {}
    batches = list(log)
    for header, from_seq in batches:
        lane = (header.epoch, int(header.lane))
        is_ended = batches[-1][0].epoch != header.epoch  # nothing of an epoch is taken once a newer one has begun
        found += _breaks(header, from_seq, *ends.get(lane, (0, "")), is_ended=is_ended)
        ends[lane] = (header.last_seq, header.digest)
    return found


async def _batches(db: Database) -> AsyncIterator[Any]:
    """Read the log a page at a time, so that its size does not matter."""
    own = batch.c
    query = select(batch, gateway.c.edge_id).join(gateway, gateway.c.id == own.gateway_id).order_by(own.id).limit(_PAGE)
    after = 0
    while True:
        async with db.read() as connection:
            rows = (await connection.execute(query.where(own.id > after))).all()
        for row in rows:
            yield row
        if len(rows) < _PAGE:
            return
        after = rows[-1].id
