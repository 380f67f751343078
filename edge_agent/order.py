"""Every way of reading a few registers as a number, and which of them looks like a measurement. Pure.

Vendors write the type and seldom the order; on the wire only plausibility tells. A measurement has few
digits and a usual size, and the wrong order of a float gives 1e-38 or nineteen digits.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.register import ORDERS, TYPE_LENGTH, decode_registers

_LEAST, _MOST = Decimal("0.001"), Decimal(10_000_000)


class Reading(NamedTuple):
    """One way; ``value`` is None where it gives no number, ``score`` is higher for the more plausible."""

    type: str
    order: str
    value: Decimal | None
    score: int


def readings(words: Sequence[int], expected: Decimal | None = None) -> list[Reading]:
    """Read registers in every type that takes as many, and every order, the most plausible first.

    Shape: ``expected`` is what the device's own display says, where somebody can see it.
    """
    types = [name for name, length in TYPE_LENGTH.items() if length == len(words)]
    orders = ORDERS if len(words) > 1 else ("ABCD", "BADC")
    found = [_reading(words, name, order, expected) for name in types for order in orders]
    return sorted(found, key=lambda reading: -reading.score)


def plausible(found: Sequence[Reading]) -> Reading | None:
    """Give the one way that stands out; None where several are as good, or none is any good.

    Shape: signed and unsigned that say the same are one way.
    """
    best = [reading for reading in found if reading.score == found[0].score]
    said = {(reading.value, reading.order) for reading in best}
    return best[0] if found[0].score > 0 and len(said) == 1 else None


def _reading(words: Sequence[int], name: str, order: str, expected: Decimal | None) -> Reading:
    try:
        value = decode_registers(words, name, order)
    except ProtocolError:
        value = None
    if not isinstance(value, Decimal):
        return Reading(name, order, None, -10)
    return Reading(name, order, value, _score(value, name, expected))


def _score(value: Decimal, name: str, expected: Decimal | None) -> int:
    if expected is not None:
        # Whole registers hide a decimal point: the digits count, not the place.
        scale = _power_of_ten(value, expected)
        return {None: 0, 0: 20}.get(scale, 15)
    if value == 0:
        return 0
    size = abs(value)
    if not _LEAST <= size < _MOST:
        return -5
    is_float = name in ("f32", "f64")
    # A random float in range is rare, a random integer is not.
    score = 8 if is_float else 3
    score += 2 if value > 0 else 0
    digits = len(value.normalize().as_tuple().digits)
    return score + (3 if is_float and digits <= 6 else 0) + (1 if name.startswith(("u", "bcd")) else 0)


def _power_of_ten(value: Decimal, expected: Decimal) -> int | None:
    """Say by which power of ten a value is larger than the expected one, within one in two hundred."""
    if not value or not expected or (value > 0) != (expected > 0):
        return 0 if value == expected else None
    ratio = value / expected
    power = round(ratio.log10())
    near = abs(ratio.scaleb(-power) - 1) <= Decimal("0.005")
    return power if near and -6 <= power <= 6 else None
