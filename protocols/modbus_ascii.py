"""Modbus ASCII: the message of RTU as hex digits between a colon and a line's end, summed by an LRC.

    | : | unit 2 | function 2 | data ... 2 each | LRC 2 | CR LF |

Source: Modbus over Serial Line as described in the house's fact sheet, chapter 7.
"""

from protocols.errors import ChecksumMismatch, LengthMismatch, MalformedFrame, TruncatedFrame
from protocols.modbus import MAX_PDU, Frame
from protocols.stream import Framing

START, END = b":", b"\r\n"
_LONGEST = 1 + 2 * (1 + MAX_PDU + 1) + 2
_DIGITS = frozenset(b"0123456789ABCDEFabcdef")


def lrc(body: bytes) -> int:
    """Give what makes the sum of all bytes zero."""
    return -sum(body) & 0xFF


def encode_ascii(frame: Frame) -> bytes:
    """Wrap a message for ASCII."""
    body = bytes((frame.device_id,)) + frame.pdu
    return START + (body + bytes((lrc(body),))).hex().upper().encode() + END


def decode_ascii(data: bytes) -> Frame:
    """Read exactly one ASCII message.

    Raises: ProtocolError.
    """
    if data[:1] != START:
        raise MalformedFrame("a message begins with a colon")
    if not data.endswith(END):
        raise TruncatedFrame("the message has no line end")
    digits = data[1:-2]
    if not set(digits) <= _DIGITS:
        raise MalformedFrame("between colon and line end stand hex digits only")
    if len(digits) % 2 or not 6 <= len(digits) <= _LONGEST - 3:
        raise LengthMismatch(f"{len(digits)} digits are no message")
    body = bytes.fromhex(digits.decode())
    if (got := body[-1]) != (want := lrc(body[:-1])):
        raise ChecksumMismatch(f"the LRC is {got:02X}, the bytes give {want:02X}")
    return Frame(body[0], body[1:-1])


def _length(data: bytes) -> int:
    if data[:1] != START:
        return -1
    end = data.find(END, 1, _LONGEST)
    digits = data[1 : end if end > 0 else min(len(data), _LONGEST)].rstrip(b"\r")
    if not set(digits) <= _DIGITS or (end < 0 and len(data) >= _LONGEST):
        return -1
    return end + len(END) if end > 0 else 0


FRAMING = Framing(
    length=_length,
    decode=decode_ascii,
    is_likely=lambda data: set(data[1:5]) <= _DIGITS,
    header=5,
    start=START,
    end=END,
    is_self_evident=True,
    longest=_LONGEST,
)
