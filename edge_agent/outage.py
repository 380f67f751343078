"""When a meter was not read, and whose fault it was. Pure.

    what happened between two reads that follow each other        cause
    the gateway was not running, or could not store               edge
    the gateway ran, and the meter or its line did not answer     device
    read and stored, and not yet at the centre                    link

The first two are told as events when they have ended, so that gateway and centre show the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from protocols.sync import Event

KIND = "gap"
_LEAST_MS = 90_000  # one poll that failed and was made up for is no gap


class Cause(StrEnum):
    """Whose fault it is that a reading is missing."""

    DEVICE = "device"
    EDGE = "edge"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch without readings; ``device`` is "" for all of a gateway. Units: milliseconds UTC, None: it lasts."""

    device: str
    since: int
    until: int | None
    cause: Cause

    def as_json(self) -> dict[str, Any]:
        return {"device": self.device or None, "since": self.since, "until": self.until, "cause": self.cause.value}


def is_gap(since: int, until: int, period_s: float) -> bool:
    """Tell whether more than two reads are missing between two instants."""
    return until - since > max(3_000 * period_s, _LEAST_MS)


def outage_between(device: str, since: int, until: int, period_s: float, edge_since: int) -> Outage | None:
    """Say what lies between two reads of a meter, None where nothing is missing.

    Units: ``edge_since`` is the last instant at which the gateway began to work as it should.
    """
    if not is_gap(since, until, period_s):
        return None
    return Outage(device, since, until, Cause.EDGE if since < edge_since else Cause.DEVICE)


def to_event(outage: Outage) -> Event:
    """Say an outage that has ended."""
    body = {"since": outage.since, "until": outage.until, "cause": outage.cause.value}
    return Event(KIND, f"device:{outage.device}", outage.until or outage.since, body)


def from_event(event: Event) -> Outage | None:
    """Read an outage from an event, None where it is about something else."""
    device, body = event.subject.removeprefix("device:"), event.body
    since, until = body.get("since"), body.get("until")
    if event.kind != KIND or type(since) is not int or type(until) is not int or body.get("cause") not in set(Cause):
        return None
    return Outage(device, since, until, Cause(body["cause"]))


def lasting(
    last_read_at: Mapping[str, int], periods_s: Mapping[str, float], now: int, edge_stopped_at: int | None
) -> list[Outage]:
    """Give the outages that last; ``edge_stopped_at`` is when the gateway itself ended, None while it runs."""
    cause = Cause.DEVICE if edge_stopped_at is None else Cause.EDGE
    return [
        Outage(device, since, None, cause)
        for device, since in sorted(last_read_at.items())
        if device in periods_s and is_gap(since, now, periods_s[device])
    ]
