"""Finding out what stands on a line: one module a protocol, ``registry`` names them all.

A search asks one open bus at its present line settings, as polls do, so that a gateway's own
commands still go first. Other baud rates are tried by whoever opens the bus.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import NamedTuple

from drivers.bus.exchange import Priority
from drivers.bus.owner import Bus


class Sighting(NamedTuple):
    """Something that answered.

    Shape: ``address`` as a [[device]] names it; ``detail`` what it said of itself, for people;
    ``profile_hint`` the profile that fits what it answered, None where none does for certain.
    """

    protocol: str
    address: str
    detail: str
    profile_hint: str | None = None


class Progress(NamedTuple):
    """How far a search is, in steps of its own; ``total`` may grow while it goes on."""

    done: int
    total: int
    text: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look for.

    Shape: ``addresses`` as a [[device]] names them, None for all that the protocol has or for
    its own way of finding them.
    Units: ``timeout_s`` is how long one silent address may cost, None for what the search thinks right.
    """

    addresses: tuple[str, ...] | None = None
    timeout_s: float | None = None
    priority: Priority = Priority.POLL


# Tells of its progress between the sightings. Silence is no error; BusDown ends it.
Search = Callable[[Bus, Scope], AsyncIterator[Sighting | Progress]]
