"""Keeps the store within its quota, slice by slice, so that no alarm waits; and tells people early."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from edge_agent import history
from edge_agent.store import Store
from edge_agent.store_file import LaneState, StoreError
from edge_agent.thinned import append_tombstone, drop_records, read_tally, rows_after
from edge_agent.thinning import REFUSE, SHED_HISTORY, SHED_TELEMETRY, Pass, Step, next_pass, reached, superfluous
from protocols.record import Lane

log = logging.getLogger("edge.store")

LOOK_S = 5.0
CONDITIONS = {70: "store_filling", 85: "store_nearly_full", 95: "store_full"}
# The uplink may have these in its hands: what the centre gets is not to be told as lost.
_IN_HAND = 20_000
_SLICE = 5_000  # records to a transaction

Tell = Callable[[str, bool, dict[str, Any]], Awaitable[None]]


class Shedding:
    """The task that holds one store to its quota. Units: ``quota`` in bytes."""

    def __init__(
        self, store: Store, quota: int, tell: Tell, now_ms: Callable[[], int], in_hand: int = _IN_HAND
    ) -> None:
        self._store = store
        self._quota = quota
        self._tell = tell
        self._now_ms = now_ms
        self._in_hand = in_hand
        self._levels: frozenset[int] = frozenset()
        self._pass: Pass | None = None
        self.percent = 0.0
        self.tally: dict[Lane, tuple[int, int]] = {}

    async def run(self) -> None:
        """Look again and again until cancelled."""
        self.tally = await asyncio.to_thread(read_tally, self._store.path)
        while True:
            try:
                is_at_work = await self.look()
            except StoreError as error:
                log.warning("store: nothing could be shed: %s", error)
                is_at_work = False
            await asyncio.sleep(0.01 if is_at_work else LOOK_S)

    async def look(self) -> bool:
        """Measure, tell, and let some of it go where that is due; True where there is more to do."""
        self.percent = 100 * await self._store.used_bytes() / self._quota
        await self._note_levels()
        self._store.refuse_telemetry(is_refused=self.percent >= REFUSE)
        if self.percent < SHED_HISTORY:
            self._pass = None
            return False
        if await self._shed_history():
            return True
        return self.percent >= SHED_TELEMETRY and await self._shed_telemetry()

    async def _note_levels(self) -> None:
        levels = reached(self.percent, self._levels)
        for level, condition in CONDITIONS.items():
            if (level in levels) != (level in self._levels):
                detail = {"percent": round(self.percent), "quota": self._quota}
                await self._tell(condition, level in levels, detail)
        self._levels = levels

    async def _shed_history(self) -> bool:
        gone: list[int] = []

        def apply(connection: sqlite3.Connection, _: dict[Lane, LaneState]) -> None:
            gone.append(history.shed(connection))

        await self._store.change(apply)
        return gone[-1] > 0

    async def _shed_telemetry(self) -> bool:
        lane = self._store.lanes()[Lane.TELEMETRY]
        end = lane.next_seq - 1  # the newest always stays: it says how far the lane is
        now = next_pass(self._pass or Pass(Step.MINUTE, 0), end)
        if now is None:  # all is done, and it was not enough: begin again with what has come since
            self._pass = None
            return False
        start = max(now.next_seq, lane.acked_seq + 1 + self._in_hand)
        if start >= end:
            self._pass = Pass(now.step, end)
            return next_pass(self._pass, end) is not None
        looked: list[tuple[int, int]] = []  # again where a commit failed: the last one counts
        await self._store.change(partial(_thin, start, end, now.step, self._now_ms(), looked))
        last, lost = looked[-1]
        stones, before = self.tally.get(Lane.TELEMETRY, (0, 0))
        if lost:
            self.tally[Lane.TELEMETRY] = (stones + 1, before + lost)
        self._pass = replace(now, next_seq=last + 1)
        return True


def _thin(
    start: int,
    end: int,
    step: Step,
    now_ms: int,
    looked: list[tuple[int, int]],
    connection: sqlite3.Connection,
    lanes: dict[Lane, LaneState],
) -> None:
    """Thin out a slice of telemetry; ``looked`` is told how far, and how many went. For the writer's thread."""
    rows = [row for row in rows_after(connection, Lane.TELEMETRY, start - 1, _SLICE) if row.seq < end]
    gone = superfluous(rows, step)
    looked.append((rows[-1].seq if rows else end, len(gone)))
    if gone:
        drop_records(connection, Lane.TELEMETRY, gone, step.reason)
        state = lanes[Lane.TELEMETRY]
        lanes[Lane.TELEMETRY] = state._replace(pending=state.pending - len(gone))
        append_tombstone(connection, lanes, Lane.TELEMETRY, gone, step.reason, now_ms)
