"""A damaged store, read without SQLite: every row that is whole, wherever in the file it lies.

Rows are known by their seals, not by the trees that should lead to them: a page that no tree reaches
any more is as good as another. Rows of versions before, which have no seal, are known by their shape.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from edge_agent.epochs import PastEpoch, past_of
from edge_agent.origin import Marks
from edge_agent.seal import seal_record, seal_texts
from edge_agent.sqlite_pages import Pages, Row, Value, free_pages, page_size, read_log, rows_of, walk
from protocols.quantity import MANTISSA_LIMIT, Quality
from protocols.record import Lane, Series
from protocols.sync import is_edge_id

RECORD_COLUMNS = 9  # lane, seq, series_id, at, mantissa, exponent, quality, raw, event; others follow
_QUALITIES = frozenset(map(int, Quality))
_LANES = frozenset(map(int, Lane))
_EPOCH_LIMIT = 2**64
_CACHED_PAGES = 64
_SCHEMA_ROOT = 1


class Whose(NamedTuple):
    edge_id: str
    epoch: int


class Progress(NamedTuple):
    """How far a lane was; ``absent`` numbers above the acknowledged one were already told, None: not known."""

    next_seq: int
    acked_seq: int
    chain: str = ""
    absent: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What a damaged store and its marks say of themselves; ``whose`` is None where neither does."""

    whose: Whose | None
    past: tuple[PastEpoch, ...]
    lanes: Mapping[Lane, Progress]


class DamagedFile:
    """A store's file and its log, open for reading; nothing in them is changed.

    Shape: ``seal_at`` is the position of the seal among the columns of a record.
    """

    def __init__(self, path: Path, marks: Marks | None, seal_at: int) -> None:
        self._marks = marks
        self._seal_at = seal_at
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        log = b""
        with suppress(OSError):
            log = path.with_name(path.name + "-wal").read_bytes()
        size = page_size(self._read_at(0, 100) or b"", log)
        self._log = read_log(log, size)
        count = max(-(-os.fstat(self._descriptor).st_size // size), *self._log, 0)
        self._pages = Pages(size, count, lru_cache(_CACHED_PAGES)(self._reader(size)))
        self._roots = self._find_roots()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        os.close(self._descriptor)

    @property
    def size(self) -> int:
        """Give the bytes of all pages."""
        return self._pages.count * self._pages.size

    def known(self) -> Known:
        """Read what the store says of itself; where it is silent, what its marks say."""
        marks = self._marks
        whose = next((found for row in self.rows("store") if (found := whose_row(row))), None)
        if whose is None and marks is not None:
            whose = Whose(marks.edge_id, marks.epoch)
        lanes = dict(state for row in self.rows("lane") if (state := _lane_row(row)) is not None)
        if marks is not None and whose is not None and marks.epoch == whose.epoch:
            for lane, (next_seq, acked_seq) in marks.lanes.items():
                told = lanes.get(lane, Progress(1, 0))
                chain = told.chain if acked_seq <= told.acked_seq else ""
                absent = told.absent if acked_seq <= told.acked_seq else None
                lanes[lane] = Progress(max(told.next_seq, next_seq), max(told.acked_seq, acked_seq), chain, absent)
        past = [part for row in self.rows("past_epoch") if (part := past_of(row.values[1:])) is not None]
        return Known(whose, tuple(past), lanes)

    def rows(self, table: str) -> Iterator[Row]:
        """Give the rows of a table as far as its tree can be read."""
        if table in self._roots:
            yield from walk(self._pages, self._roots[table], bytearray(self._pages.count + 1))

    def everything(self) -> Iterator[Row]:
        """Give the rows of all pages that are in use, whatever table they belong to; some may come twice."""
        free = bytearray(self._pages.count + 1)
        free_pages(self._pages, free)
        for number in range(1, self._pages.count + 1):
            if not free[number] and (page := self._pages.read(number)) is not None:
                yield from rows_of(self._pages, page, number)

    def is_record(self, row: Row) -> bool:
        """Tell whether a row is a record as it was stored."""
        values: Any = row.values
        if row.rowid is not None or len(values) < RECORD_COLUMNS or values[0] not in _LANES:
            return False
        seal = values[self._seal_at] if len(values) > self._seal_at else None
        own = values[:RECORD_COLUMNS]
        if seal is None:
            return _has_shape(*own[1:]) and _is_event(own)
        try:
            told = seal_record(*own)
            return bool(seal == told) and (told != 0 or _has_shape(*own[1:]))
        except (TypeError, AttributeError):  # a text where bytes should be, or the other way round
            return False

    def _find_roots(self) -> dict[str, int]:
        roots = dict(self._marks.roots) if self._marks is not None else {}
        for row in walk(self._pages, _SCHEMA_ROOT, bytearray(self._pages.count + 1)):
            if len(row.values) == 5 and row.values[0] == "table":
                name, root = row.values[1], row.values[3]
                if isinstance(name, str) and isinstance(root, int) and 1 < root <= self._pages.count:
                    roots[name] = root
        return roots

    def _reader(self, size: int) -> Callable[[int], bytes | None]:
        def read(number: int) -> bytes | None:
            return self._log.get(number) or self._read_at((number - 1) * size, size)

        return read

    def _read_at(self, at: int, size: int) -> bytes | None:
        """Read a part of the file, filled up where it was cut; None where the disk fails."""
        try:
            found = os.pread(self._descriptor, size, at)
        except OSError:
            return None
        return found.ljust(size, b"\0") if found else None


def whose_row(row: Row) -> Whose | None:
    """Read the row that names the gateway and the epoch, None if it is another or damaged."""
    values = row.values
    if row.rowid is None or not 3 <= len(values) <= 5:
        return None
    edge_id, epoch = values[0], values[1]
    if not (isinstance(edge_id, str) and isinstance(epoch, str) and is_edge_id(edge_id) and epoch.isdecimal()):
        return None
    if len(values) > 3 and values[3] is not None and values[3] != seal_texts(edge_id, epoch):
        return None
    return Whose(edge_id, int(epoch)) if int(epoch) < _EPOCH_LIMIT else None


def series_row(row: Row, *, is_sealed: bool) -> tuple[int, Series] | None:
    """Read a row that gives a series its number, None if it is another or damaged."""
    values = row.values
    if row.rowid is None or not 4 <= len(values) <= 5 or values[0] is not None:
        return None
    device, point, unit = values[1:4]
    if not (isinstance(device, str) and isinstance(point, str) and isinstance(unit, str)):
        return None
    seal = values[4] if len(values) == 5 else None
    if (seal is None and is_sealed) or (seal is not None and seal != seal_texts(row.rowid, device, point, unit)):
        return None
    return row.rowid, Series(device, point, unit)


def _lane_row(row: Row) -> tuple[Lane, Progress] | None:
    values = row.values
    if row.rowid not in _LANES or len(values) < 3:
        return None
    next_seq, acked_seq, chain = values[1], values[2], values[3] if len(values) > 3 else ""
    if not (isinstance(next_seq, int) and isinstance(acked_seq, int) and 0 <= acked_seq < next_seq):
        return None
    seal = values[4] if len(values) > 4 else None
    if seal is not None and seal != seal_texts(row.rowid, next_seq, acked_seq, chain):
        return None
    absent = values[5] if len(values) > 5 else None
    return Lane(row.rowid), Progress(next_seq, acked_seq, str(chain), absent if isinstance(absent, int) else None)


def _has_shape(
    seq: Value,
    series_id: Value,
    at: Value,
    mantissa: Value,
    exponent: Value,
    quality: Value,
    raw: Value,
    event: Value,
) -> bool:
    if not (_is_within(seq, 1) and _is_within(at, 1 - MANTISSA_LIMIT)):
        return False
    if series_id is None:
        return isinstance(event, str) and mantissa is exponent is quality is raw is None
    is_value = mantissa is None or _is_within(mantissa, 1 - MANTISSA_LIMIT)
    is_exact = isinstance(exponent, int) and -128 <= exponent <= 127 and quality in _QUALITIES
    is_plain = event is None and (raw is None or isinstance(raw, bytes))
    return is_value and is_exact and is_plain and _is_within(series_id, 1)


def _is_event(own: tuple[Any, ...]) -> bool:
    """Tell whether what has no seal can be read, if it is an event."""
    if own[2] is not None:
        return True
    try:
        kind, subject, body = json.loads(own[-1])
    except (ValueError, TypeError, RecursionError):
        return False
    return isinstance(kind, str) and isinstance(subject, str) and isinstance(body, dict)


def _is_within(value: Value, least: int) -> bool:
    return isinstance(value, int) and least <= value < MANTISSA_LIMIT
