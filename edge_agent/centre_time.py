"""What the centre's clock says at most, measured by our monotonic clock and never by the wall."""

from edge_agent.clock import Span


class CentreTime:
    """The latest that it can be at the centre. Units: milliseconds."""

    def __init__(self) -> None:
        self._ahead: int | None = None

    def note(self, server_time: object, asked_at: object) -> None:
        """Take in an answer that was given after ``asked_at`` of our monotonic clock: it is not later than this says."""
        if type(server_time) is int and type(asked_at) is int:
            self._ahead = server_time - asked_at

    def now(self, mono_ms: int) -> int | None:
        return None if self._ahead is None else mono_ms + self._ahead


def latest_now(span: Span, wall_ms: int, centre_ms: int | None) -> int | None:
    """Say how late it may be, so that nothing happens after its time; None where nobody knows.

    The gateway's own clock counts where the centre has once confirmed it.
    """
    own = wall_ms + span.shift_ms if span.is_proved and span.shift_ms is not None else None
    return max((it for it in (own, centre_ms) if it is not None), default=None)
