"""What stands before the records of a meter's answer: who it is and how it fares.

    long header    | ID 4 | manufacturer 2 | version | medium | access | status | configuration 2 |
    short header                                              | access | status | configuration 2 |

Source: EN 13757-3 as public implementations have it (rscada/libmbus, wmbusmeters).
"""

from dataclasses import dataclass

from protocols.errors import TruncatedFrame
from protocols.mbus.address import Secondary, decode_secondary, encode_secondary

LONG_HEADER, SHORT_HEADER = 12, 4

MEDIA = {
    0x00: "other",
    0x01: "oil",
    0x02: "electricity",
    0x03: "gas",
    0x04: "heat (outlet)",
    0x05: "steam",
    0x06: "warm water",
    0x07: "water",
    0x08: "heat cost allocator",
    0x09: "compressed air",
    0x0A: "cooling (outlet)",
    0x0B: "cooling (inlet)",
    0x0C: "heat (inlet)",
    0x0D: "heat and cooling",
    0x0E: "bus or system",
    0x0F: "unknown",
    0x14: "calorific value",
    0x15: "hot water",
    0x16: "cold water",
    0x17: "hot and cold water",
    0x18: "pressure",
    0x19: "A/D converter",
    0x1A: "smoke detector",
    0x1B: "room sensor",
    0x1C: "gas detector",
    0x20: "breaker",
    0x21: "valve",
    0x25: "display",
    0x28: "waste water",
    0x29: "waste",
    0x2A: "carbon dioxide",
    0x31: "system device",
    0x36: "radio converter (system side)",
    0x37: "radio converter (meter side)",
}
_APPLICATION = ("", "busy", "error", "alarm")
_STATUS_BITS = ((0x04, "power-low"), (0x08, "permanent-error"), (0x10, "temporary-error"))


@dataclass(frozen=True, slots=True)
class Header:
    """A meter's own account of itself; ``own`` is None behind a short header."""

    own: Secondary | None
    access: int
    status: int
    configuration: int = 0

    @property
    def mode(self) -> int:
        """How what follows is encrypted; 0 is not at all."""
        return self.configuration >> 8 & 0x1F


def status_words(status: int) -> list[str]:
    """Say what a status byte says; the upper three bits are the maker's."""
    words = [_APPLICATION[status & 0b11]] if status & 0b11 else []
    words += [word for bit, word in _STATUS_BITS if status & bit]
    return [*words, f"maker-{status >> 5}"] if status >> 5 else words


def medium_word(medium: int) -> str:
    """Name what a meter measures."""
    return MEDIA.get(medium, f"reserved {medium:02X}")


def decode_header(data: bytes, *, is_short: bool, is_msb_first: bool = False) -> Header:
    """Read a header from the beginning of a frame's data.

    Raises: TruncatedFrame.
    """
    length = SHORT_HEADER if is_short else LONG_HEADER
    if len(data) < length:
        raise TruncatedFrame(f"the header has {len(data)} bytes of {length}")
    order = "big" if is_msb_first else "little"
    own = None
    if not is_short:
        who = data[:8]
        own = decode_secondary(who[3::-1] + who[5:3:-1] + who[6:] if is_msb_first else who)
    access, status = data[length - 4], data[length - 3]
    return Header(own, access, status, int.from_bytes(data[length - 2 : length], "big" if order == "big" else "little"))


def encode_header(header: Header) -> bytes:
    """Write a header, low byte first; the simulator's side."""
    own = b"" if header.own is None else encode_secondary(header.own)
    return own + bytes((header.access, header.status)) + header.configuration.to_bytes(2, "little")
