"""What a simulated DL/T 645-2007 meter has kept of its past: daily freezes and monthly settlements."""

from datetime import datetime, timedelta
from decimal import Decimal

from drivers.sim.model import Model
from protocols.bcd import encode_bcd
from protocols.dlt645 import ITEMS
from protocols.dlt645_reader import DAILY

DAYS_KEPT = 62
_MONTHS_KEPT = 12
_FROZEN = {1: "energyImport", 2: "energyExport"}
_TARIFFS = 4
_MODULUS = Decimal(10) ** 6


def past_payload(model: Model, di: int, at_ms: int, local: datetime) -> bytes:
    """Write what stands behind an identifier of the past; nothing where there is no such."""
    kind, number = di >> 8 & 0xFF, di & 0xFF
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if di & 0xFFFF0000 == DAILY and 1 <= number <= DAYS_KEPT:
        frozen = midnight - timedelta(days=number - 1)
        if kind == 0:
            return bytes.fromhex(f"{frozen:%M%H%d%m%y}")
        name = _FROZEN.get(kind)
        return b"" if name is None else _registers(model, name, _at(at_ms, local, frozen))
    live = ITEMS.get(di & ~0xFF)
    if live is not None and di >> 16 in _FROZEN and 1 <= number <= _MONTHS_KEPT:
        return _settled(model, [item.name for item in live], _at(at_ms, local, _month(midnight, number)))
    return b""


def _at(at_ms: int, local: datetime, then: datetime) -> int:
    return at_ms - int((local - then) / timedelta(milliseconds=1))


def _month(midnight: datetime, number: int) -> datetime:
    """Give the first midnight of the month that is ``number - 1`` months back."""
    month = midnight.year * 12 + midnight.month - number
    return midnight.replace(year=month // 12, month=month % 12 + 1, day=1)


def _registers(model: Model, name: str, at_ms: int) -> bytes:
    return _settled(model, [f"{name}Total", *(f"{name}Tariff{tariff}" for tariff in range(1, _TARIFFS + 1))], at_ms)


def _settled(model: Model, names: list[str], at_ms: int) -> bytes:
    values = model.values(at_ms)
    payload = b""
    for name in names:
        value = values.get(name)
        if not isinstance(value, Decimal):
            return b""
        payload += encode_bcd(value % _MODULUS, 4, decimals=2)
    return payload
