"""A breaker for one address on one bus: a dead device must not cost its neighbours their turn.

    closed     --third failure in a row-->  open
    open       --a probe is due-->          half-open
    half-open  --success-->                 closed
    half-open  --failure-->                 open, the next probe later

Pure: the caller brings the time.
"""

from enum import Enum

FAILURES_TO_OPEN = 3
# Seconds to the next probe; the last one repeats.
PROBE_DELAYS_S = (1.0, 5.0, 15.0, 60.0, 300.0)


class BreakerState(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """Tell whether a device may be asked now.

    Units: every instant is in seconds of one monotonic clock.
    """

    __slots__ = ("_failures", "_probes", "_retry_at", "_state")

    def __init__(self, now: float) -> None:
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._probes = 0
        self._retry_at = now

    @property
    def state(self) -> BreakerState:
        return self._state

    @property
    def retry_at(self) -> float | None:
        """When the next probe is due, None while the breaker is closed."""
        return None if self._state is BreakerState.CLOSED else self._retry_at

    def allow(self, now: float) -> bool:
        """Ask before each exchange; True from an open breaker permits one probe."""
        if self._state is BreakerState.CLOSED:
            return True
        if now < self._retry_at:
            return False
        # A probe whose outcome is never told, because its task was cancelled, must not close the way for ever.
        self._state = BreakerState.HALF_OPEN
        self._retry_at = now + self._delay()
        return True

    def success(self, now: float) -> None:
        """Tell that the device answered, even with a refusal."""
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._probes = 0
        self._retry_at = now

    def failure(self, now: float) -> None:
        """Tell that it did not."""
        self._failures += 1
        if self._state is BreakerState.HALF_OPEN:
            self._probes += 1
        elif self._state is BreakerState.CLOSED and self._failures >= FAILURES_TO_OPEN:
            self._probes = 0
        else:
            return
        self._state = BreakerState.OPEN
        self._retry_at = now + self._delay()

    def _delay(self) -> float:
        return PROBE_DELAYS_S[min(self._probes, len(PROBE_DELAYS_S) - 1)]
