"""What stands behind the data identifiers of DL/T 645-2007: names, lengths, places, units.

``ITEMS`` holds what is one BCD number, or several of them in a row for a block; the rest
(demands with their instant, clocks, addresses, status words, freezes) is in ``dlt645_reader``.

Source: the house's fact sheet, chapter 1.4; phases, distortion, harmonics and event counters as in
600888/dlt645 (config/*.py), where distortions and harmonics bear V and A and are shares in per cent.
"""

from decimal import Decimal
from typing import NamedTuple

from protocols.bcd import decode_bcd, encode_bcd
from protocols.errors import Unsupported
from protocols.quantity import Quality, Quantity


class DataItem(NamedTuple):
    """One number behind a data identifier."""

    di: int
    name: str
    length: int
    decimals: int
    unit: str
    is_signed: bool = False


class Value(NamedTuple):
    """One decoded thing and the bytes it came from.

    Shape: ``text`` is what is no number (an address, a clock, a status word), ``at`` the meter's own
    instant, ISO 8601 without a zone; ``tariff`` 0 is the total, ``storage`` n the n-th last one kept;
    ``flags`` names the bits that are set in a status word.
    """

    name: str
    quantity: Quantity
    di: int
    raw: bytes
    text: str | None = None
    at: str | None = None
    tariff: int | None = None
    storage: int | None = None
    flags: tuple[str, ...] | None = None


TARIFFS = 63
SETTLEMENTS = 12
# Kinds of energy, the second byte of their identifiers: name, unit, signed.
_TOTALS = {
    0x00: ("energyCombined", "kWh", True),
    0x01: ("energyImport", "kWh", False),
    0x02: ("energyExport", "kWh", False),
    0x03: ("reactiveCombined1", "kvarh", True),
    0x04: ("reactiveCombined2", "kvarh", True),
    0x05: ("reactiveQuadrant1", "kvarh", False),
    0x06: ("reactiveQuadrant2", "kvarh", False),
    0x07: ("reactiveQuadrant3", "kvarh", False),
    0x08: ("reactiveQuadrant4", "kvarh", False),
    0x09: ("apparentImport", "kVAh", False),
    0x0A: ("apparentExport", "kVAh", False),
}
# Where each phase's own energies begin; they follow in the order of the totals and have no tariffs.
_PHASE_FIRST = {1: 0x15, 2: 0x29, 3: 0x3D}
_ENERGIES = _TOTALS | {
    first + kind - 1: (f"{name}L{phase}", unit, is_signed)
    for phase, first in _PHASE_FIRST.items()
    for kind, (name, unit, is_signed) in _TOTALS.items()
    if kind
}
# Measured by phase: name, places of the number, bytes, decimals, unit, signed.
_PHASES = (1, 2, 3)
_BY_PHASE = {
    0x01: ("voltage", _PHASES, 2, 1, "V", False),
    0x02: ("current", _PHASES, 3, 3, "A", True),
    0x03: ("power", (0, *_PHASES), 3, 4, "kW", True),
    0x04: ("reactivePower", (0, *_PHASES), 3, 4, "kvar", True),
    0x05: ("apparentPower", (0, *_PHASES), 3, 4, "kVA", True),
    0x06: ("pf", (0, *_PHASES), 2, 3, "", True),
    0x07: ("phaseAngle", _PHASES, 2, 1, "deg", False),
    0x08: ("voltageDistortion", _PHASES, 2, 2, "%", False),
    0x09: ("currentDistortion", _PHASES, 2, 2, "%", False),
}
_HARMONICS = {0x0A: "voltageHarmonic", 0x0B: "currentHarmonic"}
_HARMONIC_ORDERS = range(1, 22)
# Counted by phase, how often and for how many minutes, three pairs in one block.
_PHASE_EVENTS = {
    0x01: "voltageLoss",
    0x02: "underVoltage",
    0x03: "overVoltage",
    0x04: "phaseBreak",
    0x0B: "currentLoss",
    0x0C: "overCurrent",
    0x0D: "currentBreak",
    0x0E: "powerReversal",
    0x0F: "overload",
}
_EVENTS = {
    0x05: "allVoltageLoss",
    0x06: "auxiliaryLoss",
    0x07: "voltageSequence",
    0x08: "currentSequence",
    0x09: "voltageImbalance",
    0x0A: "currentImbalance",
}
_COUNTERS = (
    (0x03110000, "powerOutageCount"),
    (0x03300000, "programmingCount"),
    (0x03300100, "meterClearCount"),
    (0x03300200, "demandClearCount"),
    (0x03300300, "eventClearCount"),
    (0x03300400, "clockSetCount"),
    (0x03300500, "slotTableCount"),
    (0x03300600, "zoneTableCount"),
    (0x03300700, "weekendSetCount"),
    (0x03300800, "holidaySetCount"),
    (0x03300900, "activeModeCount"),
    (0x03300A00, "reactiveMode1Count"),
    (0x03300B00, "reactiveMode2Count"),
    (0x03300C00, "settlementDayCount"),
    (0x03300D00, "coverOpenCount"),
    (0x03300E00, "terminalCoverOpenCount"),
    (0x1D000001, "tripCount"),
)
_SINGLE = (
    DataItem(0x00900100, "balanceEnergy", 4, 2, "kWh"),
    DataItem(0x00900101, "overdraftEnergy", 4, 2, "kWh"),
    DataItem(0x00900200, "balanceMoney", 4, 2, "CNY"),
    DataItem(0x00900201, "overdraftMoney", 4, 2, "CNY"),
    DataItem(0x02800001, "currentNeutral", 3, 3, "A"),
    DataItem(0x02800002, "freq", 2, 2, "Hz"),
    DataItem(0x02800003, "powerMinuteMean", 3, 4, "kW", True),
    DataItem(0x02800004, "demand", 3, 4, "kW", True),
    DataItem(0x02800005, "reactiveDemand", 3, 4, "kvar", True),
    DataItem(0x02800006, "apparentDemand", 3, 4, "kVA", True),
    DataItem(0x02800007, "temperature", 2, 1, "degC", True),
    DataItem(0x02800008, "clockBattery", 2, 2, "V"),
    DataItem(0x02800009, "backupBattery", 2, 2, "V"),
    DataItem(0x0280000A, "batteryTime", 4, 0, "min"),
    DataItem(0x04000103, "demandPeriod", 1, 0, "min"),
    DataItem(0x04000104, "demandSlideTime", 1, 0, "min"),
    DataItem(0x04000409, "meterConstant", 3, 0, ""),  # impulses a kWh
    DataItem(0x0400040A, "meterConstantReactive", 3, 0, ""),
    *(DataItem(di, name, 3, 0, "") for di, name in _COUNTERS),
)


def is_energy(di: int) -> bool:
    """Tell whether an identifier is one of an energy, whatever its tariff and settlement."""
    return di >> 16 in _ENERGIES


def _energy(kind: int, tariff: int, storage: int = 0) -> DataItem:
    name, unit, is_signed = _ENERGIES[kind]
    is_total = kind in _TOTALS and unit == "kWh"
    suffix = f"Tariff{tariff}" if tariff else "Total" if is_total else ""
    return DataItem(kind << 16 | tariff << 8 | storage, name + suffix, 4, 2, unit, is_signed)


def _phase(kind: int, place: int) -> DataItem:
    name, _, length, decimals, unit, is_signed = _BY_PHASE[kind]
    total = "" if kind == 0x06 else "Total"
    suffix = f"L{place}" if place else total
    return DataItem(0x02000000 | kind << 16 | place << 8, name + suffix, length, decimals, unit, is_signed)


def _harmonics(kind: int, phase: int) -> tuple[DataItem, ...]:
    first = 0x02000000 | kind << 16 | phase << 8
    name = f"{_HARMONICS[kind]}L{phase}"
    return tuple(DataItem(first | order, f"{name}Order{order}", 2, 2, "%") for order in _HARMONIC_ORDERS)


def _event(di: int, name: str) -> tuple[DataItem, DataItem]:
    return DataItem(di, f"{name}Count", 3, 0, ""), DataItem(di, f"{name}Time", 3, 0, "min")


def _table() -> dict[int, tuple[DataItem, ...]]:
    items = [_energy(kind, tariff) for kind in _TOTALS for tariff in range(TARIFFS + 1)]
    items += [_energy(kind, 0) for kind in _ENERGIES if kind not in _TOTALS]
    items += [_phase(kind, place) for kind, row in _BY_PHASE.items() for place in row[1]]
    table: dict[int, tuple[DataItem, ...]] = {item.di: (item,) for item in (*items, *_SINGLE)}
    for kind in _TOTALS:
        table[kind << 16 | 0xFF00] = tuple(_energy(kind, tariff) for tariff in range(5))
    for kind, row in _BY_PHASE.items():
        table[0x0200FF00 | kind << 16] = tuple(_phase(kind, place) for place in row[1])
    for kind in _HARMONICS:
        for phase in _PHASES:
            block = _harmonics(kind, phase)
            table |= {item.di: (item,) for item in block} | {block[0].di | 0xFF: block}
    for kind, name in _PHASE_EVENTS.items():
        di = 0x03000000 | kind << 16
        table[di] = tuple(item for phase in _PHASES for item in _event(di, f"{name}L{phase}"))
    for kind, name in _EVENTS.items():
        di = 0x03000000 | kind << 16
        table[di] = _event(di, name)
    return table


ITEMS: dict[int, tuple[DataItem, ...]] = _table()


def find_items(di: int) -> tuple[DataItem, ...]:
    """Give the numbers behind an identifier, those of past settlements too.

    Raises: Unsupported for an identifier that is not in the table.
    """
    if di in ITEMS:
        return ITEMS[di]
    storage = di & 0xFF
    if is_energy(di) and di & ~0xFF in ITEMS:
        if 1 <= storage <= SETTLEMENTS:
            return tuple(item._replace(di=item.di | storage) for item in ITEMS[di & ~0xFF])
        if storage == 0xFF and len(ITEMS[di & ~0xFF]) == 1:
            (item,) = ITEMS[di & ~0xFF]
            return tuple(item._replace(di=item.di | past) for past in range(SETTLEMENTS + 1))
    raise Unsupported(f"data identifier {di:08X} is not in the table")


def decode_items(di: int, payload: bytes) -> list[Value]:
    """Read the BCD numbers behind an identifier; of another length than theirs, none of it is believed.

    Raises: Unsupported for an identifier that is not in the table.
    """
    items = find_items(di)
    if len(payload) != sum(item.length for item in items):
        return [misfit(items[0].name if len(items) == 1 else f"di{di:08X}", items[0].unit, di, payload)]
    values, offset = [], 0
    for item in items:
        values.append(_number(item, payload[offset : offset + item.length]))
        offset += item.length
    return values


def encode_value(di: int, value: Decimal) -> bytes:
    """Write the payload of a single-number identifier; the simulator's side.

    Raises: Unsupported for an unknown identifier or a block, ValueError for a value that does not fit.
    """
    items = find_items(di)
    if len(items) != 1:
        raise Unsupported(f"data identifier {di:08X} is a block of {len(items)} numbers")
    return encode_bcd_item(items[0], value)


def encode_bcd_item(item: DataItem, value: Decimal) -> bytes:
    """Write one number of a block; the simulator's side.

    Raises: ValueError for a value that does not fit.
    """
    return encode_bcd(value, item.length, decimals=item.decimals, is_signed=item.is_signed)


def misfit(name: str, unit: str, di: int, payload: bytes) -> Value:
    """Give the one bad value that a payload of a wrong length is."""
    return Value(name, Quantity(None, unit, Quality.INVALID), di, payload)


def _number(item: DataItem, raw: bytes) -> Value:
    quantity = decode_bcd(raw, decimals=item.decimals, unit=item.unit, is_signed=item.is_signed)
    value = Value(item.name, quantity, item.di, raw)
    if is_energy(item.di):
        return value._replace(tariff=item.di >> 8 & 0xFF, storage=item.di & 0xFF)
    return value
