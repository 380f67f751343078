"""The fixed data structure of older meters: two counters, each with a unit of a list.

    | ID 4 | access | status | medium and units 2 | counter 1 4 | counter 2 4 |

Source: the M-Bus documentation 4.8, chapter 6.2, as rscada/libmbus has it.
"""

from typing import NamedTuple

from protocols.errors import LengthMismatch
from protocols.mbus.address import Secondary
from protocols.mbus.data import decode_bcd, decode_integer
from protocols.mbus.header import Header
from protocols.mbus.record import Record
from protocols.mbus.unit import METER_UNITS
from protocols.quantity import Quality, Quantity

_LENGTH = 16
_NO_MAKER, _NO_VERSION = 0xFFFF, 0xFF
_SAME_BUT_HISTORIC, _DIMENSIONLESS, _HEAT_COST = 0x3E, 0x3F, 0x39
# The four bits of medium that stand beside the units, as the later structure numbers them.
_MEDIA = {0: 0x00, 1: 0x01, 2: 0x02, 3: 0x03, 4: 0x04, 5: 0x05, 6: 0x06, 7: 0x07, 8: 0x08, 10: 0x03, 11: 0x04}


class _Said(NamedTuple):
    word: str
    unit: str
    exponent: int


def read_fixed(data: bytes, *, is_msb_first: bool = False) -> tuple[Header, tuple[Record, ...]]:
    """Read both counters.

    Raises: LengthMismatch.
    """
    if len(data) != _LENGTH:
        raise LengthMismatch(f"the fixed structure has {_LENGTH} bytes, not {len(data)}")
    identification, units, first, second = data[:4], data[6:8], data[8:12], data[12:]
    if is_msb_first:
        identification, first, second = identification[::-1], first[::-1], second[::-1]
    medium = units[0] >> 6 | units[1] >> 6 << 2
    own = Secondary(identification[::-1].hex().upper(), _NO_MAKER, _NO_VERSION, _MEDIA.get(medium, 0x0F))
    status = data[5]
    codes = (units[0] & 0x3F, units[1] & 0x3F)
    says = _said(codes[0])
    is_historic = codes[1] == _SAME_BUT_HISTORIC
    is_stored = bool(status & 0b10)
    records = (
        _counter(first, says, status, is_stored=is_stored, raw=units[:1] + data[8:12]),
        _counter(second, says if is_historic else _said(codes[1]), status, is_stored=True, raw=units[1:] + data[12:])
        if is_historic
        else _counter(second, _said(codes[1]), status, is_stored=is_stored, raw=units[1:] + data[12:], subunit=1),
    )
    # The two lowest bits say how the counters are written, not how the meter fares.
    return Header(own, data[4], status & 0b1111_1100), records


def _said(code: int) -> _Said:
    if code in METER_UNITS:
        unit = METER_UNITS[code]
        return _Said(unit.quantity, unit.unit, unit.exponent)
    return _Said("heat-cost-units" if code == _HEAT_COST else "dimensionless", "", 0)


def _counter(field: bytes, said: _Said, status: int, *, is_stored: bool, raw: bytes, subunit: int = 0) -> Record:
    datum = decode_integer(field, is_signed=False) if status & 1 else decode_bcd(field)
    value = None if datum.value is None else datum.value.scaleb(said.exponent)
    quality = datum.quality if value is None else Quality.GOOD
    return Record(
        function="instantaneous",
        storage=int(is_stored),
        tariff=0,
        subunit=subunit,
        quantity_word=said.word,
        quantity=Quantity(value, said.unit, quality),
        text=datum.text if value is None else None,
        qualifiers=(),
        vib="",
        raw=bytes(raw),
    )
