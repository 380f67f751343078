"""What waits for the centre as signed batches in a file, for a site whose network does not come."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edge_agent.epochs import Leg, legs_of, read_past
from edge_agent.identity import Signer
from edge_agent.quarantine import read_hidden
from edge_agent.store_file import peek_records, read_identity, read_lanes
from protocols.record import Lane, Record
from protocols.sync import MAX_BATCH_BYTES, Batch, batch_digest, encode_batch

_LIMIT = 5000


def waiting_batches(
    path: Path, lanes: Sequence[Lane], signer: Signer, step: Callable[[int], None] = lambda _: None
) -> Iterator[bytes]:
    """Give everything that waits, lane by lane, in signed batches that name each other; nothing is taken out.

    Shape: ``step`` is told how many records have been given since it was last told.

    Raises: StoreError.
    """
    identity = read_identity(path)
    for leg in legs_of(read_past(path), identity.epoch):
        for lane in lanes:
            yield from _leg_batches(path, identity.edge_id, leg, lane, signer, step)
        # The centre takes nothing of an epoch once it has heard a newer one.
        states = read_lanes(path)
        if leg.last is not None and any(states[lane].acked_seq < leg.last[lane] for lane in set(Lane) - set(lanes)):
            return


def _leg_batches(
    path: Path, edge_id: str, leg: Leg, lane: Lane, signer: Signer, step: Callable[[int], None]
) -> Iterator[bytes]:
    state = read_lanes(path)[lane]
    after, prev, limit = max(state.acked_seq, leg.after[lane]), state.chain, _LIMIT
    end = leg.end(lane, state.next_seq - 1)
    while after < end and (rows := _rows(path, lane, min(limit, end - after), after, end)):
        first, seqs = leg.first_seq(lane, after), tuple(seq for seq, _ in rows)
        records: tuple[Record, ...] = tuple(record for _, record in rows)
        is_run = seqs[-1] - first + 1 == len(seqs)
        named = prev if first == after + 1 else ""
        batch = Batch(edge_id, leg.epoch, lane, first, records, named, () if is_run else seqs)
        body = encode_batch(batch, signer.sign)
        if len(body) > MAX_BATCH_BYTES and len(rows) > 1:
            limit = len(rows) // 2
            continue
        after, prev, limit = seqs[-1], batch_digest(body), _LIMIT
        step(len(rows))
        yield body


def _rows(path: Path, lane: Lane, limit: int, after: int, end: int) -> list[tuple[int, Record]]:
    unsent = read_hidden(path, lane)
    rows = peek_records(path, lane, limit + len(unsent), after)
    return [(seq, record) for seq, record in rows if seq <= end and seq not in unsent][:limit]
