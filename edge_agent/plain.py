"""Plain readings, a number and nothing else: as columns, from the records to the statement that stores them.

Nearly every reading is one. A column at a time costs half of what a row at a time does, and one statement for a
hundred rows less than a hundred statements.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from edge_agent.seal import seal_plain
from protocols.quantity import MANTISSA_LIMIT, Quality, scaled_of
from protocols.record import Lane, Reading, Record, Series

_SERIES, _AT, _VALUE, _QUALITY, _RAW = map(itemgetter, range(5))
_KNOWN = 32_768  # texts, of about 200 bytes each with what they stand for
_BLOCK = 100  # rows; more to a statement gain nothing
_INTO = "INSERT INTO record (lane, seq, series_id, at, mantissa, exponent, quality, seal) VALUES "


class Plain(NamedTuple):
    """Columns of plain readings, each as long as the others; ``codes`` are qualities."""

    seqs: Sequence[int]
    keys: Sequence[int]
    stamps: Sequence[int]
    mantissas: Sequence[int]
    exponents: Sequence[int]
    codes: Sequence[int]
    seals: Sequence[int]


class _Scaled(dict[str, tuple[int, int] | None]):
    """Numbers by their text, split as a reading keeps them; None for one that it cannot keep.

    Most meters say what they said a minute ago, and to look that up costs a tenth of splitting it.
    """

    def __missing__(self, text: str) -> tuple[int, int] | None:
        try:
            pair: tuple[int, int] | None = scaled_of(text)
        except ValueError:
            pair = None
        if len(self) >= _KNOWN:
            self.clear()
        self[text] = pair
        return pair


_scaled = _Scaled().__getitem__


def is_plain(record: Record) -> bool:
    """Tell whether a record is a number and nothing else."""
    return (
        isinstance(record, Reading)
        and not record.raw
        and -MANTISSA_LIMIT < record.taken_at < MANTISSA_LIMIT
        and _scaled(str(record.value)) is not None
    )


def plain_of(
    lane: int, seqs: Sequence[int], records: Sequence[Record], series_ids: Mapping[Series, int]
) -> Plain | None:
    """Lay readings out as columns; None where one of the records is not plain."""
    if set(map(type, records)) != {Reading} or any(map(_RAW, records)):
        return None
    stamps = list(map(_AT, records))
    scaled = [pair for pair in map(_scaled, map(str, map(_VALUE, records))) if pair]
    if len(scaled) != len(records) or min(stamps) <= -MANTISSA_LIMIT or max(stamps) >= MANTISSA_LIMIT:
        return None
    mantissas, exponents = [pair[0] for pair in scaled], [pair[1] for pair in scaled]
    keys = list(map(series_ids.__getitem__, map(_SERIES, records)))
    qualities = list(map(_QUALITY, records))
    is_good = qualities.count(Quality.GOOD) == len(qualities)
    codes = [0] * len(qualities) if is_good else list(map(int, qualities))
    seals = seal_plain(lane, seqs, keys, stamps, mantissas, exponents, codes)
    return Plain(seqs, keys, stamps, mantissas, exponents, codes, seals)


def insert_plain(connection: sqlite3.Connection, lane: int, plain: Plain) -> None:
    """Store plain readings; those of one poll share their instant, and most are good: then there is less to say."""
    count = len(plain.seqs)
    whole = count - count % _BLOCK
    for at in range(0, whole, _BLOCK):
        block = Plain(*(column[at : at + _BLOCK] for column in plain))
        if _is_poll(block):
            numbers = (block.seqs[0], block.stamps[0], *block.keys, *block.mantissas, *block.exponents, *block.seals)
            connection.execute(_POLL[lane], numbers)
        else:
            connection.execute(_ANY[lane], [number for column in block for number in column])
    connection.executemany(_ONE[lane], zip(*(column[whole:] for column in plain), strict=True))


def _is_poll(block: Plain) -> bool:
    return (
        block.stamps.count(block.stamps[0]) == _BLOCK
        and block.seqs[-1] - block.seqs[0] == _BLOCK - 1
        and not any(block.codes)
    )


def _any_row(lane: int, place: int) -> str:
    columns = ", ".join(f"?{column * _BLOCK + place}" for column in range(len(Plain._fields)))
    return f"({lane}, {columns})"


def _poll_row(lane: int, place: int) -> str:
    key, mantissa, exponent, seal = (f"?{2 + column * _BLOCK + place}" for column in range(4))
    return f"({lane}, ?1 + {place - 1}, {key}, ?2, {mantissa}, {exponent}, 0, {seal})"


def _statements(row: Callable[[int, int], str]) -> tuple[str, ...]:
    return tuple(_INTO + ", ".join(row(lane, place) for place in range(1, _BLOCK + 1)) for lane in Lane)


_ANY, _POLL = _statements(_any_row), _statements(_poll_row)
_ONE = tuple(_INTO + f"({lane:d}, ?, ?, ?, ?, ?, ?, ?)" for lane in Lane)
