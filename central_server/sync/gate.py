"""Who may come in now, and how much the centre takes: what keeps a thousand gateways from toppling it.

Bodies wait in memory for the one writer, so only so many are let in at once; some of these places are
kept for alarms, door events and command results, and while any of these had to be turned away no backlog
is let in. The terms for what is behind go out with every
acknowledgement: how many records to a batch, and how long to wait before the next one.

    batches that wait to be expanded    records to a batch    pause
    less than 64                        20,000                none
    less than 256                       5,000                 none
    more                                2,000                 a second for each 128
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from central_server.errors import Busy
from protocols.record import Lane
from protocols.sync import MAX_BATCH_RECORDS

AT_ONCE = 32
_KEPT = 8  # of these, for lanes 0 and 1
_SNAPSHOTS_A_SECOND = 100
_MOST_WAIT_S, _URGENT_WAIT_S = 60, 5
_URGENT = frozenset({Lane.SAFETY, Lane.CONTROL})
_MEASURED_S = 10.0
_EASY, _HARD = 64, 256
_BATCHES_A_SECOND = 128


@dataclass(frozen=True, slots=True)
class Terms:
    """What is taken of a backlog now. Units: ``window`` is records to a batch."""

    window: int
    retry_after_s: int = 0

    def as_json(self) -> dict[str, Any]:
        return {"window": self.window} | ({"retry_after": self.retry_after_s} if self.retry_after_s else {})


def terms_for(waiting: int) -> Terms:
    """Say what is taken of a backlog while so many batches wait to be expanded."""
    if waiting < _EASY:
        return Terms(MAX_BATCH_RECORDS)
    if waiting < _HARD:
        return Terms(MAX_BATCH_RECORDS // 4)
    return Terms(MAX_BATCH_RECORDS // 10, min(_MOST_WAIT_S, waiting // _BATCHES_A_SECOND))


class Gate:
    """Places for deliveries under way; asked and left by one event loop, never waited for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._inside = 0
        # By urgency, when each gateway was last turned away: alarms wait for other alarms only, and for no backlog.
        self._turned_away: dict[bool, dict[int, float]] = {True: {}, False: {}}
        self._done: deque[float] = deque(maxlen=1024)
        self._pictured: dict[int, float] = {}

    @property
    def is_pressed(self) -> bool:
        """Whether deliveries are under way."""
        return self._inside > 0

    @contextmanager
    def place(self, gateway_id: int, lane: Lane | None) -> Iterator[None]:
        """Hold a place for a batch while its body is read and stored.

        Raises: Busy, with the time after which all who were turned away could have been served.
        """
        is_urgent = lane in _URGENT
        most = AT_ONCE if is_urgent else 0 if self._waiting(is_urgent=True) else AT_ONCE - _KEPT
        if self._inside >= most:
            self._turned_away[is_urgent].pop(gateway_id, None)
            self._turned_away[is_urgent][gateway_id] = self._clock()
            text = "Too many gateways deliver at once. Come again in {retry_after_s} s."
            raise Busy("sync_busy", text, retry_after_s=self._wait_s(is_urgent=is_urgent))
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._turned_away[is_urgent].pop(gateway_id, None)
            self._done.append(self._clock())

    def snapshot_pace_s(self, gateway_id: int) -> int:
        """Note a snapshot; say after how long the gateway may send another, 0 for whenever it likes."""
        now = self._clock()
        self._pictured.pop(gateway_id, None)
        self._pictured[gateway_id] = now
        while self._pictured and next(iter(self._pictured.values())) < now - _MEASURED_S:
            del self._pictured[next(iter(self._pictured))]
        pace = len(self._pictured) / _SNAPSHOTS_A_SECOND
        return 0 if pace <= 1 else min(_MOST_WAIT_S, math.ceil(pace))

    def _waiting(self, *, is_urgent: bool) -> int:
        """Count the gateways that were turned away and have not been in since; who does not come again is forgotten."""
        waiting = self._turned_away[is_urgent]
        oldest = self._clock() - (_URGENT_WAIT_S if is_urgent else _MOST_WAIT_S) * 2
        while waiting and waiting[first := next(iter(waiting))] < oldest:
            del waiting[first]
        return len(waiting)

    def _wait_s(self, *, is_urgent: bool) -> int:
        now = self._clock()
        while self._done and self._done[0] < now - _MEASURED_S:
            self._done.popleft()
        measured = max(1.0, now - self._done[0]) if self._done else 1.0
        rate = max(1.0, len(self._done) / measured)
        least, most = (1, _URGENT_WAIT_S) if is_urgent else (2, _MOST_WAIT_S)
        return min(most, max(least, math.ceil(self._waiting(is_urgent=is_urgent) / rate)))
