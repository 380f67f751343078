"""Find frames in a stream of bytes that also holds noise, echoes and half frames.

A scanner is fed bytes as they come and gives, in order, good frames, bad frames with their
error, and noise. It never assumes that one read is one frame. A candidate that fails is given
up only as far as the next place where a frame may begin: a true one may stand inside a false one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from protocols import cjt188, dlt645, modbus
from protocols.errors import ProtocolError, TruncatedFrame

# No frame of any protocol here has more bytes.
LONGEST = 270
# What is fed at once is taken in portions of this; noise is told when it has grown to it.
PORTION = 1024
# A false frame and a possible one that begins at its end can be waiting when a portion comes.
MAX_BUFFER = 2 * LONGEST + PORTION


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


def _is_printed(wire: bytes) -> bool:
    """Tell whether address bytes hold digits and wildcards only."""
    return all(byte >> 4 <= 10 and byte & 0xF <= 10 for byte in wire)


def _dlt645_length(data: bytes) -> int:
    if data[0] != dlt645.START or (len(data) > 7 and data[7] != dlt645.START):
        return -1
    return dlt645.OVERHEAD + data[9] if len(data) > 9 else 0


def _is_likely_dlt645(data: bytes) -> bool:
    return _is_printed(data[1:7])


def _cjt188_length(data: bytes) -> int:
    if data[0] != cjt188.START:
        return -1
    return cjt188.OVERHEAD + data[10] if len(data) > 10 else 0


def _is_likely_cjt188(data: bytes) -> bool:
    is_meter = all(kind >> 4 in (1, 2, 3, 4) or kind == cjt188.ANY_TYPE for kind in data[1:2])
    return is_meter and _is_printed(data[2:9])


def _modbus_tcp_length(data: bytes) -> int:
    if any(data[2:4]):
        return -1
    if len(data) < 6:
        return 0
    length = data[4] << 8 | data[5]
    return 6 + length if 2 <= length <= modbus.MAX_PDU + 1 else -1


def _is_likely_tcp(data: bytes) -> bool:
    return all(function & 0x7F in modbus.PUBLIC_FUNCTIONS for function in data[7:8])


def _decode_tcp(data: bytes) -> modbus.Frame:
    """Demand more than the envelope, which checks nothing."""
    frame = modbus.decode_tcp(data)
    modbus.check_pdu(frame.pdu)
    return frame


def rtu_lengths(data: bytes) -> list[int]:
    """Give the lengths an RTU frame starting here can have; a request and an answer differ."""
    if len(data) < 2:
        return []
    function = data[1]
    if function & 0x80:
        return [5] if function & 0x7F in modbus.FUNCTIONS else []
    if function in modbus.READS:
        return [8, *([5 + data[2]] if len(data) > 2 and data[2] else [])]
    if function in (modbus.WRITE_COIL, modbus.WRITE_REGISTER):
        return [8]
    if function in (modbus.WRITE_COILS, modbus.WRITE_REGISTERS):
        return [8, *([9 + data[6]] if len(data) > 6 else [])]
    return []


def _modbus_rtu_length(data: bytes) -> int:
    if len(data) < 3:
        return 0
    lengths = rtu_lengths(data)
    if not lengths:
        return -1
    # RTU has no start byte, so only a frame whose CRC fits is one; the longest that fits wins.
    for length in sorted(lengths, reverse=True):
        if len(data) >= length and modbus.has_crc(data[:length]):
            return length
    return 0 if len(data) < max(lengths) else -1


FRAMINGS = {
    "dlt645": Framing(
        _dlt645_length, dlt645.decode_frame, _is_likely_dlt645, 10, b"\x68", b"\x16", b"\xfe", is_self_evident=True
    ),
    "cjt188": Framing(
        _cjt188_length, cjt188.decode_frame, _is_likely_cjt188, 11, b"\x68", b"\x16", b"\xfe", is_self_evident=True
    ),
    "modbus-rtu": Framing(_modbus_rtu_length, modbus.decode_rtu, lambda _: False, 0),
    "modbus-tcp": Framing(_modbus_tcp_length, _decode_tcp, _is_likely_tcp, 8),
}


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
            rest = buffer[place : place + LONGEST]
            length = framing.length(rest)
            if not 0 < length <= len(rest) or not rest.endswith(framing.end, 0, length):
                continue
            if self._decode(rest[:length])[1] is None:
                return place
        return 0

    def _open_start(self, limit: int) -> int:
        """Find what may yet become a frame and begins before ``limit``; 0 if there is nothing."""
        for place in self._starts(limit) if self._framing.start else ():
            if self._is_open(place) and self._framing.is_likely(self._buffer[place : place + LONGEST]):
                return place
        return 0

    def _next_worthy(self, limit: int) -> int:
        """Find how far noise goes: to what may become a frame, or is a damaged one, or to ``limit``."""
        if not self._framing.start:
            return 1
        for place in self._starts(limit):
            if self._is_open(place) or self._framing.is_likely(self._buffer[place : place + LONGEST]):
                return place
        return limit

    def _is_open(self, place: int) -> bool:
        rest = self._buffer[place : place + LONGEST]
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


def scanner(protocol: str) -> FrameScanner:
    """Make a scanner for ``dlt645``, ``cjt188``, ``modbus-rtu`` or ``modbus-tcp``.

    Raises: KeyError for another protocol.
    """
    return FrameScanner(FRAMINGS[protocol])


def scan(protocol: str, data: bytes) -> list[Found]:
    """Find everything in a finished capture."""
    whole = scanner(protocol)
    return [*whole.feed(data), *whole.flush()]
