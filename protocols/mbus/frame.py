"""M-Bus frames: a single character, a short frame, a long one; a long one without data is a control frame.

    | E5 |                                          acknowledge
    | 10 | C | A | CS | 16 |                        short
    | 68 | L | L | 68 | C | A | CI | data | CS | 16 |    long, L counts C to the last data byte

CS adds every byte from C to the last one before it.

Source: EN 13757-2 as public implementations have it (rscada/libmbus, ganehag/pyMeterBus).
"""

from dataclasses import dataclass

from protocols.checksum import sum8
from protocols.errors import ChecksumMismatch, LengthMismatch, MalformedFrame, TruncatedFrame
from protocols.stream import Framing

ACK, SHORT, LONG, END = 0xE5, 0x10, 0x68, 0x16
_SHORT_LENGTH = 5
_OVERHEAD = 6
MAX_DATA = 252
LONGEST = 261

# Control fields of the master; FCB is the bit that tells a repeated request from the next one.
SND_NKE, SND_UD, REQ_UD1, REQ_UD2 = 0x40, 0x53, 0x5A, 0x5B
FCB = 0x20
RSP_UD = 0x08
_RESPONSES = (0x08, 0x18, 0x28, 0x38)
_DIRECTION = 0x40  # set where the master speaks

# Addresses that are no meter's own.
SELECTED, TEST, BROADCAST = 253, 254, 255
MAX_PRIMARY = 250

# Control information: what the master sends, and what a meter answers.
CI_SELECT, CI_DATA_SEND, CI_RESET = 0x52, 0x51, 0x50
CI_ERROR, CI_ALARM = 0x70, 0x71
CI_VARIABLE, CI_FIXED, CI_VARIABLE_MSB, CI_FIXED_MSB = 0x72, 0x73, 0x76, 0x77
CI_NO_HEADER, CI_SHORT_HEADER = 0x78, 0x7A


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Shape: an acknowledgement has no control and no address; a short frame has no ``ci``.
    """

    control: int | None = None
    address: int | None = None
    ci: int | None = None
    data: bytes = b""

    @property
    def is_ack(self) -> bool:
        return self.control is None

    @property
    def kind(self) -> str:
        """Name the format."""
        if self.control is None:
            return "ack"
        if self.ci is None:
            return "short"
        return "long" if self.data else "control"

    @property
    def is_response(self) -> bool:
        """Whether a meter said it."""
        return self.control is None or not self.control & _DIRECTION

    @property
    def is_user_data(self) -> bool:
        """Whether it is what a meter answers to a request for data."""
        return self.control in _RESPONSES and self.ci is not None


def encode_frame(frame: Frame) -> bytes:
    """Put a frame on the wire.

    Raises: ValueError for more data than a frame holds.
    """
    if frame.control is None or frame.address is None:
        return bytes((ACK,))
    if frame.ci is None:
        body = bytes((frame.control, frame.address))
        return bytes((SHORT, *body, sum8(body), END))
    if len(frame.data) > MAX_DATA:
        raise ValueError(f"a frame holds at most {MAX_DATA} data bytes, not {len(frame.data)}")
    body = bytes((frame.control, frame.address, frame.ci)) + frame.data
    return bytes((LONG, len(body), len(body), LONG)) + body + bytes((sum8(body), END))


def decode_frame(data: bytes) -> Frame:
    """Read exactly one frame, without bytes before or after it.

    Raises: ProtocolError.
    """
    if not data:
        raise TruncatedFrame("no bytes are no frame")
    if data[0] == ACK:
        if len(data) > 1:
            raise LengthMismatch(f"an acknowledgement is one byte, not {len(data)}")
        return Frame()
    if data[0] == SHORT:
        body = _checked(data, 1, _SHORT_LENGTH)
        return Frame(body[0], body[1])
    if data[0] != LONG:
        raise MalformedFrame("a frame begins with E5, 10 or 68")
    if len(data) < 4:
        raise TruncatedFrame(f"{len(data)} bytes are not a whole frame")
    if data[1] != data[2] or data[3] != LONG:
        raise MalformedFrame("a long frame begins with 68, twice its length and 68 again")
    if data[1] < 3:
        raise LengthMismatch(f"the length field says {data[1]}, a long frame has at least 3")
    body = _checked(data, 4, _OVERHEAD + data[1])
    return Frame(body[0], body[1], body[2], bytes(body[3:]))


def _checked(data: bytes, start: int, length: int) -> bytes:
    """Give what lies between the start and the check of a frame that must have this length."""
    if len(data) < length:
        raise TruncatedFrame(f"{len(data)} bytes are not a whole frame")
    if len(data) != length:
        raise LengthMismatch(f"the frame should have {length} bytes and has {len(data)}")
    if data[-1] != END:
        raise MalformedFrame(f"the frame ends with {data[-1]:02X}, not 16")
    body = data[start:-2]
    if sum8(body) != data[-2]:
        raise ChecksumMismatch(f"the check is {data[-2]:02X}, the bytes give {sum8(body):02X}")
    return body


def encode_reset(address: int) -> bytes:
    """Ask a meter to begin anew (SND_NKE); for 253 it lets go of the selected one."""
    return encode_frame(Frame(SND_NKE, address))


def encode_request(address: int, *, fcb: bool) -> bytes:
    """Ask a meter for its data (REQ_UD2); the frame count bit differs from the last answered request's."""
    return encode_frame(Frame(REQ_UD2 | FCB * fcb, address))


def split(data: bytes) -> list[bytes]:
    """Take whole frames apart that stand one behind another.

    Raises: ProtocolError where one of them is none.
    """
    found = []
    while data:
        length = _length(data)
        if length <= 0 or length > len(data):
            raise MalformedFrame("the bytes are not frames one behind another")
        found.append(data[:length])
        data = data[length:]
    return found


def _length(data: bytes) -> int:
    if data[0] == ACK:
        # One byte without a check: with anything but a request behind it, it is a byte of something damaged.
        return 1 if len(data) == 1 or data[1] in (SHORT, LONG) else -1
    if data[0] == SHORT:
        return _SHORT_LENGTH if data[4:5] in (b"", b"\x16") else -1
    if data[0] != LONG or (len(data) > 2 and data[1] != data[2]) or data[3:4] not in (b"", b"\x68"):
        return -1
    if len(data) > 1 and data[1] < 3:
        return -1
    return _OVERHEAD + data[1] if len(data) > 3 else 0


def _is_likely(data: bytes) -> bool:
    return data[0] == LONG and len(data) > 3 and _length(data) > 0


# Three bytes may begin a frame, so none is named as its start. Its end is named: that keeps an E5
# among the bytes of a damaged frame from being taken for an acknowledgement.
FRAMING = Framing(
    length=_length,
    decode=decode_frame,
    is_likely=_is_likely,
    header=4,
    end=bytes((END,)),
    longest=LONGEST,
)
