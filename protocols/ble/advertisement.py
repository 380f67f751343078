"""A Bluetooth LE advertisement: AD structures on the wire, names and data by UUID in the house.

    length 1 (type and data) | type 1 | data          again and again; length 0 ends them, zeros behind it

Source: Bluetooth Core Specification 5.4, Vol 3 Part C chapter 11; Assigned Numbers, Common Data Types;
Core Specification Supplement, Part A.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from protocols.errors import LengthMismatch, MalformedFrame, TruncatedFrame

_SHORT_NAME, _FULL_NAME, _MANUFACTURER = 0x08, 0x09, 0xFF
# AD type of service data -> bytes of the UUID in front of it
_SERVICE_DATA = {0x16: 2, 0x20: 4, 0x21: 16}
_COMPANY_BYTES = 2
_BASE_UUID = re.compile(r"0000([0-9a-f]{4})-0000-1000-8000-00805f9b34fb")


@dataclass(frozen=True, slots=True)
class Advertisement:
    """One broadcast as it was heard.

    Shape: ``address`` as "A4:C1:38:11:22:33", empty where only the bytes are known; ``service_data`` by 16-bit
    UUID "fcd2" or whole UUID, both in small letters; ``manufacturer_data`` by company number, without its two bytes.
    """

    address: str
    rssi: int | None = None
    local_name: str | None = None
    service_data: Mapping[str, bytes] = field(default_factory=dict)
    manufacturer_data: Mapping[int, bytes] = field(default_factory=dict)


def decode_advertisement(data: bytes, *, address: str = "", rssi: int | None = None) -> Advertisement:
    """Read raw AD structures; a type nobody here needs is passed over.

    Raises: TruncatedFrame, LengthMismatch, MalformedFrame.
    """
    names: dict[int, str] = {}
    services: dict[str, bytes] = {}
    makers: dict[int, bytes] = {}
    for kind, body in _structures(data):
        if kind in _SERVICE_DATA:
            uuid, rest = _split(body, _SERVICE_DATA[kind], "service data")
            services[_uuid_text(uuid)] = rest
        elif kind == _MANUFACTURER:
            company, rest = _split(body, _COMPANY_BYTES, "manufacturer data")
            makers[int.from_bytes(company, "little")] = rest
        elif kind in (_SHORT_NAME, _FULL_NAME):
            names[kind] = _printable(body.decode("utf-8", "replace"))
    return Advertisement(address, rssi, names.get(_FULL_NAME, names.get(_SHORT_NAME)), services, makers)


def short_uuid(text: str) -> str:
    """Write a UUID as advertisements name it: "0xFCD2" and its 128-bit form are both "fcd2"."""
    text = text.strip().lower().removeprefix("0x")
    base = _BASE_UUID.fullmatch(text)
    return base[1] if base else text


def mac_bytes(address: str) -> bytes | None:
    """Give the six bytes of a printed address; None where it is another kind of name, as macOS gives."""
    return (
        bytes.fromhex(address.replace(":", ""))
        if re.fullmatch(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", address)
        else None
    )


def mac_text(mac: bytes) -> str:
    """Print an address in the order people read it."""
    return mac.hex(":").upper()


def _structures(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        size = data[at]
        if size == 0:
            if any(data[at:]):
                raise MalformedFrame("bytes behind the end of the advertisement are not zero")
            return
        structure = data[at + 1 : at + 1 + size]
        if len(structure) < size:
            raise TruncatedFrame(f"an element of {size} bytes has {len(structure)}")
        yield structure[0], structure[1:]
        at += 1 + size


def _split(body: bytes, size: int, what: str) -> tuple[bytes, bytes]:
    if len(body) < size:
        raise LengthMismatch(f"{what} of {len(body)} bytes cannot name whose it is")
    return body[:size], body[size:]


def _printable(text: str) -> str:
    """Take out what would steer a terminal: anybody can broadcast any name."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _uuid_text(wire: bytes) -> str:
    text = wire[::-1].hex()
    if len(wire) == 4:
        text = f"{text}-0000-1000-8000-00805f9b34fb"
    elif len(wire) == 16:
        text = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return short_uuid(text)
