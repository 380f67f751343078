"""Find frames in a stream of bytes that also holds noise, echoes and half frames.

A scanner is fed bytes as they come and gives, in order, good frames, bad frames with their
error, and noise. It never assumes that one read is one frame. A candidate that fails is given
up only as far as the next place where a frame may begin: a true one may stand inside a false one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from protocols.errors import ProtocolError, TruncatedFrame

# What is fed at once is taken in portions of this; noise is told when it has grown to it.
PORTION = 1024


@dataclass(frozen=True, slots=True)
class Found:
    """A piece of the stream: ``frame`` for a good frame, ``error`` for a bad one, neither for noise."""

    offset: int
    data: bytes
    frame: Any = None
    error: ProtocolError | None = None

    @property
    def is_noise(self) -> bool:
        return self.frame is None and self.error is None


@dataclass(frozen=True, slots=True)
class Framing:
    """What a scanner must know of a protocol; all functions look at bytes from a possible start on.

    Shape: ``length`` gives the whole frame's length, 0 while too few bytes are there to tell, -1 if
    no frame starts here. ``is_likely`` tells a damaged frame from noise by what there is of its header.
    """

    length: Callable[[bytes], int]
    decode: Callable[[bytes], Any]
    is_likely: Callable[[bytes], bool]
    header: int  # bytes that make a damaged frame worth the name where another one cuts it off
    start: bytes = b""  # without a start byte, half a frame cannot be told from noise
    end: bytes = b""
    fill: bytes = b""  # wake-up bytes before a frame
    # May a whole frame inside an unfinished one be believed at once? Only if chance cannot make one:
    # start, end and sum can, a CRC alone or no check at all cannot.
    is_self_evident: bool = False
    longest: int = 270  # no frame of the protocol has more bytes

    @property
    def max_buffer(self) -> int:
        """A false frame, and a possible one that begins at its end, can be waiting when a portion comes."""
        return 2 * self.longest + PORTION


class FrameScanner:
    """Scan one direction of one line.

    Shape: ``feed`` gives what became certain; ``flush`` gives the rest, where a frame that never
    ended is a truncated one.
    """

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._buffer = b""
        self._noise = b""
        self._offset = 0  # of the first byte of the noise, or of the buffer where there is none

    def feed(self, data: bytes) -> list[Found]:
        """Take bytes and give what they complete, noise only when something follows it."""
        found: list[Found] = []
        for start in range(0, len(data), PORTION):
            self._buffer += data[start : start + PORTION]
            found.extend(self._scan(is_end=False))
        return found

    def flush(self) -> list[Found]:
        """Give what is left: the line has fallen silent."""
        return [*self._scan(is_end=True), *self._take_noise()]

    def _scan(self, *, is_end: bool) -> Iterator[Found]:
        framing = self._framing
        while self._buffer:
            length = framing.length(self._buffer)
            if length < 0:
                yield from self._skip(next(self._starts(len(self._buffer)), len(self._buffer)))
                continue
            is_short = length == 0 or length > len(self._buffer)
            if is_short and not is_end and not framing.is_self_evident:
                break
            candidate = self._buffer if is_short else self._buffer[:length]
            frame, error = self._decode(candidate)
            if is_short:
                error = error or TruncatedFrame("the bytes end inside this frame")
            if error is None:
                yield from self._take(Found(0, candidate, frame))
                continue
            good = self._next_good()
            if not good and not is_end and (is_short or self._open_start(len(candidate))):
                break  # more bytes will tell whether a true frame begins inside
            yield from self._give_up(candidate, good, error, is_short=is_short)

    def _decode(self, candidate: bytes) -> tuple[Any, ProtocolError | None]:
        try:
            return self._framing.decode(candidate), None
        except ProtocolError as error:
            return None, error

    def _give_up(self, candidate: bytes, good: int, error: ProtocolError, *, is_short: bool) -> Iterator[Found]:
        """Pass over a candidate that is no frame, or over as much of it as belongs to no later one."""
        framing = self._framing
        is_ended = bool(framing.end) and not is_short and candidate.endswith(framing.end)
        cut = good if good < len(candidate) else 0
        if cut:
            error = TruncatedFrame("another frame begins inside this one")
        elif framing.end and not is_short and not is_ended:
            cut = self._open_start(len(candidate))  # its length is not to be believed
        bad = candidate[:cut] if cut else candidate
        if cut and framing.fill:
            bad = bad.rstrip(framing.fill)
        has_header = framing.is_likely(bad) and (not cut or len(bad) >= framing.header)
        if has_header or (is_ended and not cut):
            yield from self._take(Found(0, bad, error=error))
        else:
            yield from self._skip(self._next_worthy(len(bad)))

    def _starts(self, limit: int) -> Iterator[int]:
        """Go through the places after the first, and before ``limit``, where a frame may begin."""
        start = self._framing.start
        if not start:
            yield from range(1, limit)
            return
        place = self._buffer.find(start, 1, limit)
        while place > 0:
            yield place
            place = self._buffer.find(start, place + 1, limit)

    def _next_good(self) -> int:
        """Find the next good frame that is whole in the buffer; 0 if there is none."""
        framing, buffer = self._framing, self._buffer
        for place in self._starts(len(buffer)):
            rest = buffer[place : place + framing.longest]
            length = framing.length(rest)
            if not 0 < length <= len(rest) or not rest.endswith(framing.end, 0, length):
                continue
            if self._decode(rest[:length])[1] is None:
                return place
        return 0

    def _open_start(self, limit: int) -> int:
        """Find what may yet become a frame and begins before ``limit``; 0 if there is nothing."""
        for place in self._starts(limit) if self._framing.start else ():
            if self._is_open(place) and self._framing.is_likely(self._buffer[place : place + self._framing.longest]):
                return place
        return 0

    def _next_worthy(self, limit: int) -> int:
        """Find how far noise goes: to what may become a frame, or is a damaged one, or to ``limit``."""
        if not self._framing.start:
            return 1
        for place in self._starts(limit):
            if self._is_open(place) or self._framing.is_likely(self._buffer[place : place + self._framing.longest]):
                return place
        return limit

    def _is_open(self, place: int) -> bool:
        rest = self._buffer[place : place + self._framing.longest]
        length = self._framing.length(rest)
        return length == 0 or length > len(rest)

    def _take(self, piece: Found) -> Iterator[Found]:
        yield from self._take_noise()
        yield replace(piece, offset=self._offset)
        self._offset += len(piece.data)
        self._buffer = self._buffer[len(piece.data) :]

    def _skip(self, count: int) -> Iterator[Found]:
        self._noise += self._buffer[:count]
        self._buffer = self._buffer[count:]
        if len(self._noise) >= PORTION:
            yield from self._take_noise()

    def _take_noise(self) -> Iterator[Found]:
        if self._noise:
            yield Found(self._offset, self._noise)
            self._offset += len(self._noise)
            self._noise = b""
