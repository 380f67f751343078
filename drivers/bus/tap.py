"""A place on a line where somebody may listen to its bytes; nobody does most of the time.

A bus asks ``hear is not None`` at each piece and does nothing more. What listens must be quick, must
not raise, and is called from the thread that owns the line.
"""

import time
from collections.abc import Callable
from typing import NamedTuple


class Piece(NamedTuple):
    """Bytes that went or came at one moment.

    Shape: ``is_out`` where we sent them.
    Units: ``at`` is seconds of the monotonic clock, which the event loop's is too.
    """

    at: float
    is_out: bool
    data: bytes


Listener = Callable[[Piece], None]


class Tap:
    """Tell the pieces of a line to whoever listens; ``hear`` is None where nobody does."""

    __slots__ = ("_listeners", "hear")

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self.hear: Callable[[bytes, bool], None] | None = None

    @property
    def count(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def listen(self, listener: Listener) -> None:
        """Begin to tell somebody."""
        self._listeners = (*self._listeners, listener)
        self.hear = self._tell

    def leave(self, listener: Listener) -> None:
        """Stop telling somebody."""
        self._listeners = tuple(it for it in self._listeners if it != listener)
        self.hear = self._tell if self._listeners else None

    def _tell(self, data: bytes, is_out: bool) -> None:
        piece = Piece(time.monotonic(), is_out, bytes(data))
        for listener in self._listeners:
            listener(piece)
