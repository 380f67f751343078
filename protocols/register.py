"""Numbers in Modbus registers.

Registers are 16 bits, high byte first. Where a number takes several of them the order is the
vendor's: ABCD as it stands, CDAB all words swapped, BADC bytes swapped, DCBA both. Numbers of four
registers have four more orders; they are named by all eight letters, A the highest byte, in the
order in which the wire carries them.

``mod10k`` numbers carry four decimal digits a register, as Schneider's "MOD10" energies do.

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
    "u32": 2, "i32": 2, "f32": 2, "bcd32": 2, "mod10k2": 2,
    "u48": 3, "i48": 3, "bcd48": 3, "mod10k3": 3,
    "u64": 4, "i64": 4, "f64": 4, "bcd64": 4, "mod10k4": 4,
}  # fmt: skip
ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
# The first four are the short names written out.
LONG_ORDERS = (
    "ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "EFGHABCD", "CDABGHEF", "FEHGBADC", "DCBAHGFE",
)  # fmt: skip
_LONG = 4  # registers

# How the words stand: all turned round, the halves turned round, or the words of each half.
_TURNED = frozenset(("CDAB", "DCBA", "GHEFCDAB", "HGFEDCBA"))
_HALVES_TURNED = frozenset(("EFGHABCD", "FEHGBADC"))
_PAIRS_TURNED = frozenset(("CDABGHEF", "DCBAHGFE"))
_BYTES_SWAPPED = frozenset(("BADC", "DCBA", "BADCFEHG", "HGFEDCBA", "FEHGBADC", "DCBAHGFE"))
# Compiled once: a poll decodes hundreds of these.
_HIGH_FIRST = {count: struct.Struct(f">{count}H") for count in range(1, 5)}
_LOW_FIRST = {count: struct.Struct(f"<{count}H") for count in range(1, 5)}
_NUMBERS = {
    "u16": struct.Struct(">H"), "i16": struct.Struct(">h"),
    "u32": struct.Struct(">I"), "i32": struct.Struct(">i"),
    "u64": struct.Struct(">Q"), "i64": struct.Struct(">q"),
    "f32": struct.Struct(">f"), "f64": struct.Struct(">d"),
}  # fmt: skip
_INFINITY = float("inf")
_MODULUS = 10_000


def decode_registers(words: Sequence[int], type_: str, order: str = "ABCD") -> Decimal | str | None:
    """Read a number, or with the type ``str`` a text, from registers.

    Shape: None for a float that is not a number; a text ends at its first NUL.

    Raises: LengthMismatch for too few or many registers, MalformedFrame for a bad digit, Unsupported.
    """
    if type_ == "str":
        return _text(words, order)
    length = _length(type_)
    if len(words) != length:
        raise LengthMismatch(f"a {type_} has {length} registers, not {len(words)}")
    if length == 1 and order == "ABCD" and type_ == "u16":
        return Decimal(words[0])
    data = _layout(length, order).pack(*_arranged(words, order))
    if (codec := _NUMBERS.get(type_)) is None:
        return Decimal(_unusual(data, type_))
    (value,) = codec.unpack(data)
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
    # Each arrangement of the words is its own inverse.
    return list(_arranged(_layout(length, order).unpack(_bytes(value, type_, length)), order))


def wire_positions(count: int, order: str) -> tuple[int, ...]:
    """Say at which byte of the wire each byte of a number of ``count`` registers stands, the highest first.

    Raises: Unsupported.
    """
    words = _HIGH_FIRST[count].unpack(bytes(range(2 * count)))
    return tuple(_layout(count, order).pack(*_arranged(words, order)))


def largest(type_: str) -> int:
    """Give the largest whole number of a type; the least of a signed one is its negative less one.

    Raises: Unsupported for a float.
    """
    length = _length(type_)
    if type_.startswith(("bcd", "mod10k")):
        return int(10 ** (4 * length)) - 1
    if type_ in ("f32", "f64"):
        raise Unsupported(f"register type {type_} as a whole number")
    return (1 << 16 * length - (type_[0] == "i")) - 1


def _length(type_: str) -> int:
    try:
        return TYPE_LENGTH[type_]
    except KeyError:
        raise Unsupported(f"register type {type_}") from None


def _layout(length: int, order: str) -> struct.Struct:
    if order not in ORDERS and not (order in LONG_ORDERS and length == _LONG):
        raise Unsupported(f"register order {order}")
    return (_LOW_FIRST if order in _BYTES_SWAPPED else _HIGH_FIRST)[length]


def _arranged(words: Sequence[int], order: str) -> Sequence[int]:
    """Put the words of one side into the other side's places."""
    if order == "ABCD":
        return words
    if order in _TURNED:
        return words[::-1]
    if order in _HALVES_TURNED:
        return [words[2], words[3], words[0], words[1]]
    if order in _PAIRS_TURNED:
        return [words[1], words[0], words[3], words[2]]
    return words


def _text(words: Sequence[int], order: str) -> str:
    if order not in ORDERS:
        raise Unsupported(f"register order {order}")
    turned = _arranged(words, order)
    data = struct.pack(f"{'<' if order in _BYTES_SWAPPED else '>'}{len(turned)}H", *turned)
    return data.split(b"\0", 1)[0].decode("latin-1").strip()


def _unusual(data: bytes, type_: str) -> int:
    """Read a number that no struct reads."""
    if type_ in ("u48", "i48"):
        return int.from_bytes(data, "big", signed=type_ == "i48")
    if type_.startswith("bcd"):
        digits = data.hex()
        if not digits.isdecimal():
            raise MalformedFrame(f"{digits} is not BCD")
        return int(digits)
    value = 0
    for word in _HIGH_FIRST[len(data) // 2].unpack(data):
        if word >= _MODULUS:
            raise MalformedFrame(f"a register of a {type_} holds at most {_MODULUS - 1}, not {word}")
        value = value * _MODULUS + word
    return value


def _bytes(value: Decimal, type_: str, length: int) -> bytes:
    """Lay a number out high byte first."""
    if type_ in ("f32", "f64"):
        try:
            return _NUMBERS[type_].pack(float(value))
        except OverflowError:
            raise ValueError(f"{value} does not fit {type_}") from None
    if value != value.to_integral_value():
        raise ValueError(f"{value} is not whole and {type_} is")
    number, most = int(value), largest(type_)
    if not (-most - 1 if type_[0] == "i" else 0) <= number <= most:
        raise ValueError(f"{value} does not fit {type_}")
    if type_.startswith("bcd"):
        return bytes.fromhex(f"{number:0{4 * length}d}")
    if type_.startswith("mod10k"):
        digits = f"{number:0{4 * length}d}"
        words = [int(digits[start : start + 4]) for start in range(0, 4 * length, 4)]
        return _HIGH_FIRST[length].pack(*words)
    return number.to_bytes(2 * length, "big", signed=type_[0] == "i")
