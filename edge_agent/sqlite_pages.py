"""SQLite's file format, read page by page, so that one bad page costs its own rows and no others.

Source: https://www.sqlite.org/fileformat2.html (b-tree pages, record format, write-ahead log).
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

Value = int | float | str | bytes | None

_INNER_INDEX, _INNER_TABLE, _LEAF_INDEX, _LEAF_TABLE = 2, 5, 10, 13
_TREE_PAGES = frozenset({_INNER_INDEX, _INNER_TABLE, _LEAF_INDEX, _LEAF_TABLE})
_INDEX_PAGES = frozenset({_INNER_INDEX, _LEAF_INDEX})
_MOST_PAYLOAD = 1024 * 1024  # a length beyond is damage: no row of ours comes near
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_CONSTANTS = {0: None, 8: 0, 9: 1}
_LOG_HEADER, _FRAME_HEADER = 32, 24
_LOG_MAGIC = 0x377F0682
_HEADER_BYTES = 100


class Broken(ValueError):
    """Bytes that are not what the format says."""


class Row(NamedTuple):
    """A row; ``rowid`` is None in a table that has none."""

    rowid: int | None
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of a database, its log over them; ``read`` gives None for one that the disk does not give back."""

    size: int
    count: int
    read: Callable[[int], bytes | None]


def page_size(head: bytes, log: bytes) -> int:
    """Give the size of a page by the file's first bytes, or by its log's, or as it usually is."""
    for size in (int.from_bytes(head[16:18], "big"), int.from_bytes(log[8:12], "big")):
        size = 65536 if size == 1 else size
        if 512 <= size <= 65536 and size & (size - 1) == 0:
            return size
    return 4096


def read_log(log: bytes, size: int) -> dict[int, bytes]:
    """Give the newest version of each page that a write-ahead log holds, committed and whole.

    SQLite gives up at the first frame that is damaged. Each frame carries the sum before it, so here
    the frames behind it are found again; only what the damaged one held is lost.
    """
    if len(log) < _LOG_HEADER or int.from_bytes(log[:4], "big") & ~1 != _LOG_MAGIC:
        return {}
    order = ">" if log[3] & 1 else "<"
    salts = log[16:24]
    sums = struct.unpack(">II", log[24:32])
    found: dict[int, bytes] = {}
    open_pages: dict[int, bytes] = {}
    for at in range(_LOG_HEADER, len(log) - _FRAME_HEADER - size + 1, _FRAME_HEADER + size):
        head, page = log[at : at + _FRAME_HEADER], log[at + _FRAME_HEADER : at + _FRAME_HEADER + size]
        if head[8:16] != salts:
            if not _looks_on(log, at + _FRAME_HEADER + size, size, salts):
                break  # what follows is from before the log was begun anew
            continue
        told = struct.unpack(">II", head[16:24])
        number, commit = struct.unpack(">II", head[:8])
        if _summed(_summed(sums, head[:8], order), page, order) == told and number:
            open_pages[number] = page
            if commit:
                found |= open_pages
                open_pages = {}
        sums = told
    return found


def _looks_on(log: bytes, at: int, size: int, salts: bytes) -> bool:
    """Tell whether the log goes on behind a frame whose head is damaged."""
    return log[at + 8 : at + 16] == salts and len(log) >= at + _FRAME_HEADER + size


def _summed(sums: tuple[int, ...], data: bytes, order: str) -> tuple[int, int]:
    first, second = sums
    for word, other in struct.iter_unpack(f"{order}II", data):
        first = (first + word + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


def walk(pages: Pages, root: int, seen: bytearray) -> Iterator[Row]:
    """Give the rows of the tree under a root, as far as it can be read; mark the pages met in ``seen``."""
    waiting = [root]
    while waiting:
        number = waiting.pop()
        if not 1 <= number <= pages.count or seen[number]:
            continue
        seen[number] = 1
        page = pages.read(number)
        if page is None:
            continue
        waiting += _children(page, number)
        yield from rows_of(pages, page, number)


def free_pages(pages: Pages, seen: bytearray) -> None:
    """Mark the pages that hold nothing any more, as far as the list of them can be read."""
    first = pages.read(1)
    number = 0 if first is None else int.from_bytes(first[32:36], "big")
    while 1 <= number <= pages.count and not seen[number]:
        page = pages.read(number)
        seen[number] = 1
        if page is None:
            return
        count = min(int.from_bytes(page[4:8], "big"), len(page) // 4 - 2)
        for (leaf,) in struct.iter_unpack(">I", page[8 : 8 + 4 * count]):
            if 1 <= leaf <= pages.count:
                seen[leaf] = 1
        number = int.from_bytes(page[:4], "big")


def rows_of(pages: Pages, page: bytes, number: int) -> Iterator[Row]:
    """Give the rows that lie on one page; a cell that is damaged is left out."""
    kind, cells = _cells(page, number)
    if kind not in _TREE_PAGES or kind == _INNER_TABLE:
        return
    for at in cells:
        try:
            yield _row(pages, page, at, kind)
        except (Broken, IndexError, UnicodeDecodeError):
            continue


def _cells(page: bytes, number: int) -> tuple[int, Sequence[int]]:
    start = _HEADER_BYTES if number == 1 else 0
    kind = page[start]
    if kind not in _TREE_PAGES:
        return kind, ()
    begin = start + (12 if kind in (_INNER_INDEX, _INNER_TABLE) else 8)
    count = min(int.from_bytes(page[start + 3 : start + 5], "big"), (len(page) - begin) // 2)
    return kind, struct.unpack(f">{count}H", page[begin : begin + 2 * count])


def _children(page: bytes, number: int) -> list[int]:
    kind, cells = _cells(page, number)
    if kind not in (_INNER_INDEX, _INNER_TABLE):
        return []
    start = _HEADER_BYTES if number == 1 else 0
    right = int.from_bytes(page[start + 8 : start + 12], "big")
    return [right, *(int.from_bytes(page[at : at + 4], "big") for at in reversed(cells))]


def _row(pages: Pages, page: bytes, at: int, kind: int) -> Row:
    if kind == _INNER_INDEX:
        at += 4
    length, at = _varint(page, at)
    rowid = None
    if kind == _LEAF_TABLE:
        rowid, at = _varint(page, at)
        rowid -= (rowid >> 63) << 64  # it has a sign
    if length > _MOST_PAYLOAD:
        raise Broken
    usable = pages.size
    most = (usable - 12) * 64 // 255 - 23 if kind in _INDEX_PAGES else usable - 35
    if length <= most:
        payload = page[at : at + length]
    else:
        least = (usable - 12) * 32 // 255 - 23
        local = least + (length - least) % (usable - 4)
        local = local if local <= most else least
        payload = page[at : at + local] + _overflow(pages, int.from_bytes(page[at + local : at + local + 4], "big"))
        payload = payload[:length]
    if len(payload) != length:
        raise Broken
    return Row(rowid, _values(payload))


def _overflow(pages: Pages, number: int) -> bytes:
    found = bytearray()
    while number and len(found) < _MOST_PAYLOAD:
        page = pages.read(number) if number <= pages.count else None
        if page is None:
            raise Broken
        found += page[4:]
        number = int.from_bytes(page[:4], "big")
    return bytes(found)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for _ in range(8):
        byte = data[at]
        at += 1
        if byte < 0x80:
            return value << 7 | byte, at
        value = value << 7 | byte & 0x7F
    return value << 8 | data[at], at + 1


class _Part(NamedTuple):
    """Where a value lies in a row's body, and as what."""

    kind: int
    start: int
    end: int
    value: Value


_CONSTANT, _INTEGER, _TEXT, _BYTES = range(4)


def _values(payload: bytes) -> tuple[Value, ...]:
    end, start = _varint(payload, 0)
    body = payload[end:]
    parts, size = _parts(payload[start:end])
    if size != len(body):
        raise Broken
    return tuple(
        [
            _signed(body[begin:stop], "big", signed=True)
            if kind == _INTEGER
            else value
            if kind == _CONSTANT
            else body[begin:stop].decode()
            if kind == _TEXT
            else body[begin:stop]
            for kind, begin, stop, value in parts
        ]
    )


_signed = int.from_bytes


@lru_cache(4096)  # rows of a table have few shapes
def _parts(head: bytes) -> tuple[tuple[_Part, ...], int]:
    """Read a row's head; give its parts and the bytes they take."""
    parts: list[_Part] = []
    at = size = 0
    while at < len(head):
        code, at = _varint(head, at)
        if code in _INTEGERS:
            kind, width = _INTEGER, _INTEGERS[code]
        elif code >= 12:
            kind, width = (_TEXT if code & 1 else _BYTES), (code - 12) // 2
        elif code in _CONSTANTS:
            kind, width = _CONSTANT, 0
        else:
            raise Broken
        parts.append(_Part(kind, size, size + width, _CONSTANTS.get(code)))
        size += width
    return tuple(parts), size
