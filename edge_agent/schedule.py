"""Which device of a line is asked next: pure, the caller brings the time and the breakers.

Devices are due on an aligned grid, at multiples of their period in wall time; what is due
longest goes first. Slots that have passed are skipped, never queued; only the one that passed
while a busy line kept its device waiting is made up for, half a period later at the soonest.

A suspect is a device that failed last time; once its breaker is open it is probed only. Asking
one may cost a whole timeout, so it goes where that fits before a healthy device is due. Where
it never fits, suspects get a sixth of the line's time: the others' period grows by a quarter
at most, and a device that comes back is noticed even on a full line.
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
    """What the schedule must know of a device; ``probe_due_in_s`` is None while its breaker is closed."""

    failures: int = 0
    probe_due_in_s: float | None = None

    @property
    def is_open(self) -> bool:
        return self.probe_due_in_s is not None

    @property
    def is_suspect(self) -> bool:
        return self.is_open or self.failures > 0


@dataclass(slots=True)
class _Slot:
    """When a device is due; ``on_grid_at`` is the slot that this stands for."""

    device: str
    period_s: float
    on_grid_at: float
    due_at: float

    def begin(self, now: float) -> None:
        """Take this turn and set the next one."""
        following = self.on_grid_at + self.period_s
        if now - self.period_s < following <= now:
            self.on_grid_at, self.due_at = following, now + self.period_s / 2
        else:
            self.skip_to(now)

    def skip_to(self, now: float) -> None:
        self.on_grid_at = self.due_at = _grid(now, self.period_s)


_MOST_WAITED = 2  # periods; a suspect that has waited longer goes before the healthy
_SHARE = 6  # suspects that fit nowhere get one part in so many of the line's time


class Schedule:
    """The slots of one line. Units: seconds of wall time; a device that is silent costs ``probe_s``."""

    def __init__(self, periods: Sequence[tuple[str, float]], probe_s: float, now: float) -> None:
        # The first round is at once: an engineer who starts the gateway wants to see values.
        self._slots = {device: _Slot(device, period, _grid(now, period) - period, now) for device, period in periods}
        self._probe_s = probe_s
        self._suspects_at = now  # before this, none goes where it does not fit

    def next(self, now: float, health: Mapping[str, Health]) -> Poll | Probe | Wait:
        """Say what to do now; a poll or a probe said is taken as begun."""
        self._follow_clock(now)
        healthy = [slot for slot in self._slots.values() if not _of(health, slot).is_suspect]
        waited = self._suspects(now, health)
        gap_s = min((slot.due_at for slot in healthy), default=now + 3600.0) - now
        if (forced := self._forced(now, waited)) is not None:
            return self._ask_suspect(forced, now, gap_s, health)
        if gap_s <= 0:
            slot = min(healthy, key=lambda slot: slot.due_at)
            slot.begin(now)
            return Poll(slot.device, min(other.due_at for other in healthy) - now)
        is_free = gap_s >= self._probe_s
        for slot, _ in waited:
            # A device whose breaker is still closed may only have missed one answer: it keeps its turn.
            if is_free or (now >= self._suspects_at and not _of(health, slot).is_open):
                return self._ask_suspect(slot, now, gap_s, health)
        return Wait(self._rest_s(now, gap_s, health))

    def _follow_clock(self, now: float) -> None:
        """Bring back what a clock that was set back has left in the far future."""
        for slot in self._slots.values():
            if slot.due_at > now + slot.period_s:
                slot.skip_to(now)
        if self._suspects_at > now + _SHARE * self._probe_s:
            self._suspects_at = now

    def _suspects(self, now: float, health: Mapping[str, Health]) -> list[tuple[_Slot, float]]:
        """Give the suspects that are due and for how long they have been, the longest first."""
        waited = []
        for slot in self._slots.values():
            found = _of(health, slot)
            if found.is_suspect:
                since = now - slot.due_at if found.probe_due_in_s is None else -found.probe_due_in_s
                if since >= 0:
                    waited.append((slot, since))
        return sorted(waited, key=lambda pair: -pair[1])

    def _forced(self, now: float, waited: Sequence[tuple[_Slot, float]]) -> _Slot | None:
        if now < self._suspects_at:
            return None
        return next((slot for slot, since in waited if since > _MOST_WAITED * slot.period_s), None)

    def _ask_suspect(self, slot: _Slot, now: float, gap_s: float, health: Mapping[str, Health]) -> Poll | Probe:
        if gap_s < self._probe_s:
            self._suspects_at = now + _SHARE * self._probe_s
        slot.skip_to(now)
        return Probe(slot.device) if _of(health, slot).is_open else Poll(slot.device, gap_s)

    def _rest_s(self, now: float, gap_s: float, health: Mapping[str, Health]) -> float:
        """Sleep until something can change, and never past the next second: a clock may be set."""
        coming = [gap_s, 1.0, self._suspects_at - now]
        for slot in self._slots.values():
            found = _of(health, slot)
            if found.is_suspect:
                coming.append(slot.due_at - now if found.probe_due_in_s is None else found.probe_due_in_s)
        return min(seconds for seconds in coming if seconds > 0)


def _of(health: Mapping[str, Health], slot: _Slot) -> Health:
    return health.get(slot.device, Health())


def _grid(now: float, period_s: float) -> float:
    """Give the next multiple of a period after an instant."""
    due_at = (now // period_s + 1) * period_s
    return due_at if due_at > now else due_at + period_s  # the product may be rounded down to the instant itself
