"""How the frames of each protocol are found in a stream: the registry of what the codecs declare."""

from collections.abc import Mapping

from protocols import cjt188, dlt645, iec62056, modbus, modbus_ascii, p1
from protocols.mbus import frame as mbus
from protocols.osdp import frame as osdp
from protocols.stream import Found, FrameScanner, Framing

FRAMINGS: Mapping[str, Framing] = {
    "dlt645": dlt645.FRAMING,
    "dlt645-1997": dlt645.FRAMING,
    "iec62056-21": iec62056.FRAMING,
    "p1": p1.FRAMING,
    "cjt188": cjt188.FRAMING,
    "mbus": mbus.FRAMING,
    "modbus-rtu": modbus.RTU_FRAMING,
    "modbus-tcp": modbus.TCP_FRAMING,
    "modbus-ascii": modbus_ascii.FRAMING,
    "osdp": osdp.FRAMING,
}


def scanner(protocol: str) -> FrameScanner:
    """Make a scanner for a protocol of ``FRAMINGS``; KeyError for another."""
    return FrameScanner(FRAMINGS[protocol])


def scan(protocol: str, data: bytes) -> list[Found]:
    """Find everything in a finished capture."""
    whole = scanner(protocol)
    return [*whole.feed(data), *whole.flush()]
