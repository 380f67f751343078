"""Whether a request through a broker is said now, or is one that somebody has kept and says again."""

from collections.abc import Callable

from central_server.clock import now_ms
from central_server.errors import Conflict
from protocols.mqtt import AT, FRESH, FRESH_MS, REPLAYED, STALE, Message


class Fresh:
    """Remembers what was asked a moment ago; what is older its own stamp gives away.

    Each ingester has its own: where several share a broker, it could say a status to another of them once
    more within ``FRESH_MS``.
    """

    def __init__(self, now: Callable[[], int] = now_ms) -> None:
        self._now = now
        self._seen: dict[bytes, int] = {}

    def check(self, kind: str, request: Message) -> None:
        """Believe a signed request once. Raises: Conflict."""
        if kind not in FRESH:
            return
        now, told = self._now(), request.fields.get(AT, "")
        while self._seen and self._seen[oldest := next(iter(self._seen))] < now - 2 * FRESH_MS:
            del self._seen[oldest]
        at = int(told) if told.isascii() and told.isdigit() and len(told) < 17 else 0
        if abs(now - at) > FRESH_MS or request.number in self._seen:
            key = REPLAYED if told else STALE
            raise Conflict(
                key, "The request is not one of this moment. Ask anew, with the time that this answer tells."
            )
        self._seen[request.number] = now
