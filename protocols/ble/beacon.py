"""Beacons: what they say of themselves, which anybody can say after them.

    iBeacon    manufacturer 004C   02 15 | UUID 16 | major 2 | minor 2 | power 1
    Eddystone  service FEAA        00 UID | power 1 | namespace 10 | instance 6 | [reserved 2]
                                   10 URL | power 1 | scheme 1 | text
                                   20 TLM | 00 | battery 2 | temperature 2 | adverts 4 | time 4
                                   20 TLM | 01 | sealed 12 | salt 2 | MIC 2
                                   30 EID | power 1 | identifier 8

Numbers are big-endian; power is what is received at 1 m of an iBeacon, at 0 m of an Eddystone.

Source: Apple, Proximity Beacon Specification R1; google/eddystone protocol-specification.md and
eddystone-{uid,url,tlm,eid}; citruz/beacontools tests for frames; chapter 5.2 of the house's fact sheet.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from protocols.ble.advertisement import Advertisement
from protocols.errors import LengthMismatch, MalformedFrame, TruncatedFrame, Unsupported
from protocols.quantity import Quality, Quantity

APPLE: Final = 0x004C
EDDYSTONE: Final = "feaa"
IBEACON_HEAD: Final = b"\x02\x15"
_IBEACON_BYTES = 23
_NO_TEMPERATURE = -0x8000
_SCHEMES = ("http://www.", "https://www.", "http://", "https://")
_ENDINGS = (".com", ".org", ".edu", ".net", ".info", ".biz", ".gov")
_EXPANSIONS = (*(f"{ending}/" for ending in _ENDINGS), *_ENDINGS)
_URL_BYTES = 17


@dataclass(frozen=True, slots=True)
class IBeacon:
    """Units: ``tx_power`` in dBm at 1 m."""

    uuid: str
    major: int
    minor: int
    tx_power: int


@dataclass(frozen=True, slots=True)
class EddystoneUid:
    """Shape: both parts in small hex. Units: ``tx_power`` in dBm at 0 m."""

    namespace: str
    instance: str
    tx_power: int


@dataclass(frozen=True, slots=True)
class EddystoneUrl:
    """Units: ``tx_power`` in dBm at 0 m."""

    url: str
    tx_power: int


@dataclass(frozen=True, slots=True)
class EddystoneTlm:
    """Units: mV, degC, s since the beacon was switched on; a quantity it does not measure is not available."""

    battery: Quantity
    temperature: Quantity
    adverts: int
    uptime: Quantity


@dataclass(frozen=True, slots=True)
class EddystoneSealedTlm:
    """Telemetry that only the holder of the beacon's key can read."""

    sealed: bytes
    salt: bytes
    mic: bytes


@dataclass(frozen=True, slots=True)
class EddystoneEid:
    """An identifier that changes; only its resolver knows whose it is. Units: ``tx_power`` in dBm at 0 m."""

    identifier: str
    tx_power: int


Beacon = IBeacon | EddystoneUid | EddystoneUrl | EddystoneTlm | EddystoneSealedTlm | EddystoneEid


def beacon(advertisement: Advertisement) -> Beacon | None:
    """Find the beacon in an advertisement; None where it is none.

    Raises: ProtocolError for one that is damaged.
    """
    frame = advertisement.service_data.get(EDDYSTONE)
    if frame is not None:
        return decode_eddystone(frame)
    data = advertisement.manufacturer_data.get(APPLE, b"")
    return decode_ibeacon(data) if data.startswith(IBEACON_HEAD) else None


def decode_ibeacon(data: bytes) -> IBeacon:
    """Read manufacturer data of Apple, behind the company's number.

    Raises: TruncatedFrame, LengthMismatch, Unsupported for something else of Apple's.
    """
    if not data.startswith(IBEACON_HEAD):
        raise Unsupported(f"{data[:2].hex() or 'nothing'} of Apple's is no iBeacon, which begins 0215")
    _check_length(data, _IBEACON_BYTES, "an iBeacon")
    return IBeacon(str(UUID(bytes=data[2:18])), _uint(data[18:20]), _uint(data[20:22]), _int(data[22:23]))


def decode_eddystone(data: bytes) -> Beacon:
    """Read service data of FEAA.

    Raises: TruncatedFrame, LengthMismatch, MalformedFrame, Unsupported for another kind of frame.
    """
    if not data:
        raise TruncatedFrame("an Eddystone frame without its first byte")
    read = _READERS.get(data[0])
    if read is None:
        raise Unsupported(
            f"{data[0]:02x} is no Eddystone frame; they begin {', '.join(f'{it:02x}' for it in _READERS)}"
        )
    return read(data)


def _uid(data: bytes) -> EddystoneUid:
    # Beacons of the first days leave the two reserved bytes out.
    if len(data) not in (18, 20):
        _check_length(data, 20, "an Eddystone UID")
    return EddystoneUid(data[2:12].hex(), data[12:18].hex(), _int(data[1:2]))


def _url(data: bytes) -> EddystoneUrl:
    if len(data) < 3:
        raise TruncatedFrame("an Eddystone URL ends before its scheme")
    if data[2] >= len(_SCHEMES):
        raise MalformedFrame(f"{data[2]:02x} is no scheme of a URL")
    if len(data) > 3 + _URL_BYTES:
        raise LengthMismatch(f"a URL of {len(data) - 3} bytes; {_URL_BYTES} are the most")
    return EddystoneUrl(_SCHEMES[data[2]] + "".join(map(_expanded, data[3:])), _int(data[1:2]))


def _expanded(code: int) -> str:
    if code < len(_EXPANSIONS):
        return _EXPANSIONS[code]
    if not 0x21 <= code <= 0x7E:
        raise MalformedFrame(f"{code:02x} is no character of a URL")
    return chr(code)


def _tlm(data: bytes) -> EddystoneTlm | EddystoneSealedTlm:
    if len(data) < 2:
        raise TruncatedFrame("an Eddystone TLM without its version")
    if data[1] == 1:
        _check_length(data, 18, "a sealed Eddystone TLM")
        return EddystoneSealedTlm(data[2:14], data[14:16], data[16:18])
    if data[1] != 0:
        raise Unsupported(f"version {data[1]} of an Eddystone TLM")
    _check_length(data, 14, "an Eddystone TLM")
    battery, temperature = _uint(data[2:4]), _int(data[4:6])
    return EddystoneTlm(
        Quantity(Decimal(battery), "mV") if battery else Quantity(None, "mV", Quality.NOT_AVAILABLE),
        Quantity(None, "degC", Quality.NOT_AVAILABLE)
        if temperature == _NO_TEMPERATURE
        else Quantity(Decimal(temperature) / 256, "degC"),  # a power of two: exact
        _uint(data[6:10]),
        Quantity(_uint(data[10:14]) * Decimal("0.1"), "s"),
    )


def _eid(data: bytes) -> EddystoneEid:
    _check_length(data, 10, "an Eddystone EID")
    return EddystoneEid(data[2:].hex(), _int(data[1:2]))


_READERS: Mapping[int, Callable[[bytes], Beacon]] = {0x00: _uid, 0x10: _url, 0x20: _tlm, 0x30: _eid}


def _check_length(data: bytes, size: int, what: str) -> None:
    if len(data) < size:
        raise TruncatedFrame(f"{what} has {size} bytes, not {len(data)}")
    if len(data) > size:
        raise LengthMismatch(f"{what} has {size} bytes, not {len(data)}")


def _uint(wire: bytes) -> int:
    return int.from_bytes(wire, "big")


def _int(wire: bytes) -> int:
    return int.from_bytes(wire, "big", signed=True)
