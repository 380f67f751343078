"""What the uplink sends of a store: the epochs in their order, each under its own name and numbers."""

import logging
from dataclasses import replace

from edge_agent.answer import Acked, Answer, Disputed, Gap, Heard
from edge_agent.store import Store
from edge_agent.store_file import LaneState
from protocols.record import Lane
from protocols.sync import Batch, Dictionary

log = logging.getLogger("edge.outbox")

# A newer epoch of this gateway was heard, or other records under these numbers.
_FOR_GOOD = ("(sync_fenced)", "(sync_fork)")


class Outbox:
    """A store as the uplink sees it: no batch mixes two epochs, and the older one goes first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._from: dict[Lane, int] = {}

    def lanes(self) -> dict[Lane, LaneState]:
        """Give how far the lanes are, as if the epoch that is being sent were the last."""
        return self._store.leg().lanes(self._store.lanes())

    async def batch(self, lane: Lane, after_seq: int, limit: int, prev: str) -> Batch | None:
        """Read the batch that follows a number, None where nothing of this epoch is left there.

        Raises: StoreError.
        """
        leg = self._store.leg()
        peek = await self._store.peek(lane, after_seq, limit)
        found = [(seq, record) for seq, record in peek.numbered() if seq == leg.end(lane, seq)]
        if not found:
            if leg.last is not None:  # its end was thinned out or set aside
                await self._store.ack(lane, leg.last[lane])
            return None
        seqs, records = zip(*found, strict=True)
        first = self._from.get(lane, leg.first_seq(lane, after_seq))
        is_run = first + len(seqs) - 1 == seqs[-1]
        named = prev if first == after_seq + 1 else ""
        edge_id = self._store.edge_id
        return Batch(edge_id, leg.epoch, lane, first, records, named, () if is_run else seqs, peek.clocks)

    def dictionary(self, known: int) -> Dictionary | None:
        """Give the numbers of the series; none for a past epoch, some of whose names may be lost."""
        return None if self._store.leg().is_past else Dictionary(self._store.numbers(), known)

    async def heard(self, batch: Batch, answer: Answer, now_ms: int) -> Answer:
        """Take in what the centre says to a batch of a past epoch; give what is left for the uplink to decide.

        It may have more of that epoch than is left here. It may have less, where it was itself restored: then the
        batch covers what it misses. Where it takes nothing of it any more, what is left is given up and told.

        Raises: StoreError.
        """
        leg, lane = self._store.leg(), batch.lane
        if not leg.is_past or batch.epoch != leg.epoch:
            return answer
        match answer:
            case Acked(mark, head):
                self._from.pop(lane, None)
                end = leg.end(lane, mark)
                return replace(answer, mark=end, head=head if mark == end else "", names=None)
            case Gap(expected) if expected < batch.first_seq:
                self._from[lane] = expected
                return Heard(now_ms)
            case Disputed(reason) if reason.endswith(_FOR_GOOD):
                log.warning("what epoch %016x has left is given up: %s", leg.epoch, reason)
                await self._store.forsake(leg, reason, now_ms)
                return Heard(now_ms)
            case _:
                return answer
