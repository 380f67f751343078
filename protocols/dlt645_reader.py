"""What stands behind the identifiers of DL/T 645-2007 that are more than numbers in a row.

Demands with their instant, clocks, addresses, ratings, status words, settlement days and freezes.

Source: the house's fact sheet, chapter 1.4; the lengths of texts as in 600888/dlt645 (config/parameter_types.py).
"""

from collections.abc import Callable

from protocols.bcd import decode_bcd
from protocols.dlt645_item import (
    SETTLEMENTS,
    TARIFFS,
    DataItem,
    Value,
    decode_items,
    find_items,
    is_energy,
    misfit,
)
from protocols.dlt645_status import status_flags
from protocols.errors import Unsupported
from protocols.quantity import Quality, Quantity

DATE, TIME = 0x04000101, 0x04000102
STATUS_WORDS = range(0x04000501, 0x04000508)
DEMAND_LENGTH, INSTANT_LENGTH = 8, 5
_DATE_LENGTH, _TIME_LENGTH = 4, 3
# Freezes: what set them off, the third byte of their identifiers.
_CAUSES = {0: "timed", 1: "instant", 2: "zone", 3: "slot", 4: "hourly", 6: "daily", 7: "tier"}
# What was frozen, the second byte: the energies by their own numbers.
_FROZEN = {
    1: ("energyImport", "kWh", False),
    2: ("energyExport", "kWh", False),
    3: ("reactiveCombined1", "kvarh", True),
    4: ("reactiveCombined2", "kvarh", True),
    5: ("reactiveQuadrant1", "kvarh", False),
    6: ("reactiveQuadrant2", "kvarh", False),
    7: ("reactiveQuadrant3", "kvarh", False),
    8: ("reactiveQuadrant4", "kvarh", False),
}
DAILY = 0x05060000
_DEMANDS = {
    1: ("demandImportMax", "kW"),
    2: ("demandExportMax", "kW"),
    3: ("reactiveDemandCombined1Max", "kvar"),
    4: ("reactiveDemandCombined2Max", "kvar"),
    5: ("reactiveDemandQuadrant1Max", "kvar"),
    6: ("reactiveDemandQuadrant2Max", "kvar"),
    7: ("reactiveDemandQuadrant3Max", "kvar"),
    8: ("reactiveDemandQuadrant4Max", "kvar"),
    9: ("apparentDemandImportMax", "kVA"),
    10: ("apparentDemandExportMax", "kVA"),
}
# Texts, last character first: name, bytes.
_TEXTS = {
    0x04000403: ("assetNumber", 32),
    0x04000404: ("ratedVoltage", 6),
    0x04000405: ("ratedCurrent", 6),
    0x04000406: ("maxCurrent", 6),
    0x04000407: ("accuracyClass", 4),
    0x04000408: ("accuracyClassReactive", 4),
    0x0400040B: ("meterModel", 10),
    0x0400040C: ("productionDate", 10),
    0x0400040D: ("protocolVersion", 16),
}
_NUMBERS = {0x04000401: "meterAddress", 0x04000402: "meterNumber", 0x0400040E: "customerNumber"}
_SETTLEMENT_DAYS = range(0x04000B01, 0x04000B04)


def decode_values(di: int, payload: bytes) -> list[Value]:
    """Read what stands behind a data identifier.

    Shape: a payload of another length than the standard's gives one INVALID value with all its
    bytes: cutting it up would shift every number behind the odd one.

    Raises: Unsupported for an identifier that is not in the table.
    """
    reader = _READERS.get(di) or _family(di)
    return decode_items(di, payload) if reader is None else reader(di, payload)


def number_behind(di: int) -> DataItem | None:
    """Give the one number behind an identifier, a demand's without its instant; None for all else."""
    _, kind, place, _ = di.to_bytes(4, "big")
    if _family(di) is _read_demand and place != 0xFF:
        name, unit = _DEMANDS[kind]
        return DataItem(di, name, 3, 4, unit)
    try:
        items = find_items(di)
    except Unsupported:
        return None
    return items[0] if len(items) == 1 else None


def freeze_instant_di(number: int) -> int:
    """Name the instant of the n-th last daily freeze."""
    return DAILY | number


def freeze_di(kind: int, number: int) -> int:
    """Name an energy, by the second byte of its own identifier, in the n-th last daily freeze."""
    return DAILY | kind << 8 | number


def _family(di: int) -> Callable[[int, bytes], list[Value]] | None:
    """Find the reader of an identifier that is one of many of its kind."""
    group, kind, place, number = di.to_bytes(4, "big")
    if group == 1 and kind in _DEMANDS and (place <= TARIFFS or place == 0xFF) and number <= SETTLEMENTS:
        return _read_demand
    if group == 5 and kind in _CAUSES and 1 <= number <= 0xFE and (place == 0 or place in _FROZEN):
        return _read_freeze if place else _read_freeze_instant
    if is_energy(di) and place == 0xFF and number <= SETTLEMENTS:
        return _read_tariffs
    return None


def digits_of(raw: bytes) -> str | None:
    """Print BCD bytes that stand low byte first; None where one is not BCD."""
    digits = raw[::-1].hex()
    return digits if digits.isdecimal() else None


def instant_of(raw: bytes) -> str | None:
    """Print YYMMDDhhmm as ISO 8601; None where the meter has none or sends none."""
    digits = digits_of(raw) if len(raw) == INSTANT_LENGTH else None
    if digits is None or not ("01" <= digits[2:4] <= "12" and "01" <= digits[4:6] <= "31"):
        return None
    if digits[6:8] > "23" or digits[8:10] > "59":
        return None
    return f"20{digits[:2]}-{digits[2:4]}-{digits[4:6]}T{digits[6:8]}:{digits[8:10]}"


def _text(name: str, di: int, raw: bytes, text: str | None) -> Value:
    """Give a text; None says that the bytes are none, all FF that the meter has none."""
    quality = Quality.GOOD
    if text is None:
        quality = Quality.NOT_AVAILABLE if raw and all(byte == 0xFF for byte in raw) else Quality.INVALID
    return Value(name, Quantity(None, "", quality), di, raw, text=text)


def _read_tariffs(di: int, payload: bytes) -> list[Value]:
    """Read a block of an energy: the total, and each tariff the meter has."""
    total = find_items(di)[0]
    count = len(payload) // 4
    if not payload or len(payload) % 4 or count > TARIFFS + 1:
        return [misfit(f"di{di:08X}", total.unit, di, payload)]
    values: list[Value] = []
    for tariff in range(count):
        values += decode_items(total.di | tariff << 8, payload[4 * tariff : 4 * tariff + 4])
    return values


def _read_demand(di: int, payload: bytes) -> list[Value]:
    """Read one maximum demand with its instant, or the total's and each tariff's of a block."""
    name, unit = _DEMANDS[di >> 16 & 0xFF]
    first, storage = di >> 8 & 0xFF, di & 0xFF
    is_block = first == 0xFF
    count = len(payload) // DEMAND_LENGTH
    if not payload or len(payload) % DEMAND_LENGTH or (count > TARIFFS + 1 if is_block else count != 1):
        return [misfit(name, unit, di, payload)]
    values = []
    for place in range(count):
        tariff = place if is_block else first
        raw = payload[DEMAND_LENGTH * place : DEMAND_LENGTH * (place + 1)]
        quantity = decode_bcd(raw[:3], decimals=4, unit=unit)
        label = f"{name}Tariff{tariff}" if tariff else name
        own = di & 0xFFFF0000 | tariff << 8 | storage
        values.append(Value(label, quantity, own, raw, at=instant_of(raw[3:]), tariff=tariff, storage=storage))
    return values


def _read_date(di: int, payload: bytes) -> list[Value]:
    digits = digits_of(payload[1:]) if len(payload) == _DATE_LENGTH else None  # the first byte is the weekday
    text = None if digits is None else f"20{digits[:2]}-{digits[2:4]}-{digits[4:]}"
    return [_text("meterDate", di, payload, text)]


def _read_time(di: int, payload: bytes) -> list[Value]:
    digits = digits_of(payload) if len(payload) == _TIME_LENGTH else None
    text = None if digits is None else f"{digits[:2]}:{digits[2:4]}:{digits[4:]}"
    return [_text("meterTime", di, payload, text)]


def _read_number(di: int, payload: bytes) -> list[Value]:
    return [_text(_NUMBERS[di], di, payload, digits_of(payload) if len(payload) == 6 else None)]


def _read_text(di: int, payload: bytes) -> list[Value]:
    name, length = _TEXTS[di]
    text = payload[::-1].decode("ascii", "replace").strip("\0 ")
    is_text = len(payload) == length and text.isascii() and text.isprintable()
    return [_text(name, di, payload, text if is_text else None)]


def _read_settlement_day(di: int, payload: bytes) -> list[Value]:
    """Read DDhh, the day and hour of the month at which a settlement is kept."""
    digits = digits_of(payload) if len(payload) == 2 else None
    return [_text(f"settlementDay{di & 0xFF}", di, payload, None if digits is None else f"{digits[:2]}T{digits[2:]}")]


def _read_status(di: int, payload: bytes) -> list[Value]:
    """Read one status word, or seven in the block."""
    first, count = (1, 7) if di & 0xFF == 0xFF else (di & 0xFF, 1)
    if len(payload) != 2 * count:
        return [_text(f"statusWord{first}", di, payload, None)]
    return [_status_word(di & ~0xFF | first + place, payload[2 * place : 2 * place + 2]) for place in range(count)]


def _status_word(di: int, raw: bytes) -> Value:
    number = di & 0xFF
    flags = status_flags(number, int.from_bytes(raw, "little"))
    return _text(f"statusWord{number}", di, raw, raw[::-1].hex().upper())._replace(flags=flags)


def _read_freeze(di: int, payload: bytes) -> list[Value]:
    """Read a frozen energy: the total, and each tariff the meter has."""
    name, unit, is_signed = _FROZEN[di >> 8 & 0xFF]
    suffix = f"{_CAUSES[di >> 16 & 0xFF].title()}Freeze"
    total = "Total" if unit == "kWh" else ""
    if not payload or len(payload) % 4 or len(payload) > 4 * (TARIFFS + 1):
        return [misfit(f"{name}{total}{suffix}", unit, di, payload)]
    values = []
    for tariff in range(len(payload) // 4):
        raw = payload[4 * tariff : 4 * tariff + 4]
        quantity = decode_bcd(raw, decimals=2, unit=unit, is_signed=is_signed)
        label = f"{name}Tariff{tariff}" if tariff else f"{name}{total}"
        values.append(Value(label + suffix, quantity, di, raw, tariff=tariff, storage=di & 0xFF))
    return values


def _read_freeze_instant(di: int, payload: bytes) -> list[Value]:
    name = f"{_CAUSES[di >> 16 & 0xFF]}FreezeTime"
    return [_text(name, di, payload, instant_of(payload))._replace(storage=di & 0xFF)]


_READERS: dict[int, Callable[[int, bytes], list[Value]]] = {
    DATE: _read_date,
    TIME: _read_time,
    **dict.fromkeys(_NUMBERS, _read_number),
    **dict.fromkeys(_TEXTS, _read_text),
    **dict.fromkeys(_SETTLEMENT_DAYS, _read_settlement_day),
    **dict.fromkeys((*STATUS_WORDS, 0x040005FF), _read_status),
}
