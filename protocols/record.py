"""What a gateway keeps and sends: readings and events, each in the lane of its worth."""

from decimal import Decimal
from enum import IntEnum
from typing import Any, NamedTuple

from protocols.quantity import Quality


class Lane(IntEnum):
    """Order of delivery and of shedding: the lower, the more precious."""

    SAFETY = 0
    CONTROL = 1
    BILLING = 2
    TELEMETRY = 3

    @property
    def word(self) -> str:
        return self.name.lower()


class Series(NamedTuple):
    """Identity of a column of readings; the unit is the canonical one."""

    device: str
    point: str
    unit: str


class Reading(NamedTuple):
    """One point at one time.

    Shape: ``raw`` holds the device's bytes where the quality is not GOOD, else nothing.
    Units: ``taken_at`` is milliseconds since 1970 in UTC.
    """

    series: Series
    taken_at: int
    value: Decimal | None
    quality: Quality = Quality.GOOD
    raw: bytes = b""


class Event(NamedTuple):
    """A fact; ``body`` is what JSON can carry. Units: ``at`` is milliseconds since 1970 in UTC."""

    kind: str
    subject: str
    at: int
    body: dict[str, Any]


Record = Reading | Event
