"""Which device of a line is asked next: pure, the caller brings the time and the breakers.

Devices are due on an aligned grid, at multiples of their period in wall time. What is due
longest goes first; among those due together, one that failed last time goes last. A slot that
has passed is skipped, never queued. A device whose breaker is open is only probed, and only
where the probe fits before the next device is due, or where it has waited for two periods.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Poll(NamedTuple):
    """Ask a device for its points; ``slack_s`` is the time until the next one is due."""

    device: str
    slack_s: float


class Probe(NamedTuple):
    """Ask a silent device for one thing."""

    device: str


class Wait(NamedTuple):
    """Nothing is due; look again after so many seconds."""

    seconds: float


class Health(NamedTuple):
    """What the schedule must know of a device's breaker; ``probe_due_s`` is None while it is closed."""

    failures: int = 0
    probe_due_in_s: float | None = None


@dataclass(slots=True)
class _Slot:
    device: str
    period_s: float
    due_at: float


class Schedule:
    """The slots of one line. Units: seconds of wall time; the line's probe costs ``probe_s``."""

    def __init__(self, periods: Sequence[tuple[str, float]], probe_s: float, now: float) -> None:
        # The first round is at once: an engineer who starts the gateway wants to see values.
        self._slots = {device: _Slot(device, period, now) for device, period in periods}
        self._probe_s = probe_s

    def next(self, now: float, health: Mapping[str, Health]) -> Poll | Probe | Wait:
        """Say what to do now; a poll or a probe said is taken as begun."""
        if not self._slots:
            return Wait(3600.0)
        for slot in self._slots.values():
            if slot.due_at > now + slot.period_s:  # the clock was set back
                slot.due_at = _grid(now, slot.period_s)
        healthy = [slot for slot in self._slots.values() if _of(health, slot).probe_due_in_s is None]
        due = [slot for slot in healthy if slot.due_at <= now]
        if due:
            slot = min(due, key=lambda slot: (self._may_wait(slot, now, health), slot.due_at))
            slot.due_at = _grid(now, slot.period_s)
            return Poll(slot.device, min(other.due_at for other in healthy) - now)
        gap_s = min((slot.due_at for slot in healthy), default=now + 3600.0) - now
        return self._probe(now, gap_s, health) or Wait(max(0.0, self._rest_s(gap_s, health)))

    def _may_wait(self, slot: _Slot, now: float, health: Mapping[str, Health]) -> bool:
        """A device that failed gives way to the others, but on a full line it must not wait for ever."""
        return _of(health, slot).failures > 0 and now - slot.due_at < 2 * slot.period_s

    def _probe(self, now: float, gap_s: float, health: Mapping[str, Health]) -> Probe | None:
        ready = []
        for slot in self._slots.values():
            due_in = _of(health, slot).probe_due_in_s
            if due_in is None or due_in > 0:
                continue
            if gap_s >= self._probe_s or -due_in > 2 * slot.period_s:
                ready.append((due_in, slot))
        if not ready:
            return None
        _, slot = min(ready, key=lambda found: found[0])
        slot.due_at = _grid(now, slot.period_s)
        return Probe(slot.device)

    def _rest_s(self, gap_s: float, health: Mapping[str, Health]) -> float:
        """Sleep until something can change, and never past the next second: a clock may be set."""
        coming = [due for slot in self._slots.values() if (due := _of(health, slot).probe_due_in_s) and due > 0]
        return min([gap_s, 1.0, *coming])


def _of(health: Mapping[str, Health], slot: _Slot) -> Health:
    return health.get(slot.device, Health())


def _grid(now: float, period_s: float) -> float:
    """Give the next multiple of a period after an instant."""
    return (now // period_s + 1) * period_s
