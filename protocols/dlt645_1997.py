"""DL/T 645-1997: the functions and data identifiers of the older meters; their frames are 2007's.

Identifiers have two bytes: 9010 is the forward total, its last digit the tariff (F for total and
tariffs in a block); 9410 is the last month's and 9810 that of the month before.

Source: the house's fact sheet, chapter 1.5; B611 as an answer in whole volts also in Heyuan's ASDU-LS manual,
chapter 9. Last months, demands and settlement days are general knowledge of the standard, which was not read.
"""

from decimal import Decimal

from protocols.bcd import decode_bcd
from protocols.dlt645 import READ_1997, READ_FOLLOW_1997, WRITE_1997, Frame, encode_address
from protocols.dlt645_item import DataItem, Value, encode_bcd_item, misfit
from protocols.dlt645_reader import digits_of
from protocols.errors import Unsupported
from protocols.quantity import Quality, Quantity

RE_READ, BROADCAST_TIME, WRITE_ADDRESS, CHANGE_BAUD, CHANGE_PASSWORD, CLEAR_DEMAND = 0x03, 0x08, 0x0A, 0x0C, 0x0F, 0x10
DATE, TIME, METER_NUMBER, CUSTOMER_NUMBER = 0xC010, 0xC011, 0xC030, 0xC032
_TARIFFS = 4
# What the upper digits of an energy say: name, unit, signed.
_ENERGIES = {
    0x901: ("energyImport", "kWh"),
    0x902: ("energyExport", "kWh"),
    0x911: ("reactiveImport", "kvarh"),
    0x912: ("reactiveExport", "kvarh"),
    0x913: ("reactiveQuadrant1", "kvarh"),
    0x914: ("reactiveQuadrant4", "kvarh"),
    0x915: ("reactiveQuadrant2", "kvarh"),
    0x916: ("reactiveQuadrant3", "kvarh"),
}
_DEMANDS = {
    0xA01: ("demandImportMax", "kW"),
    0xA02: ("demandExportMax", "kW"),
    0xA11: ("reactiveDemandImportMax", "kvar"),
    0xA12: ("reactiveDemandExportMax", "kvar"),
}
# The first digit but one: this month 0 or 1, the last month +4, the month before +8.
_MONTHS = {0: 0, 4: 1, 8: 2}
# name, first identifier, places (0 is the total), bytes, decimals, unit
_BY_PHASE = (
    ("voltage", 0xB610, (1, 2, 3), 2, 0, "V"),
    ("current", 0xB620, (1, 2, 3), 2, 2, "A"),
    ("power", 0xB630, (0, 1, 2, 3), 3, 4, "kW"),
    ("reactivePower", 0xB640, (0, 1, 2, 3), 2, 2, "kvar"),
    ("pf", 0xB650, (0, 1, 2, 3), 2, 3, ""),
)
_COUNTERS = ((0xB212, "programmingCount"), (0xB213, "demandClearCount"))


def _label(name: str, unit: str, tariff: int) -> str:
    return f"{name}Tariff{tariff}" if tariff else f"{name}Total" if unit == "kWh" else name


def _table() -> dict[int, tuple[DataItem, ...]]:
    table: dict[int, tuple[DataItem, ...]] = {}
    for upper, (name, unit) in _ENERGIES.items():
        for month in _MONTHS:
            first = (upper << 4) + (month << 8)
            block = tuple(
                DataItem(first | tariff, _label(name, unit, tariff), 4, 2, unit) for tariff in range(_TARIFFS + 1)
            )
            table |= {item.di: (item,) for item in block} | {first | 0xF: block}
    for upper, (name, unit) in _DEMANDS.items():
        for month in _MONTHS:
            first = (upper << 4) + (month << 8)
            block = tuple(
                DataItem(first | tariff, f"{name}Tariff{tariff}" if tariff else name, 3, 4, unit)
                for tariff in range(_TARIFFS + 1)
            )
            table |= {item.di: (item,) for item in block} | {first | 0xF: block}
    for name, first, places, length, decimals, unit in _BY_PHASE:
        total = "" if name == "pf" else "Total"
        block = tuple(
            DataItem(first | place, name + (f"L{place}" if place else total), length, decimals, unit)
            for place in places
        )
        table |= {item.di: (item,) for item in block} | {first | 0xF: block}
    table |= {di: (DataItem(di, name, 2, 0, ""),) for di, name in _COUNTERS}
    return table


ITEMS: dict[int, tuple[DataItem, ...]] = _table()


def storage_of(di: int) -> int:
    """Tell how many settlements ago an energy or a demand was kept, 0 for now."""
    return _MONTHS.get(di >> 8 & 0xC, 0) if di >> 12 in (9, 0xA) else 0


def read_request(address: str, di: int) -> Frame:
    """Ask a meter for one data identifier."""
    return Frame(address, READ_1997, di.to_bytes(2, "little"))


def follow_request(address: str, di: int) -> Frame:
    """Ask for the next part of an answer that said that more follows; the parts bear no numbers."""
    return Frame(address, READ_FOLLOW_1997, di.to_bytes(2, "little"))


def write_request(address: str, di: int, password: bytes, data: bytes) -> Frame:
    """Write what stands behind an identifier; ``password`` is its level and three BCD bytes, low first."""
    return Frame(address, WRITE_1997, di.to_bytes(2, "little") + password + data)


def write_address_request(address: str, new: str) -> Frame:
    """Give a meter another address."""
    return Frame(address, WRITE_ADDRESS, encode_address(new))


def decode_values(di: int, payload: bytes) -> list[Value]:
    """Read what stands behind a data identifier.

    Shape: a payload of another length gives one INVALID value with all its bytes.

    Raises: Unsupported for an identifier that is not in the table.
    """
    if di in (DATE, TIME, METER_NUMBER, CUSTOMER_NUMBER):
        return [_text(di, payload)]
    if di not in ITEMS:
        raise Unsupported(f"data identifier {di:04X} is not in the table of 1997")
    items = ITEMS[di]
    # An AA closes the tariffs of a block in some meters.
    if len(items) > 1 and len(payload) == sum(item.length for item in items) + 1 and payload[-1] == 0xAA:
        payload = payload[:-1]
    if len(payload) != sum(item.length for item in items):
        return [misfit(items[0].name if len(items) == 1 else f"di{di:04X}", items[0].unit, di, payload)]
    values, offset = [], 0
    for item in items:
        values.append(_number(item, payload[offset : offset + item.length]))
        offset += item.length
    return values


def encode_value(di: int, value: Decimal) -> bytes:
    """Write the payload of a single-number identifier; the simulator's side.

    Raises: Unsupported for an unknown identifier or a block, ValueError for a value that does not fit.
    """
    items = ITEMS.get(di, ())
    if len(items) != 1:
        raise Unsupported(f"data identifier {di:04X} is not one number of 1997")
    return encode_bcd_item(items[0], value)


def _number(item: DataItem, raw: bytes) -> Value:
    quantity = decode_bcd(raw, decimals=item.decimals, unit=item.unit, is_signed=item.is_signed)
    value = Value(item.name, quantity, item.di, raw)
    if item.di >> 12 in (9, 0xA):
        return value._replace(tariff=item.di & 0xF, storage=storage_of(item.di))
    return value


def _text(di: int, raw: bytes) -> Value:
    name, length = {
        DATE: ("meterDate", 4),
        TIME: ("meterTime", 3),
        METER_NUMBER: ("meterNumber", 6),
        CUSTOMER_NUMBER: ("customerNumber", 6),
    }[di]
    digits = digits_of(raw) if len(raw) == length else None
    if digits is None:
        quality = Quality.NOT_AVAILABLE if raw and all(byte == 0xFF for byte in raw) else Quality.INVALID
        return Value(name, Quantity(None, "", quality), di, raw)
    if di == DATE:
        # YYMMDD and the weekday, which stands first on the wire.
        digits = f"20{digits[:2]}-{digits[2:4]}-{digits[4:6]}"
    elif di == TIME:
        digits = f"{digits[:2]}:{digits[2:4]}:{digits[4:]}"
    return Value(name, Quantity(None, ""), di, raw, text=digits)
