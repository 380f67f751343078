"""What is known of one OSDP device: the last it said, and how its session stands."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class RawCard:
    """A card as a reader sent it.

    Shape: ``number`` is its bits, the first one highest. Units: ``age_s`` as ``CardRead`` has it.
    """

    bits: int
    number: int
    age_s: float


class Report(NamedTuple):
    """A device's report of its states. Units: ``at`` is monotonic seconds."""

    states: bytes
    at: float


@dataclass(slots=True)
class Reader:
    """What is known of one device; only its bus writes here.

    Shape: ``counter`` rises with every card and wraps at 16 bits; ``keys`` are those typed and not
    taken yet; ``shown`` is set by a card. ``reports`` holds the last report of each kind, and
    ``volunteers`` the kinds that the device tells by itself when they change; ``mute`` those that it
    refuses to tell.
    """

    address: int
    key_file: Path | None
    is_installing: bool
    refusal: str | None = None
    is_online: bool = False
    is_secure: bool = False
    uses_default_key: bool = False
    online_at: float = 0.0
    offline_at: float = float("-inf")
    heard_at: float | None = None
    counter: int = 0
    card: RawCard | None = None
    keys: str = ""
    abilities: frozenset[int] = frozenset()
    reports: dict[str, Report] = field(default_factory=dict)
    volunteers: set[str] = field(default_factory=set)
    mute: set[str] = field(default_factory=set)
    asked: str | None = None
    reported: asyncio.Event = field(default_factory=asyncio.Event)
    shown: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_trusted(self) -> bool:
        """Whether what it says can only come from the device that has its key."""
        return self.is_secure and not self.uses_default_key
