"""A BLE device's address as a settings file names it, and how long ago something was."""

import re
from typing import NamedTuple

from protocols.ble.beacon import EddystoneUid, IBeacon

_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
_IBEACON = re.compile(r"([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})/(\d{1,5})/(\d{1,5})")
_EDDYSTONE = re.compile(r"([0-9A-Fa-f]{20})/([0-9A-Fa-f]{12})")


def check_mac(address: str) -> None:
    """Raise ValueError for what is not a MAC address."""
    if not _MAC.fullmatch(address):
        raise ValueError(f"'{address}' is not a Bluetooth address; write it as A4:C1:38:11:22:33")


def is_mac(address: str) -> bool:
    return _MAC.fullmatch(address) is not None


def span(seconds: float) -> str:
    """Tell a time in the words of a person: 40 s, 12 min, 3 h, 2 d."""
    for size, word, most in ((1, "s", 120), (60, "min", 7_200), (3_600, "h", 172_800)):
        if seconds < most:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds / 86_400:.0f} d"


class Identity(NamedTuple):
    """Who a beacon is: a device by its address in capitals, or whoever says this name.

    Shape: ``name`` is UUID/major/minor of an iBeacon or namespace/instance of an Eddystone, in small letters.
    """

    mac: str | None
    name: str | None = None


def parse_identity(address: str) -> Identity:
    """Read how a settings file names a beacon.

    Raises: ValueError with what is expected.
    """
    if is_mac(address):
        return Identity(address.upper())
    found = _IBEACON.fullmatch(address)
    if found and max(int(found[2]), int(found[3])) <= 0xFFFF:
        return Identity(None, f"{found[1].lower()}/{int(found[2])}/{int(found[3])}")
    if _EDDYSTONE.fullmatch(address):
        return Identity(None, address.lower())
    raise ValueError(
        f"'{address}' names no beacon; write its Bluetooth address, the UUID/major/minor of an iBeacon as "
        f"fda50693-a4e2-4fb1-afcf-c6eb07647825/1/2, or the namespace/instance of an Eddystone in hex"
    )


def beacon_name(frame: object) -> str | None:
    """Say who a beacon's frame is of; None where the frame does not tell."""
    match frame:
        case IBeacon(uuid=uuid, major=major, minor=minor):
            return f"{uuid}/{major}/{minor}"
        case EddystoneUid(namespace=namespace, instance=instance):
            return f"{namespace}/{instance}"
    return None
