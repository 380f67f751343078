"""Values with a unit and a quality, and the one canonical unit of every quantity."""

import struct
from decimal import Decimal, InvalidOperation
from enum import IntEnum
from typing import NamedTuple


class Quality(IntEnum):
    """How far a value may be believed; only those of ``BELIEVED`` reach a bill."""

    GOOD = 0
    NOT_AVAILABLE = 1  # the device says so itself: FF fill, NaN sentinel
    INVALID = 2  # the device sent something that is not a value: a non-BCD nibble
    SUSPECT = 3  # a value, but not a plausible one
    SUBSTITUTED = 4  # estimated or entered by a person
    FROZEN = 5  # read back later from what the device itself had kept

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")


BELIEVED = (Quality.GOOD, Quality.SUBSTITUTED, Quality.FROZEN)


class Quantity(NamedTuple):
    """An exact number in a unit; ``value`` is None where the quality says there is none."""

    value: Decimal | None
    unit: str
    quality: Quality = Quality.GOOD


# unit -> (canonical unit, factor). The empty string is a pure number, a count or a state.
_CANONICAL: dict[str, tuple[str, Decimal]] = {
    "": ("", Decimal(1)),
    "%": ("%", Decimal(1)),
    "kWh": ("kWh", Decimal(1)),
    "Wh": ("kWh", Decimal("0.001")),
    "MWh": ("kWh", Decimal(1000)),
    "kvarh": ("kvarh", Decimal(1)),
    "varh": ("kvarh", Decimal("0.001")),
    "kVAh": ("kVAh", Decimal(1)),
    "GJ": ("GJ", Decimal(1)),
    "MJ": ("GJ", Decimal("0.001")),
    "kJ": ("GJ", Decimal("0.000001")),
    "m3": ("m3", Decimal(1)),
    "L": ("m3", Decimal("0.001")),
    "m3/h": ("m3/h", Decimal(1)),
    "L/h": ("m3/h", Decimal("0.001")),
    "V": ("V", Decimal(1)),
    "A": ("A", Decimal(1)),
    "mA": ("A", Decimal("0.001")),
    "W": ("W", Decimal(1)),
    "kW": ("W", Decimal(1000)),
    "MW": ("W", Decimal(1000000)),
    "var": ("var", Decimal(1)),
    "kvar": ("var", Decimal(1000)),
    "VA": ("VA", Decimal(1)),
    "kVA": ("VA", Decimal(1000)),
    "Hz": ("Hz", Decimal(1)),
    "degC": ("degC", Decimal(1)),
    "K": ("K", Decimal(1)),
    "deg": ("deg", Decimal(1)),
    "kg": ("kg", Decimal(1)),
    "m/s": ("m/s", Decimal(1)),
    "s": ("s", Decimal(1)),
    "min": ("s", Decimal(60)),
    "h": ("s", Decimal(3600)),
    "mV": ("V", Decimal("0.001")),
    "mL": ("m3", Decimal("0.000001")),
    "m": ("m", Decimal(1)),
    "mm": ("m", Decimal("0.001")),
    "lb": ("kg", Decimal("0.45359237")),
    "lx": ("lx", Decimal(1)),
    "ppm": ("ppm", Decimal(1)),
    "ug/m3": ("ug/m3", Decimal(1)),
    "uS/cm": ("uS/cm", Decimal(1)),
    "m/s2": ("m/s2", Decimal(1)),
    "deg/s": ("deg/s", Decimal(1)),
    "rpm": ("rpm", Decimal(1)),
    "dBm": ("dBm", Decimal(1)),
    "hPa": ("kPa", Decimal("0.1")),
    "bar": ("kPa", Decimal(100)),
    "kPa": ("kPa", Decimal(1)),
    "CNY": ("CNY", Decimal(1)),
}

UNITS = frozenset(_CANONICAL)


def canonical(quantity: Quantity) -> Quantity:
    """Express a quantity in the canonical unit of its kind, exactly.

    Raises: KeyError for a unit this house does not know; profiles are linted against UNITS.
    """
    unit, factor = _CANONICAL[quantity.unit]
    if quantity.value is None or factor == 1:
        return Quantity(quantity.value, unit, quantity.quality)
    return Quantity(quantity.value * factor, unit, quantity.quality)


def canonical_unit(unit: str) -> str:
    """Name the canonical unit of a unit; KeyError for an unknown one."""
    return _CANONICAL[unit][0]


_F32 = struct.Struct(">f")


def decimal_from_float32(value: float) -> Decimal:
    """Give the shortest decimal that a meter holding this float32 can have meant.

    A float32 carries six to nine significant digits; printing more shows digits that the
    meter never had, so the shortest text that packs to the same four bytes is the value.

    Raises: ValueError for NaN and the infinities.
    """
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"{value} is not a number")
    wire = _F32.pack(value)
    for digits in (6, 7, 8):
        text = f"{value:.{digits}g}"
        if _F32.pack(float(text)) == wire:
            return Decimal(text)
    return Decimal(f"{value:.9g}")


# Room to subtract two of them within 64 bits, so that columns of differences cannot overflow.
MANTISSA_LIMIT = 2**62
_POWERS = {exponent: Decimal(1).scaleb(exponent) for exponent in range(-18, 19)}


def to_scaled(value: Decimal) -> tuple[int, int]:
    """Split an exact decimal into (mantissa, exponent), value = mantissa * 10 ** exponent.

    Raises: ValueError for a number that is not finite or needs more than 62 bits or 18 places.
    """
    return scaled_of(str(value))  # through its text costs less than half of what the number's own methods do


def scaled_of(text: str) -> tuple[int, int]:
    """Split the text of an exact decimal as ``to_scaled`` splits the number.

    Raises: ValueError, also for what is no number.
    """
    head, _, tail = text.partition(".")
    try:
        mantissa, exponent = int(head + tail), -len(tail)
    except ValueError:  # an exponent in the text, or no finite number
        mantissa, exponent = _split(text)
    if exponent not in _POWERS:
        raise ValueError(f"{text} has more decimal places than a reading can keep (18)")
    if not -MANTISSA_LIMIT < mantissa < MANTISSA_LIMIT:
        raise ValueError(f"{text} has more digits than a reading can keep (62 bits)")
    return mantissa, exponent


def _split(text: str) -> tuple[int, int]:
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:
        raise ValueError(f"{text} is not a number") from None
    if not isinstance(exponent, int):
        raise ValueError(f"{text} is not a finite number")
    mantissa = int("".join(map(str, digits)))
    return -mantissa if sign else mantissa, exponent


def from_scaled(mantissa: int, exponent: int) -> Decimal:
    """Join what ``to_scaled`` split, with the same number of places."""
    return mantissa * _POWERS[exponent]
