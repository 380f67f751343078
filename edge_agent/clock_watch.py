"""What people are told of the gateway's clock: in the status, and by an alarm while it is wrong."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from edge_agent.clock import Span
from edge_agent.span_log import has_clock, load_stretches
from edge_agent.store_file import reading

CONDITION = "clock_wrong"
LOOK_S = 5.0
# A machine without a battery has its time by then; it is no news that it needs it.
PATIENCE_S = 120.0


class ClockState(Enum):
    """How far the clock is believed."""

    CONFIRMED = "confirmed"  # by the centre
    UNCONFIRMED = "unconfirmed"
    WRONG = "wrong"  # by so much; stamps are put right
    UNKNOWN = "unknown"  # nobody knows by how much

    @property
    def is_ok(self) -> bool:
        return self in (ClockState.CONFIRMED, ClockState.UNCONFIRMED)


def state_of(span: Span) -> ClockState:
    """Tell how far a clock is believed."""
    if span.shift_ms is None:
        return ClockState.UNKNOWN
    if span.shift_ms:
        return ClockState.WRONG
    return ClockState.CONFIRMED if span.is_proved else ClockState.UNCONFIRMED


def clock_json(span: Span | None, offset_ms: int | None) -> dict[str, Any]:
    """Describe the clock as ``edge status`` does.

    Units: ``offset_ms`` is the centre's clock minus ours, None before it was heard; ``shift_ms`` is added to stamps.
    """
    if span is None:
        return {"ok": True, "offset_ms": offset_ms, "state": ClockState.UNCONFIRMED.value, "shift_ms": 0, "boot": None}
    state = state_of(span)
    told = {"state": state.value, "shift_ms": span.shift_ms, "boot": span.boot}
    return {"ok": state.is_ok, "offset_ms": offset_ms, **told}


def last_span(path: Path) -> Span | None:
    """Read what was last known of the clock from the store of a gateway that does not run. Raises: StoreError."""
    with reading(path) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        stretches = load_stretches(connection) if has_clock(version) else []
    return stretches[-1].span if stretches else None


class ClockWatch:
    """Raises an alarm while the clock is wrong; ``run`` it in a task. Units: ``monotonic`` in seconds."""

    def __init__(
        self,
        span: Callable[[], Span],
        tell: Callable[[str, bool, Mapping[str, Any]], Awaitable[None]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._span = span
        self._tell = tell
        self._monotonic = monotonic
        self._bad_since: float | None = None

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Raise the alarm once the clock has been wrong for a while, and clear it as soon as it is right."""
        span, now = self._span(), self._monotonic()
        if state_of(span).is_ok:
            self._bad_since = None
            await self._tell(CONDITION, False, {})
            return
        self._bad_since = now if self._bad_since is None else self._bad_since
        if now - self._bad_since >= PATIENCE_S:
            off = {} if span.shift_ms is None else {"behind_s": round(span.shift_ms / 1000)}
            await self._tell(CONDITION, True, off)
