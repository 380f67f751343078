"""How long to wait for a device, learnt from how long its answers took; pure, the times are passed in.

A line is held by whoever does not answer. A device that has always begun to answer within 40 ms
is not waited for a whole second; one that missed its time is given all of it the next time, for it
may only have been busy; and one that is silent for good costs no more than the slowest of its
living neighbours is granted.
"""

from dataclasses import dataclass

_ENOUGH = 4  # answers before any conclusion
_GAIN, _VARIANCE_GAIN, _DEVIATIONS = 0.125, 0.25, 6.0  # as TCP does, with more room: meters are less regular
_SILENT = 3  # misses in a row; as many as open a breaker


@dataclass(slots=True)
class _Party:
    answers: int = 0
    misses: int = 0
    mean_s: float = 0.0
    deviation_s: float = 0.0


class Patience:
    """The timeouts of one line.

    Units: seconds; ``full_s`` is what the settings grant, ``floor_s`` what nobody gets less than.
    """

    def __init__(self, full_s: float, floor_s: float) -> None:
        self.full_s = full_s
        self._floor_s = min(floor_s, full_s)
        self._parties: dict[str, _Party] = {}

    def timeout(self, party: str) -> float:
        """Say how long to wait for a party's next answer."""
        known = self._parties.get(party)
        if known is None or 0 < known.misses < _SILENT:
            return self.full_s
        if known.misses:
            living = [self._learnt(other) for other in self._parties.values() if not other.misses]
            return max(living, default=self.full_s)
        return self._learnt(known)

    def answered(self, party: str, seconds: float) -> None:
        """Note after how long a party's answer began."""
        known = self._parties.setdefault(party, _Party())
        known.misses = 0
        if not known.answers:
            known.mean_s, known.deviation_s = seconds, seconds / 2
        else:
            known.deviation_s += _VARIANCE_GAIN * (abs(seconds - known.mean_s) - known.deviation_s)
            known.mean_s += _GAIN * (seconds - known.mean_s)
        known.answers += 1

    def missed(self, party: str) -> None:
        """Note that no answer came in time."""
        self._parties.setdefault(party, _Party()).misses += 1

    def _learnt(self, known: _Party) -> float:
        if known.answers < _ENOUGH:
            return self.full_s
        return min(self.full_s, max(self._floor_s, known.mean_s + _DEVIATIONS * known.deviation_s))
