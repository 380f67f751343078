"""Whether a store is the one it was: no copy of it, and none that has lost what it had confirmed.

Two small files lie beside the store. ``.origin`` is written once; the store knows its inode and the
instant of its last change, which no copy, restore or move to another disk carries along. ``.marks``
says after each commit how far the lanes are. It is not synced, for that would double the cost of a
commit: a power cut may leave it behind the store, but never ahead of it. What it says ahead of the
store was confirmed, and is gone: a log that lost its end, or an older file that was put back.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from edge_agent.durable_file import write_durably
from edge_agent.store_file import LaneState
from protocols.record import Lane

_MARKS_BYTES = 1024
_SECOND_NS = 1_000_000_000
_ABOUT = b"By this file the store beside it knows that it is no copy. Do not touch it.\n"


class Marks(NamedTuple):
    """How far a store was; ``lanes`` gives the next and the acknowledged number, ``roots`` where its tables begin."""

    edge_id: str
    epoch: int
    version: int
    lanes: Mapping[Lane, tuple[int, int]]
    roots: Mapping[str, int]


def origin_path(path: Path) -> Path:
    return path.with_name(path.name + ".origin")


def marks_path(path: Path) -> Path:
    return path.with_name(path.name + ".marks")


def read_origin(path: Path) -> str:
    """Describe the file by which a store knows itself, "" where there is none."""
    try:
        found = origin_path(path).stat()
    except OSError:
        return ""
    return f"{found.st_ino}:{found.st_ctime_ns}"


def make_origin(path: Path) -> str:
    """Write the file anew and describe it.

    Raises: OSError.
    """
    write_durably(origin_path(path), _ABOUT)
    return read_origin(path)


def is_origin(known: str, found: str) -> bool:
    """Tell whether two descriptions are of one file; some disks forget parts of a second when unmounted."""
    if known == found:
        return True
    try:
        (node, changed), (known_node, known_changed) = (map(int, text.split(":")) for text in (found, known))
    except ValueError:
        return False
    return node == known_node and changed % _SECOND_NS == 0 and changed == known_changed // _SECOND_NS * _SECOND_NS


def is_behind(lanes: Mapping[Lane, tuple[int, int]], marks: Marks) -> bool:
    """Tell whether a store lacks something that it had confirmed."""
    return any(lanes[lane][part] < known[part] for lane, known in marks.lanes.items() for part in (0, 1))


def read_marks(path: Path) -> Marks | None:
    """Read how far the store was, None where that is not known or not whole."""
    try:
        content = marks_path(path).read_bytes()
        text, told = content[: _MARKS_BYTES - 8].rstrip(b" "), content[_MARKS_BYTES - 8 :]
        if crc32(text) != int(told, 16):
            return None
        edge_id, epoch, version, lanes, roots = json.loads(text)
        return Marks(edge_id, int(epoch), int(version), {Lane(lane): (seq, acked) for lane, seq, acked in lanes}, roots)
    except (OSError, ValueError, TypeError):
        return None


def pack_marks(marks: Marks) -> bytes:
    """Lay marks out in a block of constant size."""
    rows = [(int(lane), *numbers) for lane, numbers in marks.lanes.items()]
    text = json.dumps([*marks[:1], str(marks.epoch), marks.version, rows, marks.roots], separators=(",", ":")).encode()
    return text.ljust(_MARKS_BYTES - 8) + b"%08x" % crc32(text)


class MarkKeeper:
    """Writes down how far a store is. What cannot be written is not missed: it only helps to notice damage."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = marks_path(path)
        edge_id, epoch = connection.execute("SELECT edge_id, epoch FROM store").fetchone()
        roots = connection.execute("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'").fetchall()
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        self._marks = Marks(edge_id, int(epoch), version, {}, _most_needed(roots))
        self._descriptor = -1
        with contextlib.suppress(OSError):
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def keep(self, lanes: Mapping[Lane, LaneState]) -> None:
        """Write down how far the lanes are now."""
        if self._descriptor < 0:
            return
        numbers = {lane: (state.next_seq, state.acked_seq) for lane, state in lanes.items()}
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, pack_marks(self._marks._replace(lanes=numbers)), 0)

    def close(self) -> None:
        """Give the file back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _most_needed(roots: Iterable[tuple[str, int]]) -> dict[str, int]:
    return {name: page for name, page in roots if name in ("store", "lane", "series", "record", "note", "past_epoch")}
