"""Readings of one series packed into a few bytes each, with what proves them: batch and number.

A block holds readings in the order of (instant, batch, number), which is the same however they came:
columns at, mantissa, exponent, quality, batch, seq. A reading without a value has the mantissa 0 and
bit 7 of its quality set. Layout of packed columns, integers little-endian:

    0  u8   1 where the rest is a zstd frame, else 0
    1  u32  count of rows
    5  each column:

        u8      bytes of a residual: 0 (all are 0), 1, 2, 4 or 8; 255 where 8 are too few
        varint  first value
        varint  step, of a smooth column: the first difference
        ...     count residuals: differences (of a smooth column differences of differences)

Varints and residuals have their sign in the lowest bit. A column of 255 is u32 length and its values as
text, with commas.
"""

from array import array
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields
from itertools import accumulate
from operator import sub
from struct import Struct

import zstandard

NO_VALUE = 0x80

_HEAD = Struct("<I")
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_TEXT = 255
_SMALL = 200  # bytes; a frame of zstd would not make them fewer
_LEVEL = 6


@dataclass(slots=True)
class Block:
    """Readings as columns of one length."""

    at: Sequence[int] = field(default_factory=list)
    mantissa: Sequence[int] = field(default_factory=list)
    exponent: Sequence[int] = field(default_factory=list)
    quality: Sequence[int] = field(default_factory=list)
    batch: Sequence[int] = field(default_factory=list)
    seq: Sequence[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.at)


_NAMES = tuple(each.name for each in fields(Block))
_SMOOTH = frozenset({_NAMES.index("at"), _NAMES.index("seq")})


def pack(block: Block) -> bytes:
    """Pack a block.

    Raises: ValueError for an empty one.
    """
    return pack_columns([getattr(block, name) for name in _NAMES], _SMOOTH)


def unpack(body: bytes, *wanted: str) -> Block:
    """Unpack a block, or the columns of it that are wanted; the others stay empty."""
    places = [_NAMES.index(name) for name in wanted] if wanted else range(len(_NAMES))
    return Block(*unpack_columns(body, len(_NAMES), _SMOOTH, places))


def pack_columns(columns: Sequence[Sequence[int]], smooth: Collection[int]) -> bytes:
    """Pack columns of one length; those at the ``smooth`` places grow by about the same step.

    Raises: ValueError for columns without a row.
    """
    if not len(columns[0]):
        raise ValueError("there is nothing to pack")
    parts = [_pack_column(column, place in smooth) for place, column in enumerate(columns)]
    body = _HEAD.pack(len(columns[0])) + b"".join(parts)
    if len(body) < _SMALL:
        return b"\0" + body
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(body)
    return b"\1" + packed if len(packed) < len(body) else b"\0" + body


def unpack_columns(body: bytes, count: int, smooth: Collection[int], wanted: Collection[int]) -> list[Sequence[int]]:
    """Unpack the columns at the ``wanted`` places of ``count``; the others are empty."""
    data = zstandard.ZstdDecompressor().decompress(body[1:]) if body[0] else body[1:]
    (rows,) = _HEAD.unpack_from(data)
    columns: list[Sequence[int]] = []
    offset = _HEAD.size
    for place in range(count):
        width = data[offset]
        if width == _TEXT:
            (length,) = _HEAD.unpack_from(data, offset + 1)
            offset += 1 + _HEAD.size + length
            columns.append([int(value) for value in data[offset - length : offset].split(b",")])
            continue
        first, offset = _read_varint(data, offset + 1)
        step, offset = _read_varint(data, offset) if place in smooth else (0, offset)
        end = offset + width * rows
        is_wanted = place in wanted
        columns.append(_unpack_column(data[offset:end], rows, width, first, step, place in smooth) if is_wanted else ())
        offset = end
    return columns


def merged(blocks: Iterable[Block]) -> Block:
    """Join blocks into one, in order, each reading once."""
    rows = sorted({row for each in blocks for row in _rows(each)})
    if not rows:
        return Block()
    at, batch, seq, mantissa, exponent, quality = (list(column) for column in zip(*rows, strict=True))
    return Block(at, mantissa, exponent, quality, batch, seq)


def _rows(block: Block) -> Iterable[tuple[int, ...]]:
    return zip(block.at, block.batch, block.seq, block.mantissa, block.exponent, block.quality, strict=True)


def _pack_column(values: Sequence[int], is_smooth: bool) -> bytes:
    first = values[0]
    residuals = [0, *map(sub, values[1:], values)]
    step = 0
    if is_smooth and len(values) > 1:
        step = residuals[1]
        residuals = [0, 0, *map(sub, residuals[2:], residuals[1:])]
    folded = [_folded(value) for value in residuals] if any(residuals) else [0]
    most = max(folded)
    if most >> 64:
        text = ",".join(map(str, values)).encode()
        return bytes([_TEXT]) + _HEAD.pack(len(text)) + text
    width = 0 if not most else next(size for size in _CODES if most < 1 << 8 * size)
    head = bytes([width]) + _varint(first) + (_varint(step) if is_smooth else b"")
    return head + (array(_CODES[width], folded).tobytes() if width else b"")


def _unpack_column(residuals: bytes, count: int, width: int, first: int, step: int, is_smooth: bool) -> Sequence[int]:
    if not width:
        return range(first, first + step * count, step) if step else [first] * count
    differences: Iterable[int] = [(value >> 1) ^ -(value & 1) for value in array(_CODES[width], residuals)]
    if is_smooth:
        differences = list(accumulate(differences))
        differences = [0, *(step + each for each in differences[1:])]
    found = list(accumulate(differences))
    return [first + each for each in found] if first else found


def _folded(value: int) -> int:
    return value << 1 if value >= 0 else ~(value << 1)


def _varint(value: int) -> bytes:
    left, found = _folded(value), bytearray()
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    found.append(left)
    return bytes(found)


def _read_varint(data: bytes, offset: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = data[offset]
        offset += 1
        found |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (found >> 1) ^ -(found & 1), offset
