"""What waits for the centre as signed batches in a file, for a site whose network does not come."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edge_agent.identity import Signer
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
    for lane in lanes:
        state = read_lanes(path)[lane]
        after, prev, limit = state.acked_seq, state.chain, _LIMIT
        while rows := peek_records(path, lane, min(limit, state.next_seq - 1 - after), after):
            first = rows[0][0]
            records: tuple[Record, ...] = tuple(record for _, record in rows)
            # A centre that came back while this was written has taken what stood in between.
            named = prev if first == after + 1 else ""
            body = encode_batch(Batch(identity.edge_id, identity.epoch, lane, first, records, named), signer.sign)
            if len(body) > MAX_BATCH_BYTES and len(rows) > 1:
                limit = len(rows) // 2
                continue
            after, prev, limit = rows[-1][0], batch_digest(body), _LIMIT
            step(len(rows))
            yield body
            if after >= state.next_seq - 1:
                break
