"""The values of a block of registers, compiled once for each block of a device.

What a generic reading of a value costs (the order of words, the sentinels, the canonical unit, the
places kept) is settled when the block is compiled; what is left for each answer is one unpacking of
the whole block and the making of the decimals. Points of an unusual kind take the generic way.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any

from drivers.base import PointValue, kept
from drivers.profile import Point
from drivers.profile.modbus import Source
from protocols.errors import ProtocolError
from protocols.modbus import decode_registers
from protocols.quantity import Quality, Quantity, canonical
from protocols.register import wire_positions

_F32 = struct.Struct(">f")
# Between these a float32 has no more than eight places, and its text no exponent.
_LEAST_PLAIN, _MOST_PLAIN = 1.0, 1e6
_CODES = {"u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q", "f32": "f"}
_MOST = 10**12
_PLACES = 9

Values = Callable[[bytes, datetime], list[PointValue]]


def compile_values(points: Sequence[Point], first: int, width: int) -> Values:
    """Make the function that reads a block's answer.

    Shape: ``first`` is the block's first address, ``width`` the bytes of one (2 for a register, 1
    for a bit); the function takes the payload and the instant, and gives the points in their order.
    """
    layout = ">"
    end = 0
    slots: list[tuple[str, int, int, Callable[[Any, bytes], Quantity] | None, Point]] = []
    for point in points:
        source = source_of(point)
        start = width * (source.address - first)
        stop = start + width * source.count
        convert = _converter(point, source) if start >= end else None
        if convert is None:
            slots.append((point.name, start, stop, None, point))
            continue
        # A number in another order comes as its bytes, to be put in order first.
        code = _CODES[source.type] if is_plain(source) else f"{stop - start}s"
        layout += f"{start - end}x{code}"
        end = stop
        slots.append((point.name, start, stop, convert, point))
    unpack = struct.Struct(layout).unpack_from

    def values(payload: bytes, taken_at: datetime) -> list[PointValue]:
        numbers = iter(unpack(payload))
        found = []
        for name, start, stop, convert, point in slots:
            raw = payload[start:stop]
            quantity = kept(quantity_of(point, raw)) if convert is None else convert(next(numbers), raw)
            found.append(PointValue(name, quantity, taken_at, raw))
        return found

    return values


def source_of(point: Point) -> Source:
    """Give a point's place; its profile is one of a Modbus device."""
    assert isinstance(point.source, Source)
    return point.source


def quantity_of(point: Point, raw: bytes) -> Quantity:
    """Read one point in the profile's unit, whatever its type."""
    source, unit = source_of(point), point.unit
    if source.type == "bit":
        return Quantity(Decimal(raw[0] ^ source.is_inverted), unit)
    words = [raw[position] << 8 | raw[position + 1] for position in range(0, len(raw), 2)]
    try:
        value = decode_registers(words, source.type, source.order)
    except ProtocolError:
        return Quantity(None, unit, Quality.INVALID)
    if isinstance(value, Decimal) and source.mask is not None:
        value = Decimal((int(value) & source.mask) >> source.shift)
    if not isinstance(value, Decimal) or value in source.not_available:
        return Quantity(None, unit, Quality.NOT_AVAILABLE)
    return Quantity(value if source.scale == 1 else value * source.scale, unit)


def is_plain(source: Source) -> bool:
    """Tell whether a number stands on the wire as a struct reads it."""
    return (source.count == 1 and source.order in ("ABCD", "CDAB")) or source.order in ("ABCD", "ABCDEFGH")


def _converter(point: Point, source: Source) -> Callable[[Any, bytes], Quantity] | None:
    """Choose how a number becomes a quantity; None for a point that needs the generic way."""
    if source.type not in _CODES:
        return None
    if not is_plain(source):
        return _reordered(point, source)
    factor = canonical(Quantity(source.scale, point.unit)).value
    if factor is None:
        return None
    if source.type == "f32":
        return _float(point) if factor == 1 and not source.not_available else None
    sign, digits, exponent = factor.normalize().as_tuple()
    if sign or digits != (1,) or not isinstance(exponent, int) or exponent < -_PLACES:
        return None
    convert = _integer(point, source, exponent)
    if source.mask is not None:
        convert = _part(source, convert)
    return _known(point, source, convert) if source.not_available else convert


def _reordered(point: Point, source: Source) -> Callable[[Any, bytes], Quantity] | None:
    """Put the bytes in order and go on as with a number that came so."""
    straight = replace(source, order="ABCD")
    convert = _converter(replace(point, source=straight), straight)
    if convert is None:
        return None
    arranged, unpack = itemgetter(*wire_positions(source.count, source.order)), struct.Struct(f">{_CODES[source.type]}")

    def reordered(wire: bytes, raw: bytes) -> Quantity:
        data = bytes(arranged(wire))
        return convert(unpack.unpack(data)[0], data)

    return reordered


def _part(source: Source, convert: Callable[[int, bytes], Quantity]) -> Callable[[int, bytes], Quantity]:
    """Cut the point's bits out of its register."""
    mask, shift = source.mask or 0, source.shift
    return lambda number, raw: convert((number & mask) >> shift, raw)


def _known(point: Point, source: Source, convert: Callable[[int, bytes], Quantity]) -> Callable[[int, bytes], Quantity]:
    """Tell the numbers that stand for none."""
    none = Quantity(None, point.canonical_unit, Quality.NOT_AVAILABLE)
    mask, shift = source.mask, source.shift

    def known(number: int, raw: bytes) -> Quantity:
        told = number if mask is None else (number & mask) >> shift
        return none if told in source.not_available else convert(number, raw)

    return known


def _float(point: Point) -> Callable[[float, bytes], Quantity]:
    """Find the shortest decimal that packs to the same four bytes, as ``decimal_from_float32`` does."""
    unit, pack, quantity = point.canonical_unit, _F32.pack, Quantity

    def convert(number: float, raw: bytes) -> Quantity:
        if not (_LEAST_PLAIN <= number < _MOST_PLAIN or _LEAST_PLAIN <= -number < _MOST_PLAIN):
            return kept(quantity_of(point, raw))
        # If so many digits are enough, more are; two looks find the fewest of six to nine.
        text = f"{number:.7g}"
        if pack(float(text)) == raw:
            shorter = f"{number:.6g}"
            return quantity(Decimal(shorter if pack(float(shorter)) == raw else text), unit)
        text = f"{number:.8g}"
        return quantity(Decimal(text if pack(float(text)) == raw else f"{number:.9g}"), unit)

    return convert


def _integer(point: Point, source: Source, exponent: int) -> Callable[[int, bytes], Quantity]:
    """Move the decimal point; the places are those that a multiplication and ``kept`` would leave."""
    unit, quantity = point.canonical_unit, Quantity
    places = _places(point, source)
    up = 10 ** max(exponent + places, 0)
    down = Decimal(1).scaleb(-places)
    most = _MOST * 10**places // up

    def convert(number: int, raw: bytes) -> Quantity:
        if -most < number < most:
            return quantity(number * up * down, unit)
        return kept(quantity_of(point, raw))

    return convert


def _places(point: Point, source: Source) -> int:
    """Ask the generic way how many places a number of this point has."""
    value = kept(Quantity(source.scale, point.unit)).value
    assert value is not None
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return -exponent
