"""What travels between a line's plumbing and the meters that answer on it."""

from collections.abc import Callable
from typing import NamedTuple

from drivers.sim.journal import Happened, Served


class Answer(NamedTuple):
    """One frame as it goes on the wire, and the registers in it or what it did to a door."""

    data: bytes
    served: tuple[Served | Happened, ...] = ()


# Composes at the moment of sending, so that a late answer never shows a register older than one already told.
Compose = Callable[[], Answer | None]
