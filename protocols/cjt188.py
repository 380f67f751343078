"""CJ/T 188-2004 and -2018, the serial protocol of Chinese water, heat and gas meters.

     0    1   2..8       9   10  11 12  13    14..10+L  11+L  12+L
    | 68 | T | A0 .. A6 | C | L |  DI  | SER | payload | CS | 16 |

The address has its low byte first; nothing is masked. CS adds every byte from 68 on. Vendors
send the data identifier in either order, so 901F is recognised as ``90 1F`` and ``1F 90``. What
stands in the payload is ``cjt188_data``'s.

Source: the house's fact sheet, chapter 2, which names public implementations; the standard
itself was not read.
"""

import string
from dataclasses import dataclass
from typing import Literal

from protocols.checksum import sum8
from protocols.errors import (
    ApplicationError,
    ChecksumMismatch,
    LengthMismatch,
    MalformedFrame,
    TruncatedFrame,
)
from protocols.stream import Framing

START, END, WAKE_UP = 0x68, 0x16, 0xFE
OVERHEAD = 13
MAX_DATA = 0x64
COLD_WATER = 0x10
ANY_TYPE = 0xAA
WILDCARD, BROADCAST = "A" * 14, "9" * 14

READ, READ_ADDRESS, WRITE = 0x01, 0x03, 0x04
CURRENT_DATA, ADDRESS, SETTLEMENT_DAY, VALVE = 0x901F, 0x810A, 0x8103, 0xA017
# Of the last month and of the last timed freeze; the ones before follow.
MONTH, OLD_MONTH, FREEZE = 0xD120, 0x9020, 0xD300
MONTHS = 12

DiOrder = Literal["1F90", "901F"]

# The identifiers in use: they tell in which order a vendor has sent one.
_KNOWN_DI = (
    range(0x8102, 0x810B),  # prices, settlement day, reading day, purchase, key, address
    range(0x9020, 0x9030),  # history on older meters
    range(0x901F, 0x9020),  # current data
    range(0xA010, 0xA01A),  # prices, days, clock, valve, address
    range(0xA101, 0xA108),
    range(0xD120, 0xD12C),  # months
    range(0xD200, 0xD500),  # months of 2018, freezes
    range(0x911F, 0x9120),  # current data of heat and cold
)


def _is_known(di: int) -> bool:
    return any(di in known for known in _KNOWN_DI)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; ``address`` as printed on the meter, fourteen digits, A a wildcard."""

    meter_type: int
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
    def function(self) -> int:
        return self.control & 0x3F

    @property
    def di(self) -> int | None:
        """The data identifier in printed order, None where the frame carries none."""
        if len(self.data) < 2 or self._is_bare_refusal:
            return None
        high_first, low_first = int.from_bytes(self.data[:2], "big"), int.from_bytes(self.data[:2], "little")
        # Low first is the more common order, so it wins where both or neither could be meant.
        return high_first if _is_known(high_first) and not _is_known(low_first) else low_first

    @property
    def ser(self) -> int | None:
        """The sequence number, which an answer must echo."""
        if self._is_bare_refusal:
            return self.data[0]
        return self.data[2] if len(self.data) > 2 else None

    @property
    def payload(self) -> bytes:
        return self.data[1:] if self._is_bare_refusal else self.data[3:]

    @property
    def _is_bare_refusal(self) -> bool:
        """Some meters refuse with a sequence number and two bytes of status, and no identifier."""
        return self.is_error and len(self.data) == 3


def encode_address(address: str) -> bytes:
    """Put a printed address on the wire.

    Raises: ValueError for anything but fourteen digits or wildcards A.
    """
    if len(address) != 14 or not set(address.upper()) <= set(string.digits + "A"):
        raise ValueError(f"'{address}' is not a meter address: fourteen digits, as printed on the meter")
    return bytes.fromhex(address)[::-1]


def decode_address(wire: bytes) -> str:
    """Print seven address bytes.

    Raises: MalformedFrame for a nibble that is neither a digit nor A.
    """
    address = wire[::-1].hex().upper()
    if not set(address) <= set(string.digits + "A"):
        raise MalformedFrame(f"the address {address} holds more than digits and wildcards")
    return address


def encode_frame(frame: Frame, preamble: int = 3) -> bytes:
    """Put a frame on the wire behind ``preamble`` wake-up bytes."""
    if len(frame.data) > MAX_DATA:
        raise ValueError(f"a frame holds at most {MAX_DATA} data bytes, not {len(frame.data)}")
    head = bytes((START, frame.meter_type, *encode_address(frame.address), frame.control, len(frame.data)))
    body = head + frame.data
    return bytes((WAKE_UP,)) * preamble + body + bytes((sum8(body), END))


def decode_frame(data: bytes) -> Frame:
    """Read exactly one frame, without bytes before or after it.

    Raises: ProtocolError.
    """
    if data and data[0] != START:
        raise MalformedFrame("a frame begins with 68")
    if len(data) > 10 and data[10] > MAX_DATA:
        raise LengthMismatch(f"the length field says {data[10]}, a frame holds at most {MAX_DATA}")
    if len(data) < OVERHEAD or len(data) < OVERHEAD + data[10]:
        raise TruncatedFrame(f"{len(data)} bytes are not a whole frame")
    if len(data) != OVERHEAD + data[10]:
        raise LengthMismatch(f"the length field says {data[10]}, the frame has {len(data) - OVERHEAD}")
    if data[-1] != END:
        raise MalformedFrame(f"the frame ends with {data[-1]:02X}, not 16")
    if sum8(data[:-2]) != data[-2]:
        raise ChecksumMismatch(f"the check is {data[-2]:02X}, the bytes give {sum8(data[:-2]):02X}")
    return Frame(data[1], decode_address(data[2:9]), data[9], bytes(data[11:-2]))


def encode_di(di: int, order: DiOrder) -> bytes:
    """Put a data identifier on the wire in a vendor's order."""
    return di.to_bytes(2, "big" if order == "901F" else "little")


def encode_read(
    meter_type: int, address: str, di: int, ser: int, di_order: DiOrder = "1F90", preamble: int = 3
) -> bytes:
    """Ask a meter for one data identifier."""
    data = encode_di(di, di_order) + bytes((ser,))
    return encode_frame(Frame(meter_type, address, READ, data), preamble)


def encode_valve(
    meter_type: int, address: str, ser: int, code: int, di_order: DiOrder = "1F90", preamble: int = 3
) -> bytes:
    """Order a valve; 55 opens and 99 closes it, some makers have codes of their own."""
    data = encode_di(VALVE, di_order) + bytes((ser, code))
    return encode_frame(Frame(meter_type, address, WRITE, data), preamble)


def encode_read_response(request: Frame, payload: bytes, *, address: str, meter_type: int, preamble: int = 3) -> bytes:
    """Answer a request with the request's own identifier and sequence number; the simulator's side."""
    return encode_frame(Frame(meter_type, address, request.control | 0x80, request.data[:3] + payload), preamble)


def encode_error_response(request: Frame, status: int, *, address: str, meter_type: int, preamble: int = 3) -> bytes:
    """Refuse a request; the simulator's side."""
    control = request.control | 0xC0
    return encode_frame(Frame(meter_type, address, control, request.data[:3] + bytes((status,))), preamble)


def match_response(request: Frame, response: Frame) -> None:
    """Make sure that a frame answers a request.

    Raises: MalformedFrame for somebody else's frame or a late answer, ApplicationError for a refusal.
    """
    if not response.is_response or response.function != request.function:
        raise MalformedFrame(f"control {response.control:02X} does not answer {request.control:02X}")
    # A heat meter asked as 20 may answer as the 25 that its maker calls it; water stays water.
    if request.meter_type != ANY_TYPE and request.meter_type >> 4 != response.meter_type >> 4:
        raise MalformedFrame(f"a meter of type {response.meter_type:02X} answered instead of {request.meter_type:02X}")
    if any(wanted not in ("A", got) for wanted, got in zip(request.address.upper(), response.address, strict=True)):
        raise MalformedFrame(f"meter {response.address} answered instead of {request.address}")
    if request.di != response.di and not (response.is_error and response.di is None):
        raise MalformedFrame(f"data identifier {_hex(response.di, 4)} does not answer {_hex(request.di, 4)}")
    if request.ser != response.ser:
        raise MalformedFrame(f"sequence {_hex(response.ser, 2)} does not answer {_hex(request.ser, 2)}")
    if response.is_error:
        raise refusal(response)


def refusal(frame: Frame) -> ApplicationError:
    """Make the error that an error answer stands for."""
    if not frame.payload:
        return ApplicationError("the meter refuses and gives no reason")
    code = int.from_bytes(frame.payload[:2], "little")
    return ApplicationError(f"the meter refuses with status {frame.payload.hex().upper()}", code)


def _hex(number: int | None, digits: int) -> str:
    return "none" if number is None else f"{number:0{digits}X}"


def _length(data: bytes) -> int:
    if data[0] != START:
        return -1
    return OVERHEAD + data[10] if len(data) > 10 else 0


def _is_likely(data: bytes) -> bool:
    is_meter = all(kind >> 4 in (1, 2, 3, 4) or kind == ANY_TYPE for kind in data[1:2])
    return is_meter and all(byte >> 4 <= 10 and byte & 0xF <= 10 for byte in data[2:9])


FRAMING = Framing(
    length=_length,
    decode=decode_frame,
    is_likely=_is_likely,
    header=11,
    start=bytes((START,)),
    end=bytes((END,)),
    fill=bytes((WAKE_UP,)),
    is_self_evident=True,
)
