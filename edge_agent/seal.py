"""Checksums of what the store keeps: SQLite has none in its main file, and a flipped bit would be read as a value.

A row without one was stored by a version before; it is believed if its parts are of the right kind.
"""

import struct
from collections.abc import Sequence
from itertools import repeat
from zlib import crc32

# lane, seq, series id, instant, mantissa, exponent, quality; the last tells which of them are absent.
_NUMBERS = struct.Struct("<bqqqqbbb").pack
_VALUED = struct.Struct("<bqqqqbbx").pack  # the same where nothing is absent
_NO_SERIES, _NO_VALUE = 1, 2
_BITS = 0x7FFFFFFF  # SQLite keeps them in four bytes


def seal_record(
    lane: int,
    seq: int,
    series_id: int | None,
    at: int,
    mantissa: int | None,
    exponent: int | None,
    quality: int | None,
    raw: bytes | None,
    event: str | None,
) -> int:
    """Give the checksum of a record's row; 0 for what the table refuses anyway."""
    if series_id is not None:
        if exponent is None or quality is None or event is not None:
            return 0
        return seal_reading(lane, seq, series_id, at, mantissa, exponent, quality, raw or b"")
    if event is None or any(part is not None for part in (mantissa, exponent, quality, raw)):
        return 0
    try:
        found = crc32(_NUMBERS(lane, seq, 0, at, 0, 0, 0, _NO_SERIES))
    except struct.error:
        return 0
    return crc32(event.encode(), found) & _BITS


def seal_reading(
    lane: int, seq: int, series_id: int, at: int, mantissa: int | None, exponent: int, quality: int, raw: bytes
) -> int:
    """Give the checksum of a reading's row; 0 for what the table refuses anyway."""
    try:
        if mantissa is None:
            found = crc32(_NUMBERS(lane, seq, series_id, at, 0, exponent, quality, _NO_VALUE))
        else:
            found = crc32(_NUMBERS(lane, seq, series_id, at, mantissa, exponent, quality, 0))
    except struct.error:
        return 0
    return (crc32(raw, found) if raw else found) & _BITS


def seal_plain(
    lane: int,
    seqs: Sequence[int],
    keys: Sequence[int],
    stamps: Sequence[int],
    mantissas: Sequence[int],
    exponents: Sequence[int],
    qualities: Sequence[int],
) -> list[int]:
    """Give ``seal_reading`` of each of many readings that have a value and no raw bytes, a column at a time."""
    rows = map(_VALUED, repeat(lane), seqs, keys, stamps, mantissas, exponents, qualities)
    try:
        return [found & _BITS for found in map(crc32, rows)]
    except struct.error:  # one of them is nothing that the table takes
        each = map(seal_reading, repeat(lane), seqs, keys, stamps, mantissas, exponents, qualities, repeat(b""))
        return list(each)


def seal_texts(*parts: object) -> int:
    """Give the checksum of a row of names and numbers."""
    return crc32("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")) & _BITS
