"""How busy a line is and how fast it answers; pure, the time is passed in."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

WINDOW_S = 60.0
SAMPLES = 256


class RoundTrips(NamedTuple):
    """Counts since the bus was made; the times are over the last answers only.

    Units: milliseconds, None before the first answer.
    """

    answers: int
    failures: int
    stale: int
    median_ms: float | None
    p95_ms: float | None


class Traffic:
    """Keep the busy spans of the last minute and the round trips of the last answers."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._spans: deque[tuple[float, float]] = deque()
        self._times: deque[float] = deque(maxlen=SAMPLES)
        self._answers = 0
        self._failures = 0
        self._stale = 0

    def answered(self, start: float, end: float) -> None:
        self._answers += 1
        self._times.append(end - start)
        self._busy(start, end)

    def answered_together(self, start: float, times: Sequence[float]) -> None:
        """Count answers that were under way at one time, each by its instant."""
        self._answers += len(times)
        self._times.extend(end - start for end in times)
        if times:
            self._busy(start, max(times))

    def failed(self, start: float, end: float) -> None:
        self._failures += 1
        self._busy(start, end)

    def saw_stale(self) -> None:
        """Count a good frame that answered nobody's present question."""
        self._stale += 1

    def _busy(self, start: float, end: float) -> None:
        self._spans.append((start, end))
        self._forget(end)

    def _forget(self, now: float) -> None:
        while self._spans and self._spans[0][1] <= now - WINDOW_S:
            self._spans.popleft()

    def utilisation(self, now: float) -> float:
        """Give the busy share of the last minute, 0 to 1."""
        self._forget(now)
        begin = max(self._since, now - WINDOW_S)
        if now <= begin:
            return 0.0
        busy = sum(min(end, now) - max(start, begin) for start, end in self._spans)
        return min(1.0, busy / (now - begin))

    def round_trips(self) -> RoundTrips:
        times = sorted(self._times)
        if not times:
            return RoundTrips(self._answers, self._failures, self._stale, None, None)
        median = times[len(times) // 2] * 1000
        p95 = times[min(len(times) - 1, len(times) * 95 // 100)] * 1000
        return RoundTrips(self._answers, self._failures, self._stale, median, p95)
