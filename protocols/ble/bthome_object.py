"""The objects a BTHome frame is made of, as data.

Source: bthome.io, BTHome v2 format, its tables of object ids; Bluetooth-Devices/bthome-ble 3.25.0
src/bthome_ble/const.py for the ids from 3B on that are newer. Values are little-endian.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    """What the bytes of an object are."""

    UINT = auto()
    INT = auto()
    STATE = auto()  # 0 or 1
    TEXT = auto()  # a length, then UTF-8
    RAW = auto()  # a length, then bytes only the maker knows
    TIME = auto()  # seconds since 1970, UTC
    PACKET_ID = auto()
    BUTTON = auto()
    DIMMER = auto()  # what, then steps
    COMMAND = auto()  # a length of its arguments, what, then the arguments
    DEVICE_TYPE = auto()
    FIRMWARE = auto()  # the lowest part first


class Object(NamedTuple):
    """What an id stands for. Shape: ``size`` is None where a length byte is in front."""

    kind: Kind
    name: str
    size: int | None
    unit: str = ""
    factor: Decimal = Decimal(1)
    states: tuple[str, str] = ("", "")


# id, name, bytes (below zero: signed), unit, factor
_NUMBERS = (
    (0x01, "battery", 1, "%", "1"),
    (0x02, "temperature", -2, "degC", "0.01"),
    (0x03, "humidity", 2, "%", "0.01"),
    (0x04, "pressure", 3, "hPa", "0.01"),
    (0x05, "illuminance", 3, "lx", "0.01"),
    (0x06, "mass", 2, "kg", "0.01"),
    (0x07, "mass", 2, "lb", "0.01"),
    (0x08, "dewPoint", -2, "degC", "0.01"),
    (0x09, "count", 1, "", "1"),
    (0x0A, "energy", 3, "kWh", "0.001"),
    (0x0B, "power", 3, "W", "0.01"),
    (0x0C, "voltage", 2, "V", "0.001"),
    (0x0D, "pm25", 2, "ug/m3", "1"),
    (0x0E, "pm10", 2, "ug/m3", "1"),
    (0x12, "co2", 2, "ppm", "1"),
    (0x13, "tvoc", 2, "ug/m3", "1"),
    (0x14, "moisture", 2, "%", "0.01"),
    (0x2E, "humidity", 1, "%", "1"),
    (0x2F, "moisture", 1, "%", "1"),
    (0x3D, "count", 2, "", "1"),
    (0x3E, "count", 4, "", "1"),
    (0x3F, "rotation", -2, "deg", "0.1"),
    (0x40, "distance", 2, "mm", "1"),
    (0x41, "distance", 2, "m", "0.1"),
    (0x42, "duration", 3, "s", "0.001"),
    (0x43, "current", 2, "A", "0.001"),
    (0x44, "speed", 2, "m/s", "0.01"),
    (0x45, "temperature", -2, "degC", "0.1"),
    (0x46, "uvIndex", 1, "", "0.1"),
    (0x47, "volume", 2, "L", "0.1"),
    (0x48, "volume", 2, "mL", "1"),
    (0x49, "flowRate", 2, "m3/h", "0.001"),
    (0x4A, "voltage", 2, "V", "0.1"),
    (0x4B, "gas", 3, "m3", "0.001"),
    (0x4C, "gas", 4, "m3", "0.001"),
    (0x4D, "energy", 4, "kWh", "0.001"),
    (0x4E, "volume", 4, "L", "0.001"),
    (0x4F, "water", 4, "L", "0.001"),
    (0x51, "acceleration", 2, "m/s2", "0.001"),
    (0x52, "gyroscope", 2, "deg/s", "0.001"),
    (0x55, "volumeStorage", 4, "L", "0.001"),
    (0x56, "conductivity", 2, "uS/cm", "1"),
    (0x57, "temperature", -1, "degC", "1"),
    (0x58, "temperature", -1, "degC", "0.35"),
    (0x59, "count", -1, "", "1"),
    (0x5A, "count", -2, "", "1"),
    (0x5B, "count", -4, "", "1"),
    (0x5C, "power", -4, "W", "0.01"),
    (0x5D, "current", -2, "A", "0.001"),
    (0x5E, "direction", 2, "deg", "0.01"),
    (0x5F, "precipitation", 2, "mm", "0.1"),
    (0x60, "channel", 1, "", "1"),
    (0x61, "rotationalSpeed", 2, "rpm", "1"),
    (0x62, "speed", -4, "m/s", "0.000001"),
    (0x63, "acceleration", -4, "m/s2", "0.000001"),
    (0x64, "lightLevel", 1, "", "1"),
    (0x65, "settingsRevision", 1, "", "1"),
)

# id, name, word of 0, word of 1; a name that is a measurement too (battery, gas, power) has one of its own here
_STATES = (
    (0x0F, "generic", "off", "on"),
    (0x10, "powerState", "off", "on"),
    (0x11, "opening", "closed", "open"),
    (0x15, "batteryLow", "normal", "low"),
    (0x16, "charging", "not-charging", "charging"),
    (0x17, "carbonMonoxide", "clear", "detected"),
    (0x18, "cold", "normal", "cold"),
    (0x19, "connectivity", "disconnected", "connected"),
    (0x1A, "door", "closed", "open"),
    (0x1B, "garageDoor", "closed", "open"),
    (0x1C, "gasDetected", "clear", "detected"),
    (0x1D, "heat", "normal", "hot"),
    (0x1E, "light", "dark", "light"),
    (0x1F, "lock", "locked", "unlocked"),
    (0x20, "leak", "dry", "wet"),  # "moisture" in the tables, which is also a percentage
    (0x21, "motion", "clear", "detected"),
    (0x22, "moving", "still", "moving"),
    (0x23, "occupancy", "clear", "detected"),
    (0x24, "plug", "unplugged", "plugged"),
    (0x25, "presence", "away", "home"),
    (0x26, "problem", "ok", "problem"),
    (0x27, "running", "stopped", "running"),
    (0x28, "safety", "safe", "unsafe"),  # as its receivers read it: 1 is what wants attention
    (0x29, "smoke", "clear", "detected"),
    (0x2A, "sound", "clear", "detected"),
    (0x2B, "tamper", "ok", "tampered"),
    (0x2C, "vibration", "clear", "detected"),
    (0x2D, "window", "closed", "open"),
)

OBJECTS: Mapping[int, Object] = {
    0x00: Object(Kind.PACKET_ID, "packetId", 1),
    **{
        number: Object(Kind.INT if size < 0 else Kind.UINT, name, abs(size), unit, Decimal(factor))
        for number, name, size, unit, factor in _NUMBERS
    },
    **{number: Object(Kind.STATE, name, 1, states=(off, on)) for number, name, off, on in _STATES},
    0x3A: Object(Kind.BUTTON, "button", 1),
    0x3B: Object(Kind.COMMAND, "command", None),
    0x3C: Object(Kind.DIMMER, "dimmer", 2),
    0x50: Object(Kind.TIME, "timestamp", 4, "s"),
    0x53: Object(Kind.TEXT, "text", None),
    0x54: Object(Kind.RAW, "raw", None),
    0xF0: Object(Kind.DEVICE_TYPE, "deviceType", 2),
    0xF1: Object(Kind.FIRMWARE, "firmware", 4),
    0xF2: Object(Kind.FIRMWARE, "firmware", 3),
}

# What an event's first byte says; another one is an event nobody has named.
ACTIONS: Mapping[Kind, Mapping[int, str]] = {
    Kind.BUTTON: {
        0x00: "none",
        0x01: "press",
        0x02: "double-press",
        0x03: "triple-press",
        0x04: "long-press",
        0x05: "long-double-press",
        0x06: "long-triple-press",
        0x80: "hold-press",
        0x81: "hold-release",
    },
    Kind.DIMMER: {0x00: "none", 0x01: "rotate-left", 0x02: "rotate-right"},
    Kind.COMMAND: {0x00: "off", 0x01: "on", 0x02: "toggle", 0x03: "step-up", 0x04: "step-down"},
}
