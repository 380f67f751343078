"""What stands behind the data identifiers of DL/T 645-2007: names, lengths, places, units.

``ITEMS`` holds what is one BCD number, or several of them in a row for a block; the rest
(demands with their instant, clocks, addresses, status words, freezes) has a reader of its own.

Source: the house's fact sheet, chapter 1.4, which names public implementations.
"""

from collections.abc import Callable
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
    instant, ISO 8601 without a zone; ``tariff`` 0 is the total, ``storage`` n the n-th last one kept.
    """

    name: str
    quantity: Quantity
    di: int
    raw: bytes
    text: str | None = None
    at: str | None = None
    tariff: int | None = None
    storage: int | None = None


_TARIFFS = 63
_SETTLEMENTS = 12
# Kinds of energy, the second byte of their identifiers: name, unit, signed.
_ENERGIES = {
    0x00: ("energyCombined", "kWh", True),
    0x01: ("energyImport", "kWh", False),
    0x02: ("energyExport", "kWh", False),
    0x03: ("reactiveCombined1", "kvarh", True),
    0x04: ("reactiveCombined2", "kvarh", True),
    0x05: ("reactiveQuadrant1", "kvarh", False),
    0x06: ("reactiveQuadrant2", "kvarh", False),
    0x07: ("reactiveQuadrant3", "kvarh", False),
    0x08: ("reactiveQuadrant4", "kvarh", False),
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
}
_SINGLE = (
    DataItem(0x00900100, "balanceEnergy", 4, 2, "kWh"),
    DataItem(0x00900101, "overdraftEnergy", 4, 2, "kWh"),
    DataItem(0x00900200, "balanceMoney", 4, 2, "CNY"),
    DataItem(0x00900201, "overdraftMoney", 4, 2, "CNY"),
    DataItem(0x02800001, "currentNeutral", 3, 3, "A"),
    DataItem(0x02800002, "freq", 2, 2, "Hz"),
    DataItem(0x02800007, "temperature", 2, 1, "degC", True),
    DataItem(0x02800008, "clockBattery", 2, 2, "V"),
    DataItem(0x02800009, "backupBattery", 2, 2, "V"),
    DataItem(0x0280000A, "batteryTime", 4, 0, "min"),
    DataItem(0x03300D00, "coverOpenCount", 3, 0, ""),
    DataItem(0x03300E00, "terminalCoverOpenCount", 3, 0, ""),
    DataItem(0x04000409, "meterConstant", 3, 0, ""),  # impulses a kWh
    DataItem(0x1D000001, "tripCount", 3, 0, ""),
)


def _energy(kind: int, tariff: int, storage: int = 0) -> DataItem:
    name, unit, is_signed = _ENERGIES[kind]
    suffix = f"Tariff{tariff}" if tariff else "Total" if unit == "kWh" else ""
    return DataItem(kind << 16 | tariff << 8 | storage, name + suffix, 4, 2, unit, is_signed)


def _phase(kind: int, place: int) -> DataItem:
    name, _, length, decimals, unit, is_signed = _BY_PHASE[kind]
    total = "" if kind == 0x06 else "Total"
    suffix = f"L{place}" if place else total
    return DataItem(0x02000000 | kind << 16 | place << 8, name + suffix, length, decimals, unit, is_signed)


def _table() -> dict[int, tuple[DataItem, ...]]:
    items = [_energy(kind, tariff) for kind in _ENERGIES for tariff in range(_TARIFFS + 1)]
    items += [_phase(kind, place) for kind, row in _BY_PHASE.items() for place in row[1]]
    table: dict[int, tuple[DataItem, ...]] = {item.di: (item,) for item in (*items, *_SINGLE)}
    for kind in _ENERGIES:
        table[kind << 16 | 0xFF00] = tuple(_energy(kind, tariff) for tariff in range(5))
    for kind, row in _BY_PHASE.items():
        table[0x0200FF00 | kind << 16] = tuple(_phase(kind, place) for place in row[1])
    return table


ITEMS: dict[int, tuple[DataItem, ...]] = _table()


def find_items(di: int) -> tuple[DataItem, ...]:
    """Give the numbers behind an identifier, those of past settlements too.

    Raises: Unsupported for an identifier that is not in the table.
    """
    if di in ITEMS:
        return ITEMS[di]
    storage = di & 0xFF
    if di >> 16 in _ENERGIES and 1 <= storage <= _SETTLEMENTS and di & ~0xFF in ITEMS:
        return tuple(item._replace(di=item.di | storage) for item in ITEMS[di & ~0xFF])
    raise Unsupported(f"data identifier {di:08X} is not in the table")


def decode_values(di: int, payload: bytes) -> list[Value]:
    """Read what stands behind a data identifier.

    Shape: a payload of another length than the standard's gives one INVALID value with all its
    bytes: cutting it up would shift every number behind the odd one.

    Raises: Unsupported for an identifier that is not in the table.
    """
    reader = _READERS.get(di)
    if reader is not None:
        return reader(di, payload)
    items = find_items(di)
    if len(payload) != sum(item.length for item in items):
        return [_misfit(items[0].name if len(items) == 1 else f"di{di:08X}", items[0].unit, di, payload)]
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
    item = items[0]
    return encode_bcd(value, item.length, decimals=item.decimals, is_signed=item.is_signed)


def _number(item: DataItem, raw: bytes) -> Value:
    quantity = decode_bcd(raw, decimals=item.decimals, unit=item.unit, is_signed=item.is_signed)
    value = Value(item.name, quantity, item.di, raw)
    if item.di >> 16 in _ENERGIES:
        return value._replace(tariff=item.di >> 8 & 0xFF, storage=item.di & 0xFF)
    return value


def _misfit(name: str, unit: str, di: int, payload: bytes) -> Value:
    return Value(name, Quantity(None, unit, Quality.INVALID), di, payload)


def _text(name: str, di: int, raw: bytes, text: str | None) -> Value:
    """Give a text; None says that the bytes are none, all FF that the meter has none."""
    quality = Quality.GOOD
    if text is None:
        quality = Quality.NOT_AVAILABLE if raw and all(byte == 0xFF for byte in raw) else Quality.INVALID
    return Value(name, Quantity(None, "", quality), di, raw, text=text)


# Instants come low byte first; these are the places of their parts in the printed order.
_DATE_LENGTH, _TIME_LENGTH, _INSTANT_LENGTH = 4, 3, 5


def _digits(raw: bytes) -> str | None:
    digits = raw[::-1].hex()
    return digits if digits.isdecimal() else None


def _instant(raw: bytes) -> str | None:
    """Print YYMMDDhhmm; None where the meter has none or sends none."""
    digits = _digits(raw)
    if digits is None or not ("01" <= digits[2:4] <= "12" and "01" <= digits[4:6] <= "31"):
        return None
    if digits[6:8] > "23" or digits[8:10] > "59":
        return None
    return f"20{digits[:2]}-{digits[2:4]}-{digits[4:6]}T{digits[6:8]}:{digits[8:10]}"


def _read_demand(di: int, payload: bytes) -> list[Value]:
    name = "demandImportMax" if di >> 16 & 0xFF == 1 else "demandExportMax"
    if len(payload) != 3 + _INSTANT_LENGTH:
        return [_misfit(name, "kW", di, payload)]
    quantity = decode_bcd(payload[:3], decimals=4, unit="kW")
    return [Value(name, quantity, di, payload, at=_instant(payload[3:]))]


def _read_date(di: int, payload: bytes) -> list[Value]:
    digits = _digits(payload[1:]) if len(payload) == _DATE_LENGTH else None  # the first byte is the weekday
    text = None if digits is None else f"20{digits[:2]}-{digits[2:4]}-{digits[4:]}"
    return [_text("meterDate", di, payload, text)]


def _read_time(di: int, payload: bytes) -> list[Value]:
    digits = _digits(payload) if len(payload) == _TIME_LENGTH else None
    text = None if digits is None else f"{digits[:2]}:{digits[2:4]}:{digits[4:]}"
    return [_text("meterTime", di, payload, text)]


def _read_number(di: int, payload: bytes) -> list[Value]:
    name = "meterAddress" if di == 0x04000401 else "meterNumber"
    return [_text(name, di, payload, _digits(payload) if len(payload) == 6 else None)]


_RATINGS = {0x04000404: "ratedVoltage", 0x04000405: "ratedCurrent", 0x04000406: "maxCurrent"}


def _read_rating(di: int, payload: bytes) -> list[Value]:
    text = payload[::-1].decode("ascii", "replace").strip("\0 ")
    is_text = len(payload) == 6 and text.isascii() and text.isprintable()
    return [_text(_RATINGS[di], di, payload, text if is_text else None)]


def _read_status(di: int, payload: bytes) -> list[Value]:
    """Read one status word, or seven in the block; bits are the model's business."""
    first, count = (1, 7) if di & 0xFF == 0xFF else (di & 0xFF, 1)
    if len(payload) != 2 * count:
        return [_text(f"statusWord{first}", di, payload, None)]
    words = [payload[2 * place : 2 * place + 2] for place in range(count)]
    return [
        _text(f"statusWord{first + place}", di & ~0xFF | first + place, raw, raw[::-1].hex().upper())
        for place, raw in enumerate(words)
    ]


def _read_freeze(di: int, payload: bytes) -> list[Value]:
    """Read a daily freeze of forward active energy: the total, and each tariff the meter has."""
    name = "energyImportTotalDailyFreeze"
    if not payload or len(payload) % 4 or len(payload) > 4 * (_TARIFFS + 1):
        return [_misfit(name, "kWh", di, payload)]
    values = []
    for tariff in range(len(payload) // 4):
        raw = payload[4 * tariff : 4 * tariff + 4]
        label = f"energyImportTariff{tariff}DailyFreeze" if tariff else name
        quantity = decode_bcd(raw, decimals=2, unit="kWh")
        values.append(Value(label, quantity, di, raw, tariff=tariff, storage=di & 0xFF))
    return values


def _read_freeze_instant(di: int, payload: bytes) -> list[Value]:
    text = _instant(payload) if len(payload) == _INSTANT_LENGTH else None
    return [_text("dailyFreezeTime", di, payload, text)._replace(storage=di & 0xFF)]


_READERS: dict[int, Callable[[int, bytes], list[Value]]] = {
    0x01010000: _read_demand,
    0x01020000: _read_demand,
    0x04000101: _read_date,
    0x04000102: _read_time,
    0x04000401: _read_number,
    0x04000402: _read_number,
    **dict.fromkeys(_RATINGS, _read_rating),
    **dict.fromkeys((*range(0x04000501, 0x04000508), 0x040005FF), _read_status),
    **dict.fromkeys(range(0x05060001, 0x050600FF), _read_freeze_instant),
    **dict.fromkeys(range(0x05060101, 0x050601FF), _read_freeze),
}
