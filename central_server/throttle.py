"""Guesses slowed down, for each login and address, without locking anyone out for good."""

from collections import OrderedDict

# Guesses that are let through to the check, for each (login, address), within an hour.
_FREE_GUESSES = 5
_GUESSES_PER_HOUR = 20
_HOUR_MS = 3600 * 1000
_MOST_KEPT = 10_000


class Throttle:
    """Count guesses and say how long the next must wait. Units: ``now`` in ms of a clock that never steps."""

    def __init__(self) -> None:
        self._tried: OrderedDict[tuple[str, str], list[int]] = OrderedDict()

    def wait_s(self, login: str, peer: str, now: int) -> int:
        """Say how many seconds the next guess must wait, 0 for none."""
        tried = [at for at in self._tried.get((login, peer), []) if now - at < _HOUR_MS]
        if len(tried) < _FREE_GUESSES:
            return 0
        if len(tried) >= _GUESSES_PER_HOUR:
            until: int = tried[-_GUESSES_PER_HOUR] + _HOUR_MS
            return max(1, int(until - now) // 1000)
        pause_ms = min(1000 * 2 ** (len(tried) - _FREE_GUESSES + 1), 60_000)
        return int(max(0, -((now - tried[-1] - pause_ms) // 1000)))

    def failed(self, login: str, peer: str, now: int) -> None:
        tried = self._tried.setdefault((login, peer), [])
        tried.append(now)
        del tried[:-_GUESSES_PER_HOUR]
        self._tried.move_to_end((login, peer))
        while len(self._tried) > _MOST_KEPT:
            self._tried.popitem(last=False)

    def succeeded(self, login: str, peer: str) -> None:
        self._tried.pop((login, peer), None)
