"""The list of units of the fixed structure: six bits, a unit and a power of ten.

Source: the M-Bus documentation 4.8, table of physical units, as rscada/libmbus has it. CJ/T 188
took its unit codes from here (fact sheet, chapter 2).
"""

from collections.abc import Mapping
from typing import NamedTuple


class MeterUnit(NamedTuple):
    """What a code stands for; value = number * 10 ** ``exponent`` in ``unit``."""

    quantity: str
    unit: str
    exponent: int


# first code, how many codes (each ten times the one before), meaning of the first
_DECADES = (
    (0x02, 9, MeterUnit("energy", "kWh", -3)),  # Wh to 100 MWh
    (0x0B, 9, MeterUnit("energy", "GJ", -6)),  # kJ to 100 GJ
    (0x14, 9, MeterUnit("power", "W", 0)),  # W to 100 MW
    (0x1D, 9, MeterUnit("power", "J/h", 3)),  # kJ/h to 100 GJ/h
    (0x26, 9, MeterUnit("volume", "m3", -6)),  # ml to 100 m3
    (0x2F, 9, MeterUnit("volume-flow", "m3/h", -6)),  # ml/h to 100 m3/h
    (0x38, 1, MeterUnit("temperature", "degC", -3)),
)
METER_UNITS: Mapping[int, MeterUnit] = {
    first + step: unit._replace(exponent=unit.exponent + step)
    for first, count, unit in _DECADES
    for step in range(count)
}
