"""Readings of one series packed into a few bytes each, with what proves them: batch and number.

A block holds readings in the order of (instant, batch, number), which is the same however they came.
Layout, integers little-endian:

    0  u8   1 where the rest is a zstd frame, else 0
    1  u32  count of readings
    5  six columns: at, mantissa, exponent, quality, batch, seq, each

        u8      bytes of a residual: 0 (all are 0), 1, 2, 4 or 8
        varint  first value
        varint  step, for at and seq: the first difference
        ...     count residuals: differences (of differences for at and seq)

Varints and residuals have their sign in the lowest bit. A reading without a value has the mantissa 0 and bit 7 of its quality set.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from itertools import accumulate
from operator import sub
from struct import Struct

import zstandard

NO_VALUE = 0x80

_HEAD = Struct("<I")
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
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
_SMOOTH = frozenset({"at", "seq"})  # they grow by the same step, mostly


def pack(block: Block) -> bytes:
    """Pack a block.

    Raises: ValueError for an empty one.
    """
    if not len(block):
        raise ValueError("a block holds one reading at least")
    body = _HEAD.pack(len(block)) + b"".join(_pack_column(getattr(block, name), name in _SMOOTH) for name in _NAMES)
    if len(body) < _SMALL:
        return b"\0" + body
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(body)
    return b"\1" + packed if len(packed) < len(body) else b"\0" + body


def unpack(body: bytes, *wanted: str) -> Block:
    """Unpack a block, or the columns of it that are wanted; the others stay empty."""
    data = zstandard.ZstdDecompressor().decompress(body[1:]) if body[0] else body[1:]
    (count,) = _HEAD.unpack_from(data)
    found = Block()
    offset = _HEAD.size
    for name in _NAMES:
        width = data[offset]
        first, offset = _read_varint(data, offset + 1)
        step, offset = _read_varint(data, offset) if name in _SMOOTH else (0, offset)
        if not wanted or name in wanted:
            residuals = data[offset : offset + width * count]
            setattr(found, name, _unpack_column(residuals, count, width, first, step, name in _SMOOTH))
        offset += width * count
    return found


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
    width = 0 if not most else next(size for size in _CODES if most < 1 << 8 * size)
    head = bytes([width]) + _varint(first) + (_varint(step) if is_smooth else b"")
    return head + (array(_CODES[width], folded).tobytes() if width else b"")


def _unpack_column(
    residuals: bytes, count: int, width: int, first: int, step: int, is_smooth: bool
) -> Sequence[int]:
    if not width:
        return range(first, first + step * count, step) if step else [first] * count
    differences: Iterable[int] = [(value >> 1) ^ -(value & 1) for value in array(_CODES[width], residuals)]
    if is_smooth:
        differences = list(accumulate(differences))
        differences = [0, *(step + each for each in differences[1:])]
    found = list(accumulate(differences))
    return [first + each for each in found] if first else found


def _folded(value: int) -> int:
    return (value << 1) ^ (value >> 63)


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
