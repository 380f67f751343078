"""Whether a gateway is as well under new settings as it was before: pure.

What was well before must be well again: a line that was up, a device that answered, a link that delivered. What
the new settings no longer have is not missed, and what is new need not answer yet.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Health:
    """What is well at a moment; ``asked`` are the devices that had their turn, answering or not."""

    buses: frozenset[str]
    devices: frozenset[str]
    asked: frozenset[str]
    is_synced: bool


class Verdict(Enum):
    WELL = "well"
    WAIT = "wait"
    UNWELL = "unwell"


def health_of(status: Mapping[str, Any]) -> Health:
    """Read the health out of what ``edge status --json`` tells; a device counts that has answered since the start."""
    devices = status["devices"]
    answered = frozenset(row["id"] for row in devices if row["last_ok_at"] is not None)
    return Health(
        frozenset(row["id"] for row in status["buses"] if row["state"] == "up"),
        answered,
        answered | frozenset(row["id"] for row in devices if row["state"] != "unknown" or row["error"]),
        status["uplink"]["state"] == "online",
    )


def well_now(status: Mapping[str, Any]) -> Health:
    """Read what is well at this moment, as what is to be asked of other settings."""
    health = health_of(status)
    well = frozenset(row["id"] for row in status["devices"] if row["state"] in ("ok", "degraded"))
    return Health(health.buses, well, health.asked, health.is_synced)


def is_known(status: Mapping[str, Any], settle_s: float) -> bool:
    """Tell whether a gateway can say what is well: everything had its turn since the start, or ``settle_s`` are over.

    Of one that has only just started nothing is known to be well, so that any settings would be as good as those.
    """
    if status["uptime_s"] >= settle_s:
        return True
    asked = health_of(status).asked
    return status["uplink"]["state"] in ("online", "none") and all(row["id"] in asked for row in status["devices"])


def judge(
    before: Health | None,
    now: Health,
    buses: Collection[str],
    devices: Collection[str],
    *,
    is_over: bool,
    has_uplink: bool,
) -> tuple[Verdict, str]:
    """Tell whether the gateway is well again, and if not what is missing.

    Shape: ``buses`` and ``devices`` are those of the new settings; ``before`` is None where nothing ran: then it is
    enough that the gateway runs until its time ``is_over``, or that a device answers.
    """
    if before is None:
        return (Verdict.WELL if is_over or now.devices else Verdict.WAIT), ""
    wanted = before.devices & frozenset(devices)
    silent = wanted - now.devices
    missing = [
        *_named("not up: {0}", (before.buses & frozenset(buses)) - now.buses),
        # One that has not had its turn on a slow line is not known to be silent.
        *_named("no answer from {0}", silent & now.asked if is_over else silent),
        *(["the centre is not reached"] if before.is_synced and has_uplink and not now.is_synced else []),
    ]
    if not missing:
        return Verdict.WELL, ""
    return (Verdict.UNWELL if is_over else Verdict.WAIT), "; ".join(missing)


def _named(sentence: str, ids: Collection[str]) -> list[str]:
    shown = sorted(ids)[:_MOST_NAMED]
    names = ", ".join(shown) + (f" (+{len(ids) - len(shown)})" if len(ids) > len(shown) else "")
    return [sentence.format(names)] if shown else []
