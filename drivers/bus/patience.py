"""How long to wait for a device, learnt from how long its answers took; pure, the times are passed in.

A line is held by whoever does not answer. A device that has always begun to answer within 40 ms is
not waited for a whole second. One that missed its time is given all of it once more, for it may only
have been busy, or slower than the line's other devices; one that is silent then costs no more than
those are granted together, and so does one that was never heard.
"""

from dataclasses import dataclass

_ENOUGH = 4  # answers before any conclusion
_GAIN, _VARIANCE_GAIN, _DEVIATIONS = 0.125, 0.25, 6.0  # as TCP does, with more room: meters are less regular


@dataclass(slots=True)
class _Party:
    answers: int = 0
    misses: int = 0
    mean_s: float = 0.0
    deviation_s: float = 0.0

    def note(self, seconds: float) -> None:
        if not self.answers:
            self.mean_s, self.deviation_s = seconds, seconds / 2
        else:
            self.deviation_s += _VARIANCE_GAIN * (abs(seconds - self.mean_s) - self.deviation_s)
            self.mean_s += _GAIN * (seconds - self.mean_s)
        self.answers += 1


_STRANGER = _Party()


class Patience:
    """The timeouts of one line.

    Units: seconds; ``full_s`` is what the settings grant, ``floor_s`` what nobody gets less than.
    """

    def __init__(self, full_s: float, floor_s: float) -> None:
        self.full_s = full_s
        self._floor_s = min(floor_s, full_s)
        self._parties: dict[str, _Party] = {}
        self._line = _Party()  # all of them together

    def timeout(self, party: str) -> float:
        """Say how long to wait for a party's next answer."""
        known = self._parties.get(party, _STRANGER)
        if known.misses == 1:
            return self.full_s
        if known.misses or not known.answers:
            return min(self.full_s, 2 * self._learnt(self._line))
        return self._learnt(known)

    def answered(self, party: str, seconds: float) -> None:
        """Note after how long a party's answer began."""
        known = self._parties.setdefault(party, _Party())
        known.misses = 0
        known.note(seconds)
        self._line.note(seconds)

    def missed(self, party: str) -> None:
        """Note that no answer came in time."""
        self._parties.setdefault(party, _Party()).misses += 1

    def _learnt(self, known: _Party) -> float:
        if known.answers < _ENOUGH:
            return self.full_s
        return min(self.full_s, max(self._floor_s, known.mean_s + _DEVIATIONS * known.deviation_s))
