"""What a command is at the centre, and which states follow each other.

    queued --link is there--> sent --gateway tells--> done, failed, expired, unknown
       |                        +----not a word------> unknown     (the gateway may still tell)
       +----its time is over--> expired

What the gateway tells counts once, and ends every state that we have only concluded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from protocols.command import DONE, EXPIRED, FAILED, LIVES_MS, OPEN, UNKNOWN, WRITE

QUEUED, SENT = "queued", "sent"
OPEN_STATES = (QUEUED, SENT)
STATES = (QUEUED, SENT, DONE, FAILED, EXPIRED, UNKNOWN)
# After its end a gateway may still need a moment to tell, and its link one to come back.
GRACE_MS = 30_000


class CommandRow(NamedTuple):
    """A command with its device; ``args`` and ``read_back`` are read from JSON. Units: ms since 1970."""

    id: str
    gateway_id: int
    edge_id: str
    site_id: int
    zone: str
    device_id: int
    device: str
    device_name: str
    device_kind: str
    action: str
    args: Mapping[str, str]
    kind: str
    state: str
    actor: str
    reason: str
    issued_at: int
    expires_at: int
    reported_at: int | None
    error: str | None
    read_back: Mapping[str, Any] | None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


@dataclass(frozen=True, slots=True)
class Orderable:
    """Something that a device takes orders for, as its gateway tells it.

    Shape: ``states`` gives a code its word in the profile; a number has ``low`` and ``high`` instead.
    """

    action: str
    kind: str
    point: str = ""
    unit: str = ""
    states: Mapping[str, str] | None = None
    low: Decimal | None = None
    high: Decimal | None = None

    def takes(self, value: str) -> bool:
        """Tell whether a value may be written."""
        if self.states is not None:
            return value in self.states
        try:
            number = Decimal(value)
        except InvalidOperation:
            return False
        return number.is_finite() and self.low is not None and self.high is not None and self.low <= number <= self.high


def orderables(state: Mapping[str, Any]) -> list[Orderable]:
    """Read what a device takes orders for; what is none of the contract's is passed over."""
    told = state.get("commands")
    found = [_orderable(each) for each in told if isinstance(each, dict)] if isinstance(told, list) else []
    return [each for each in found if each is not None]


def _orderable(told: Mapping[str, Any]) -> Orderable | None:
    action, kind, point = told.get("action"), told.get("class"), told.get("point")
    if not isinstance(kind, str) or kind not in LIVES_MS:
        return None
    if action == OPEN:
        return Orderable(OPEN, kind)
    if action != WRITE or not isinstance(point, str) or not 0 < len(point) <= 64:
        return None
    states = told.get("states")
    if isinstance(states, dict):
        return Orderable(WRITE, kind, point, "", {str(code): str(word)[:64] for code, word in states.items()})
    try:
        return Orderable(
            WRITE, kind, point, str(told.get("unit", ""))[:16], None, Decimal(told["min"]), Decimal(told["max"])
        )
    except (KeyError, TypeError, ValueError, InvalidOperation):
        return None
