"""Who a Modbus device says it is: function 43 (2B), type 14 (0E), "read device identification".

    request  | 2B | 0E | level | first object |
    answer   | 2B | 0E | level | conformity | more FF | next | count | id | length | text | ...

Source: Modbus Application Protocol Specification V1.1b3, section 6.21, as public implementations have it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from protocols.errors import LengthMismatch, MalformedFrame, TruncatedFrame
from protocols.modbus import MEI_TYPE, READ_DEVICE_IDENTIFICATION, refusal

BASIC, REGULAR = 1, 2
OBJECTS: Mapping[int, str] = MappingProxyType(
    {
        0: "vendor",
        1: "product code",
        2: "revision",
        3: "vendor's page",
        4: "product name",
        5: "model name",
        6: "application name",
    }
)
_HEAD = 7
_MORE = 0xFF


@dataclass(frozen=True, slots=True)
class Identification:
    """A part of what a device says; ``next_object`` is where the rest begins, None at the end."""

    texts: Mapping[int, str]
    next_object: int | None


def encode_identity_request(level: int = BASIC, first_object: int = 0) -> bytes:
    """Ask; gives a PDU."""
    return bytes((READ_DEVICE_IDENTIFICATION, MEI_TYPE, level, first_object))


def encode_identity_response(texts: Mapping[int, str], level: int = BASIC) -> bytes:
    """Answer; gives a PDU, the simulator's side."""
    head = bytes((READ_DEVICE_IDENTIFICATION, MEI_TYPE, level, level, 0, 0, len(texts)))
    return head + b"".join(bytes((number, len(text.encode()))) + text.encode() for number, text in texts.items())


def decode_identity_response(pdu: bytes) -> Identification:
    """Read an answer.

    Raises: ApplicationError for a refusal, other ProtocolErrors for what is no answer.
    """
    if len(pdu) < 2:
        raise TruncatedFrame(f"an answer has at least 2 bytes, not {len(pdu)}")
    if pdu[0] == READ_DEVICE_IDENTIFICATION | 0x80:
        raise refusal(pdu)
    if pdu[0] != READ_DEVICE_IDENTIFICATION or pdu[1] != MEI_TYPE:
        raise MalformedFrame(f"{pdu[:2].hex()} does not answer 2b0e")
    if len(pdu) < _HEAD:
        raise TruncatedFrame(f"{len(pdu)} of {_HEAD} bytes before the first object")
    texts: dict[int, str] = {}
    place = _HEAD
    for _ in range(pdu[6]):
        if place + 2 > len(pdu) or place + 2 + pdu[place + 1] > len(pdu):
            raise TruncatedFrame("the answer ends inside an object")
        end = place + 2 + pdu[place + 1]
        texts[pdu[place]] = pdu[place + 2 : end].decode("utf-8", errors="replace").strip("\0 ")
        place = end
    if place != len(pdu):
        raise LengthMismatch(f"{len(pdu) - place} bytes follow the last object")
    return Identification(texts, pdu[5] if pdu[4] == _MORE else None)
