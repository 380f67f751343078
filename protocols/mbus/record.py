"""One record of a variable data structure: DIF, DIFEs, VIF, VIFEs, data.

    | DIF | DIFE 0..10 | VIF | VIFE 0..10 | plain text | LVAR | data |

Source: EN 13757-3 as public implementations have it (rscada/libmbus, ganehag/pyMeterBus).
"""

from dataclasses import dataclass
from decimal import Decimal

from protocols.errors import LengthMismatch, ProtocolError, TruncatedFrame, Unsupported
from protocols.mbus import data as types
from protocols.mbus.data import Datum
from protocols.mbus.vif import FB, FD, PRIMARY, Vif
from protocols.mbus.vife import Meaning, combine
from protocols.quantity import Quality, Quantity

FUNCTIONS = ("instantaneous", "maximum", "minimum", "error")
_MOST_EXTENSIONS = 10
_EXTENDED = 0x80
# Bytes of data by the coding in the DIF's low nibble; None where the data say it themselves.
_LENGTHS = (0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, None, 6)
_SELECTION, _VARIABLE, _REAL = 0x8, 0xD, 0x5
_BCD = (0x9, 0xA, 0xB, 0xC, 0xE)
_TABLES = {0xFB: FB, 0xFD: FD}
_PLAIN_TEXT = 0x7C
# Twenty digits hold a 64-bit integer; a factor of five more is still exact in a Decimal.
_MOST_DIGITS = 20
# Data the field's length of which is not a number of F0 + bytes: EN 13757-3:2013 has long binaries here.
_LONG_BINARY = {**{0xF0 + step: 16 + 4 * step for step in range(5)}, 0xF5: 48, 0xF6: 64}


@dataclass(frozen=True, slots=True)
class Record:
    """One value.

    Shape: ``function`` a word of FUNCTIONS; ``quantity_word`` what it is (``energy``);
    ``qualifiers`` what extensions say beside; ``text`` where it is no number (a date, a name);
    ``vib`` the whole value information block in hex, for what no word fits; ``raw`` all its bytes.
    """

    function: str
    storage: int
    tariff: int
    subunit: int
    quantity_word: str
    quantity: Quantity
    text: str | None
    qualifiers: tuple[str, ...]
    vib: str
    raw: bytes


class Reader:
    """Bytes taken one after another; too few of them are a TruncatedFrame."""

    def __init__(self, data: bytes, *, is_msb_first: bool = False) -> None:
        self.data = data
        self.place = 0
        self.is_msb_first = is_msb_first

    def __bool__(self) -> bool:
        return self.place < len(self.data)

    def byte(self) -> int:
        return self.take(1)[0]

    def take(self, count: int) -> bytes:
        piece = self.data[self.place : self.place + count]
        if len(piece) < count:
            raise TruncatedFrame(f"a record is cut short ({len(piece)} of {count} bytes)")
        self.place += count
        return piece

    def field(self, count: int) -> bytes:
        """Take a number's bytes and give them low byte first."""
        return self.take(count)[::-1] if self.is_msb_first else self.take(count)


def read_record(reader: Reader) -> Record:
    """Take one record.

    Raises: ProtocolError where it is damaged; nothing behind it can be read then.
    """
    start = reader.place
    dif = reader.byte()
    storage, tariff, subunit = _dib(reader, dif)
    began = reader.place
    meaning, plain = _vib(reader)
    vib = reader.data[began : reader.place].hex().upper()
    datum = _datum(reader, dif & 0xF, meaning.vif.form)
    quantity = _quantity(datum, meaning)
    return Record(
        function=FUNCTIONS[dif >> 4 & 0b11],
        storage=storage,
        tariff=tariff,
        subunit=subunit,
        quantity_word=meaning.vif.quantity,
        quantity=quantity if plain is None else quantity._replace(unit=plain),
        text=datum.text if quantity.value is None else None,
        qualifiers=meaning.qualifiers,
        vib=vib,
        raw=bytes(reader.data[start : reader.place]),
    )


def _dib(reader: Reader, dif: int) -> tuple[int, int, int]:
    """Read the extensions of a DIF: storage, tariff and subunit, four, two and one bit at a time."""
    storage, tariff, subunit = dif >> 6 & 1, 0, 0
    extension, count = dif, 0
    while extension & _EXTENDED:
        if count == _MOST_EXTENSIONS:
            raise LengthMismatch(f"a record has more than {_MOST_EXTENSIONS} DIFEs")
        extension = reader.byte()
        storage |= (extension & 0xF) << 1 + 4 * count
        tariff |= (extension >> 4 & 0b11) << 2 * count
        subunit |= (extension >> 6 & 1) << count
        count += 1
    return storage, tariff, subunit


def _vib(reader: Reader) -> tuple[Meaning, str | None]:
    """Read what the value is, and its unit where the meter writes that as a text."""
    code = reader.byte()
    if code & 0x7F == _PLAIN_TEXT:
        text, extensions = _plain_text(reader, code)
        return combine(Vif("plain-text"), extensions), text
    if code in _TABLES:
        follower = reader.byte()
        vif = _TABLES[code].get(follower & 0x7F)
        extensions = _extensions(reader, follower)
        return combine(vif or Vif("reserved", form="flags"), extensions), None
    vif = PRIMARY.get(code & 0x7F)
    return combine(vif or Vif("reserved", form="flags"), _extensions(reader, code)), None


def _extensions(reader: Reader, code: int) -> list[int]:
    found: list[int] = []
    while code & _EXTENDED:
        if len(found) == _MOST_EXTENSIONS:
            raise LengthMismatch(f"a record has more than {_MOST_EXTENSIONS} VIFEs")
        code = reader.byte()
        found.append(code & 0x7F)
    return found


def _plain_text(reader: Reader, code: int) -> tuple[str, list[int]]:
    """Read a unit as text: behind the VIFEs as the standard has it, or before them as some meters do."""
    place = reader.place
    try:
        extensions = _extensions(reader, code)
        return _label(reader), extensions
    except ProtocolError:
        if not code & _EXTENDED:
            raise
        reader.place = place
    text = _label(reader)
    return text, _extensions(reader, code)


def _label(reader: Reader) -> str:
    text = reader.take(reader.byte())[::-1].decode("latin-1")
    if not text.isprintable():
        raise Unsupported("a unit given as text holds what is no letter")
    return text


def _datum(reader: Reader, coding: int, form: str) -> Datum:
    if coding >= len(_LENGTHS):
        raise Unsupported("a DIF of a special function where a value should be")
    length = _LENGTHS[coding]
    if length is None:
        return _variable(reader, form)
    if length == 0:
        return Datum(text="" if coding == _SELECTION else None, quality=Quality.NOT_AVAILABLE)
    field = reader.field(length)
    if coding == _REAL and form != "time":
        return types.decode_real(field)
    if coding in _BCD:
        return types.decode_identification(field) if form == "name" else types.decode_bcd(field)
    if form == "time":
        return types.decode_time(field)
    return types.decode_integer(field, is_signed=form == "number")


def _variable(reader: Reader, form: str) -> Datum:
    """Read data whose first byte, LVAR, says how many and of which type they are."""
    kind = reader.byte()
    if kind < 0xC0:
        return types.decode_text(reader.take(kind))
    if kind < 0xE0:
        return types.decode_bcd(reader.field(kind & 0xF), is_negative=kind >= 0xD0)
    if kind < 0xF0:
        field = reader.field(kind & 0xF)
        if form == "time":
            return types.decode_time(field)
        return types.decode_integer(field, is_signed=form == "number") if len(field) <= 8 else Datum(text=field.hex())
    if kind not in _LONG_BINARY:
        raise Unsupported(f"variable data of type {kind:02X}")
    return Datum(text=reader.take(_LONG_BINARY[kind]).hex())


def _quantity(datum: Datum, meaning: Meaning) -> Quantity:
    """Scale a number; where the block says that there is none, its bytes count for nothing."""
    vif = meaning.vif
    if meaning.quality in (Quality.NOT_AVAILABLE, Quality.INVALID):
        return Quantity(None, vif.unit, meaning.quality)
    if datum.value is None:
        return Quantity(None, vif.unit, datum.quality)
    quality = meaning.quality if datum.quality is Quality.GOOD else datum.quality
    value = _scaled(datum.value, vif.factor, meaning.exponent)
    return Quantity(value, vif.unit, Quality.INVALID if value is None else quality)


def _scaled(number: Decimal, factor: int, exponent: int) -> Decimal | None:
    """Give the number in its unit, exactly; none where it is beyond all that a meter counts."""
    if len(number.as_tuple().digits) > _MOST_DIGITS or number.adjusted() + exponent > _MOST_DIGITS:
        return None
    value = (number * factor).scaleb(exponent)
    # 15 * 10 ** 4 is 150000 and not 1.5E+5: a positive exponent only stands for zeros.
    places = value.as_tuple().exponent
    return value.quantize(Decimal(1)) if isinstance(places, int) and places > 0 else value


def encode_record(
    vib: str, number: int, length: int = 4, *, storage: int = 0, tariff: int = 0, subunit: int = 0, function: int = 0
) -> bytes:
    """Write one record with a binary number; the simulator's side."""
    codings = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 8: 7}
    dib = [codings[length] | function << 4 | (storage & 1) << 6]
    storage >>= 1
    while storage or tariff or subunit:
        dib[-1] |= _EXTENDED
        dib.append(storage & 0xF | (tariff & 0b11) << 4 | (subunit & 1) << 6)
        storage, tariff, subunit = storage >> 4, tariff >> 2, subunit >> 1
    return bytes(dib) + bytes.fromhex(vib) + number.to_bytes(length, "little", signed=number < 0)
