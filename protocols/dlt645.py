"""DL/T 645, the serial protocol of Chinese electricity meters: the frames of 2007 and of 1997.

     0        1..6         7     8   9   10..9+L   10+L  11+L
    | 68 | A0 ... A5 BCD | 68 | C | L | data+33H | CS | 16 |

The address has its low byte first. CS adds every wire byte from the first 68 on. Control C:
D7 from the meter, D6 an error, D5 more frames follow, D4-D0 the function. The functions of 1997
have other numbers and identifiers of two bytes instead of four; all else is the same.

Source: the house's fact sheet, chapter 1, which names public implementations; the standard
itself was not read.
"""

import string
from dataclasses import dataclass

from protocols.checksum import sum8
from protocols.dlt645_item import ITEMS as ITEMS
from protocols.dlt645_item import DataItem as DataItem
from protocols.dlt645_item import Value as Value
from protocols.dlt645_item import encode_bcd_item as encode_bcd_item
from protocols.dlt645_item import encode_value as encode_value
from protocols.dlt645_item import find_items as find_items
from protocols.dlt645_reader import decode_values as decode_values
from protocols.errors import ApplicationError, ChecksumMismatch, LengthMismatch, MalformedFrame, TruncatedFrame
from protocols.stream import Framing

START, END, WAKE_UP = 0x68, 0x16, 0xFE
MASK = 0x33  # added to every data byte so that a run of zeros does not look like an idle line
WILDCARD = "A" * 12
BROADCAST = "9" * 12
OVERHEAD = 12
MAX_DATA = 200

READ, READ_FOLLOW, READ_ADDRESS, WRITE = 0x11, 0x12, 0x13, 0x14
READ_1997, READ_FOLLOW_1997, WRITE_1997 = 0x01, 0x02, 0x04
# How many bytes of identifier the data of a function begin with.
_DI_LENGTH = {READ: 4, READ_FOLLOW: 4, WRITE: 4, READ_1997: 2, READ_FOLLOW_1997: 2, WRITE_1997: 2}
_READS = frozenset((READ, READ_FOLLOW, READ_1997, READ_FOLLOW_1997))
# The control codes that only 1997 has; its error words differ in the two lowest bits.
_ONLY_1997 = frozenset((READ_1997, READ_FOLLOW_1997, WRITE_1997, 0x0A, 0x0C, 0x0F, 0x10))
_ERRORS = (
    "another error",
    "no such data",
    "wrong password or not authorised",
    "the baud rate cannot be changed",
    "too many year zones",
    "too many day slots",
    "too many tariffs",
    "bit 7",
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, its data unmasked; ``address`` as printed on the meter, twelve digits, A a wildcard."""

    address: str
    control: int
    data: bytes = b""

    @property
    def is_response(self) -> bool:
        return bool(self.control & 0x80)

    @property
    def is_error(self) -> bool:
        return bool(self.control & 0x40)

    @property
    def has_follow(self) -> bool:
        return bool(self.control & 0x20)

    @property
    def function(self) -> int:
        return self.control & 0x1F

    @property
    def di(self) -> int | None:
        """The data identifier, None for a function that has none and for an error."""
        length = _DI_LENGTH.get(self.function, 0)
        if not length or self.is_error or len(self.data) < length:
            return None
        return int.from_bytes(self.data[:length], "little")

    @property
    def di_text(self) -> str | None:
        """The data identifier as it is printed."""
        return None if self.di is None else f"{self.di:0{2 * _DI_LENGTH[self.function]}X}"

    @property
    def sequence(self) -> int | None:
        """The number of a follow-up, the last byte of 2007's; None for every other frame."""
        return self.data[-1] if self.function == READ_FOLLOW and not self.is_error and len(self.data) > 4 else None

    @property
    def payload(self) -> bytes:
        """The data between the identifier and the number of a follow-up."""
        data = self.data if self.sequence is None else self.data[:-1]
        return data if self.di is None else data[_DI_LENGTH[self.function] :]


def encode_address(address: str) -> bytes:
    """Put a printed address on the wire.

    Raises: ValueError for anything but twelve digits or wildcards A.
    """
    if len(address) != 12 or not set(address.upper()) <= set(string.digits + "A"):
        raise ValueError(f"'{address}' is not a meter address: twelve digits, as printed on the meter")
    return bytes.fromhex(address)[::-1]


def decode_address(wire: bytes) -> str:
    """Print six address bytes.

    Raises: MalformedFrame for a nibble that is neither a digit nor A.
    """
    address = wire[::-1].hex().upper()
    if not set(address) <= set(string.digits + "A"):
        raise MalformedFrame(f"the address {address} holds more than digits and wildcards")
    return address


def encode_frame(frame: Frame, preamble: int = 4) -> bytes:
    """Put a frame on the wire behind ``preamble`` wake-up bytes."""
    if len(frame.data) > MAX_DATA:
        raise ValueError(f"a frame holds at most {MAX_DATA} data bytes, not {len(frame.data)}")
    masked = bytes((byte + MASK) & 0xFF for byte in frame.data)
    head = bytes((START, *encode_address(frame.address), START, frame.control, len(masked)))
    body = head + masked
    return bytes((WAKE_UP,)) * preamble + body + bytes((sum8(body), END))


def decode_frame(data: bytes) -> Frame:
    """Read exactly one frame, without bytes before or after it.

    Raises: ProtocolError.
    """
    if (data and data[0] != START) or (len(data) > 7 and data[7] != START):
        raise MalformedFrame("a frame has 68 at its first and eighth byte")
    if len(data) > 9 and data[9] > MAX_DATA:
        raise LengthMismatch(f"the length field says {data[9]}, a frame holds at most {MAX_DATA}")
    if len(data) < OVERHEAD or len(data) < OVERHEAD + data[9]:
        raise TruncatedFrame(f"{len(data)} bytes are not a whole frame")
    if len(data) != OVERHEAD + data[9]:
        raise LengthMismatch(f"the length field says {data[9]}, the frame has {len(data) - OVERHEAD}")
    if data[-1] != END:
        raise MalformedFrame(f"the frame ends with {data[-1]:02X}, not 16")
    if sum8(data[:-2]) != data[-2]:
        raise ChecksumMismatch(f"the check is {data[-2]:02X}, the bytes give {sum8(data[:-2]):02X}")
    unmasked = bytes((byte - MASK) & 0xFF for byte in data[10:-2])
    return Frame(decode_address(data[1:7]), data[8], unmasked)


def encode_read(address: str, di: int, preamble: int = 4) -> bytes:
    """Ask a meter for one data identifier."""
    return encode_frame(Frame(address, READ, di.to_bytes(4, "little")), preamble)


def encode_read_response(address: str, di: int, payload: bytes, preamble: int = 4) -> bytes:
    """Answer a read; the simulator's side."""
    return encode_frame(Frame(address, READ | 0x80, di.to_bytes(4, "little") + payload), preamble)


def encode_error_response(address: str, function: int, error: int, preamble: int = 4) -> bytes:
    """Refuse a request with an error word; the simulator's side."""
    return encode_frame(Frame(address, function | 0xC0, bytes((error,))), preamble)


def error_words(error: int, function: int = READ) -> str:
    """Say the error word of a function in English: one reason for each bit set."""
    words = ("illegal data", *_ERRORS[1:]) if function in _ONLY_1997 else _ERRORS
    return ", ".join(word for bit, word in enumerate(words) if error & 1 << bit) or "no reason given"


def refusal(frame: Frame) -> ApplicationError:
    """Make the error that an error answer stands for.

    Shape: some meters send the error word unmasked, so the wire byte is told beside the decoded one.
    """
    if not frame.data:
        return ApplicationError("the meter refuses and gives no reason")
    error = frame.data[0]
    wire = (error + MASK) & 0xFF
    return ApplicationError(
        f"the meter refuses: {error_words(error, frame.function)} (error word {error:02X}, wire byte {wire:02X})", error
    )


def addresses_match(wanted: str, got: str) -> bool:
    """Tell whether an answer's address fits the one asked, in which A stands for any digit."""
    return len(wanted) == len(got) and all(w in ("A", g) for w, g in zip(wanted.upper(), got, strict=True))


def match_response(request: Frame, response: Frame) -> None:
    """Make sure that a frame answers a request.

    Raises: MalformedFrame for somebody else's frame or a late answer, ApplicationError for a refusal.
    """
    if not response.is_response or response.function != request.function:
        raise MalformedFrame(f"control {response.control:02X} does not answer {request.control:02X}")
    if not addresses_match(request.address, response.address):
        raise MalformedFrame(f"meter {response.address} answered instead of {request.address}")
    if response.is_error:
        raise refusal(response)
    if request.function not in _READS:
        return  # an answer to anything else does not name what was written
    if response.di_text != request.di_text:
        raise MalformedFrame(f"data identifier {response.di_text or 'none'} does not answer {request.di_text}")
    if response.sequence != request.sequence:
        raise MalformedFrame(f"follow-up {response.sequence} does not answer {request.sequence}")


def _is_printed(wire: bytes) -> bool:
    """Tell whether address bytes hold digits and wildcards only."""
    return all(byte >> 4 <= 10 and byte & 0xF <= 10 for byte in wire)


def _length(data: bytes) -> int:
    if data[0] != START or (len(data) > 7 and data[7] != START):
        return -1
    return OVERHEAD + data[9] if len(data) > 9 else 0


FRAMING = Framing(
    length=_length,
    decode=decode_frame,
    is_likely=lambda data: _is_printed(data[1:7]),
    header=10,
    start=bytes((START,)),
    end=bytes((END,)),
    fill=bytes((WAKE_UP,)),
    is_self_evident=True,
)
