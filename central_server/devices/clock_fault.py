"""What a gateway last told of its own clock."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class ClockFault(NamedTuple):
    """A clock that is wrong. Units: ``behind_ms`` is what it lacks, None where nobody knows."""

    behind_ms: int | None


def clock_fault(status: Mapping[str, Any]) -> ClockFault | None:
    """Read a status; None where the clock is right, or the gateway does not tell."""
    clock = status.get("clock")
    state = clock.get("state") if isinstance(clock, dict) else None
    if state not in ("wrong", "unknown"):
        return None
    shift = clock.get("shift_ms") if isinstance(clock, dict) and state == "wrong" else None
    return ClockFault(shift if type(shift) is int else None)
