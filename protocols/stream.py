"""Find frames in a stream of bytes that also holds noise, echoes and half frames.

A scanner is fed bytes as they come and gives, in order, good frames, bad frames with their
error, and noise. It never assumes that one read is one frame. A candidate that fails is
given up at its first byte only: a true frame may begin inside what looked like a false one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from protocols import cjt188, dlt645, modbus
from protocols.errors import ProtocolError, TruncatedFrame

# The longest frame of any protocol here is 260 bytes; what is older than this cannot become one.
MAX_BUFFER = 1024


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
    """What a scanner must know of a protocol.

    Shape: ``length(data)`` looks at bytes from a possible start on and gives the whole frame's
    length, 0 while too few bytes are there to tell, -1 if no frame starts here.
    """

    length: Callable[[bytes], int]
    decode: Callable[[bytes], Any]
    has_start: bool = True  # without a start byte, half a frame cannot be told from noise


def _dlt645_length(data: bytes) -> int:
    if data[0] != dlt645.START or (len(data) > 7 and data[7] != dlt645.START):
        return -1
    if len(data) < 10:
        return 0
    return dlt645.OVERHEAD + data[9] if data[9] <= dlt645.MAX_DATA else -1


def _cjt188_length(data: bytes) -> int:
    if data[0] != cjt188.START:
        return -1
    if len(data) < 11:
        return 0
    return cjt188.OVERHEAD + data[10] if data[10] <= cjt188.MAX_DATA else -1


def _modbus_tcp_length(data: bytes) -> int:
    if (len(data) > 2 and data[2]) or (len(data) > 3 and data[3]):
        return -1
    if len(data) < 6:
        return 0
    length = data[4] << 8 | data[5]
    return 6 + length if 2 <= length <= modbus.MAX_PDU + 1 else -1


def _rtu_lengths(data: bytes) -> list[int]:
    """Give the lengths an RTU frame starting here can have; a request and an answer differ."""
    function = data[1]
    if function & 0x80:
        return [5] if function & 0x7F in modbus.READS + modbus.WRITES else []
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
    lengths = _rtu_lengths(data)
    if not lengths:
        return -1
    # RTU has no start byte, so only a frame whose CRC fits is one; the longest that fits wins.
    for length in sorted(lengths, reverse=True):
        if len(data) >= length:
            try:
                modbus.decode_rtu(data[:length])
            except ProtocolError:
                continue
            return length
    return 0 if len(data) < max(lengths) else -1


FRAMINGS = {
    "dlt645": Framing(_dlt645_length, dlt645.decode_frame),
    "cjt188": Framing(_cjt188_length, cjt188.decode_frame),
    "modbus-rtu": Framing(_modbus_rtu_length, modbus.decode_rtu, has_start=False),
    "modbus-tcp": Framing(_modbus_tcp_length, modbus.decode_tcp),
}


class FrameScanner:
    """Scan one direction of one line.

    Shape: ``feed`` gives what became certain; ``flush`` gives the rest, where a frame that
    never ended is a truncated one.
    """

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._buffer = b""
        self._noise = b""
        self._offset = 0  # of the first byte of the noise, or of the buffer where there is none

    def feed(self, data: bytes) -> list[Found]:
        """Take bytes and give what they complete, noise only when something follows it."""
        found: list[Found] = []
        for start in range(0, len(data), MAX_BUFFER):
            self._buffer += data[start : start + MAX_BUFFER]
            found.extend(self._scan(is_end=False))
        return found

    def flush(self) -> list[Found]:
        """Give what is left: the line has fallen silent."""
        found = list(self._scan(is_end=True))
        found.extend(self._take_noise())
        return found

    def _scan(self, *, is_end: bool) -> Iterator[Found]:
        while self._buffer:
            length = self._framing.length(self._buffer)
            is_short = length == 0 or length > len(self._buffer)
            candidate = self._buffer if is_short else self._buffer[: max(length, 0)]
            piece: Found | None = None
            if is_short and not self._hides_a_frame(candidate):
                if not is_end:
                    break
                if self._framing.has_start:
                    piece = Found(0, candidate, error=TruncatedFrame("the bytes end inside this frame"))
            elif length > 0 and not is_short:
                piece = self._judge(candidate)
            if piece is None:
                yield from self._skip_byte()
                continue
            yield from self._take_noise()
            yield replace(piece, offset=self._offset)
            self._offset += len(piece.data)
            self._buffer = self._buffer[len(piece.data) :]

    def _judge(self, candidate: bytes) -> Found | None:
        """Decode a whole candidate; None if it is a false start with a good frame inside."""
        try:
            return Found(0, candidate, self._framing.decode(candidate))
        except ProtocolError as error:
            return None if self._hides_a_frame(candidate) else Found(0, candidate, error=error)

    def _skip_byte(self) -> Iterator[Found]:
        self._noise += self._buffer[:1]
        self._buffer = self._buffer[1:]
        if len(self._noise) >= MAX_BUFFER:
            yield from self._take_noise()

    def _hides_a_frame(self, data: bytes) -> bool:
        """Tell whether a good frame, whole in the buffer, begins inside a candidate that is not one."""
        for start in range(1, len(data)):
            rest = self._buffer[start:]
            length = self._framing.length(rest)
            if 0 < length <= len(rest):
                try:
                    self._framing.decode(rest[:length])
                except ProtocolError:
                    continue
                return True
        return False

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
