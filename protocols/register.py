"""Numbers in Modbus registers.

Registers are 16 bits, high byte first. Where a number takes two or four of them the order is the
vendor's: ABCD as it stands, CDAB words swapped, BADC bytes swapped, DCBA both.

Source: the house's fact sheet, chapter 7.
"""

import struct
from collections.abc import Sequence
from decimal import Decimal

from protocols.errors import LengthMismatch, MalformedFrame, Unsupported
from protocols.quantity import decimal_from_float32

# type -> registers
TYPE_LENGTH = {
    "u16": 1, "i16": 1, "bcd16": 1,
    "u32": 2, "i32": 2, "f32": 2, "bcd32": 2,
    "u64": 4, "i64": 4, "f64": 4,
}  # fmt: skip
ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")

_WORDS_SWAPPED = frozenset(("CDAB", "DCBA"))
_BYTES_SWAPPED = frozenset(("BADC", "DCBA"))
# Compiled once: a poll decodes hundreds of these.
_HIGH_FIRST = {count: struct.Struct(f">{count}H") for count in (1, 2, 4)}
_LOW_FIRST = {count: struct.Struct(f"<{count}H") for count in (1, 2, 4)}
_NUMBERS = {
    "u16": struct.Struct(">H"), "i16": struct.Struct(">h"),
    "u32": struct.Struct(">I"), "i32": struct.Struct(">i"),
    "u64": struct.Struct(">Q"), "i64": struct.Struct(">q"),
    "f32": struct.Struct(">f"), "f64": struct.Struct(">d"),
}  # fmt: skip
_INFINITY = float("inf")


def decode_registers(words: Sequence[int], type_: str, order: str = "ABCD") -> Decimal | str | None:
    """Read a number, or with the type ``str`` a text, from registers.

    Shape: None for a float that is not a number; a text ends at its first NUL.

    Raises: LengthMismatch for too few or many registers, MalformedFrame for a bad BCD digit, Unsupported.
    """
    if type_ == "str":
        return _text(words, order)
    length = _length(type_)
    if len(words) != length:
        raise LengthMismatch(f"a {type_} has {length} registers, not {len(words)}")
    if length == 1 and order == "ABCD" and type_ == "u16":
        return Decimal(words[0])
    data = _layout(length, order).pack(*(words[::-1] if order in _WORDS_SWAPPED else words))
    if type_ in ("bcd16", "bcd32"):
        digits = data.hex()
        if not digits.isdecimal():
            raise MalformedFrame(f"{digits} is not BCD")
        return Decimal(digits)
    (value,) = _NUMBERS[type_].unpack(data)
    if type_ == "f32":
        return decimal_from_float32(value) if -_INFINITY < value < _INFINITY else None
    if type_ == "f64":
        return Decimal(repr(value)) if -_INFINITY < value < _INFINITY else None
    return Decimal(value)


def encode_registers(value: Decimal, type_: str, order: str = "ABCD") -> list[int]:
    """Write a number into registers; the simulator's side.

    Raises: ValueError for a value that does not fit, Unsupported.
    """
    length = _length(type_)
    words = _layout(length, order).unpack(_bytes(value, type_, length))
    return list(words[::-1] if order in _WORDS_SWAPPED else words)


def _length(type_: str) -> int:
    try:
        return TYPE_LENGTH[type_]
    except KeyError:
        raise Unsupported(f"register type {type_}") from None


def _layout(length: int, order: str) -> struct.Struct:
    if order not in ORDERS:
        raise Unsupported(f"register order {order}")
    return (_LOW_FIRST if order in _BYTES_SWAPPED else _HIGH_FIRST)[length]


def _text(words: Sequence[int], order: str) -> str:
    if order not in ORDERS:
        raise Unsupported(f"register order {order}")
    turned = words[::-1] if order in _WORDS_SWAPPED else words
    data = struct.pack(f"{'<' if order in _BYTES_SWAPPED else '>'}{len(turned)}H", *turned)
    return data.split(b"\0", 1)[0].decode("latin-1").strip()


def _bytes(value: Decimal, type_: str, length: int) -> bytes:
    """Lay a number out high byte first."""
    if type_ in ("f32", "f64"):
        try:
            return _NUMBERS[type_].pack(float(value))
        except OverflowError:
            raise ValueError(f"{value} does not fit {type_}") from None
    if value != value.to_integral_value():
        raise ValueError(f"{value} is not whole and {type_} is")
    number = int(value)
    if type_ in ("bcd16", "bcd32"):
        digits = f"{number:0{4 * length}d}"
        if number < 0 or len(digits) > 4 * length:
            raise ValueError(f"{value} does not fit {type_}")
        return bytes.fromhex(digits)
    try:
        return _NUMBERS[type_].pack(number)
    except struct.error:
        raise ValueError(f"{value} does not fit {type_}") from None
