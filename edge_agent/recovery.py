"""Open a store in whatever state it is: whole, damaged, put back from a backup, or a copy of another.

found                                              done
whole, and the one it was                          opened
a page, a row or a count is damaged                salvaged into a fresh store, see ``edge_agent.salvage``
it lacks what it had confirmed                     the same: an older file was put back, or its log was cut
it is a copy: restored, or moved to another disk   it begins a new epoch, see ``edge_agent.epochs``

A false alarm does no harm: what is pending goes to the centre under the epoch and number it had.
"""

import contextlib
import logging
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from secrets import randbits

from edge_agent.durable_file import write_durably
from edge_agent.epochs import PastEpoch, add_past
from edge_agent.incident import COPIED, add_incident
from edge_agent.origin import Marks, is_behind, is_origin, make_origin, read_marks, read_origin
from edge_agent.salvage import finish, kept_name, salvage
from edge_agent.seal import seal_texts
from edge_agent.store_file import (
    ASIDE,
    SEAL_VERSION,
    StoreDamaged,
    StoreError,
    StoreStrange,
    connect,
    explained,
    known_version,
    load_identity,
    load_lanes,
    reading,
    roll_back,
)

log = logging.getLogger(__name__)

_BEHIND = "it lacks records that it had confirmed: an older file was put back, or its end was lost"


def open_sound(path: Path, edge_id: str, now_ms: int) -> sqlite3.Connection:
    """Open a store, or make it; mend first what can be mended.

    Raises: StoreError for what only a person can put right: no room, no permission, somebody else's file.
    """
    try:
        finish(path)
    except OSError as error:
        raise StoreError(
            f"{path}: the store cannot be opened ({error.strerror}). Check the disk and its rights."
        ) from None
    marks = read_marks(path)
    if marks is not None and marks.edge_id != edge_id:
        marks = None
    stamp = _stamp(path, now_ms)
    try:
        if not path.exists():
            _make_ready(path, marks, stamp)
        reason = read_unsound(path) or _fault(path, marks)
        if reason is None:
            try:
                return _open(path, edge_id, now_ms)
            except StoreError as error:
                if not _is_damage(error, marks):
                    raise
                reason = str(error).removesuffix(ASIDE).strip()
        log.error("store: damaged, its records are being saved: %s", reason)
        found = salvage(path, edge_id, marks, "damaged store", reason, now_ms, stamp)
        _unsound(path).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path}: the store cannot be opened ({error.strerror}). Check the disk and its rights."
        ) from None
    log.warning(
        "store: %d records saved, %d lost; the damaged file is kept as %s",
        sum(found.saved.values()),
        sum(found.lost.values()),
        kept_name(path, stamp),
    )
    return _open(path, edge_id, now_ms)


def note_unsound(path: Path, reason: str) -> None:
    """Have the store salvaged when it is next opened."""
    with contextlib.suppress(OSError):  # a disk that is full: it will be found damaged again
        write_durably(_unsound(path), reason.encode())


def read_unsound(path: Path) -> str | None:
    """Say why a running gateway has found the store damaged, None if it has not."""
    try:
        return _unsound(path).read_text(errors="replace") or "damaged"
    except FileNotFoundError:
        return None


def _unsound(path: Path) -> Path:
    return path.with_name(path.name + ".unsound")


def _stamp(path: Path, now_ms: int) -> str:
    """Name this moment so that no file bears the name yet, for the clock may have stood still."""
    moment = f"{datetime.fromtimestamp(max(0, now_ms) // 1000, UTC):%Y%m%dT%H%M%SZ}"
    names = (moment if number == 1 else f"{moment}-{number}" for number in range(1, 1000))
    return next(name for name in names if not any(path.parent.glob(kept_name(path, name) + "*")))


def _make_ready(path: Path, marks: Marks | None, stamp: str) -> None:
    """Prepare for a store that is not there: what its log still holds is saved, if there was one."""
    log = path.with_name(path.name + "-wal")
    if marks is not None:
        path.touch(0o640)
    elif log.exists():  # a new store would take it for its own
        log.rename(path.with_name(kept_name(path, stamp) + "-wal"))


def _fault(path: Path, marks: Marks | None) -> str | None:
    """Look at a store without changing it, least of all its log; say what is wrong."""
    if not path.exists() or path.stat().st_size == 0:
        return None if marks is None else "its file was taken away or emptied"
    try:
        with reading(path) as connection:
            identity = load_identity(connection)
            lanes = {lane: (state.next_seq, state.acked_seq) for lane, state in load_lanes(connection).items()}
            if not _is_sealed(connection):
                return "what it says of itself is not what was stored"
    except StoreError as error:
        return str(error).removesuffix(ASIDE).strip() if _is_damage(error, marks) else None
    except (ValueError, TypeError, KeyError):
        return "what it says of itself cannot be read"
    is_same = marks is not None and marks.epoch == identity.epoch
    return _BEHIND if is_same and marks is not None and is_behind(lanes, marks) else None


def _is_damage(error: StoreError, marks: Marks | None) -> bool:
    """Tell a damaged store from a file that never was ours: beside it lie the marks of the one that was."""
    if isinstance(error, StoreStrange):
        return marks is not None and marks.version <= known_version()
    return isinstance(error, StoreDamaged)


def _is_sealed(connection: sqlite3.Connection) -> bool:
    """Compare the rows by which all others are understood with their seals."""
    if connection.execute("PRAGMA user_version").fetchone()[0] < SEAL_VERSION:
        return True
    for query in _SEALED:
        for *parts, seal in connection.execute(query):
            if seal is not None and seal != seal_texts(*parts):
                return False
    return True


_SEALED = (
    "SELECT edge_id, epoch, seal FROM store",
    "SELECT lane, next_seq, acked_seq, chain, seal FROM lane",
    "SELECT id, device, point, unit, seal FROM series",
    "SELECT epoch, safety_seq, control_seq, billing_seq, telemetry_seq, seal FROM past_epoch",
)


def _open(path: Path, edge_id: str, now_ms: int) -> sqlite3.Connection:
    connection = connect(path, edge_id)
    try:
        _know(connection, path, now_ms)
    except sqlite3.Error as error:
        roll_back(connection)
        connection.close()
        raise explained(path, error) from None
    except BaseException:
        connection.close()
        raise
    return connection


def _know(connection: sqlite3.Connection, path: Path, now_ms: int) -> None:
    """See whether the store is a copy; a copy begins a new epoch, a new store is told what it knows itself by."""
    edge_id, epoch, known, seal = connection.execute("SELECT edge_id, epoch, origin, seal FROM store").fetchone()
    is_copy = known and not is_origin(known, read_origin(path))
    if known and not is_copy and seal is not None:
        return
    origin = make_origin(path) if is_copy or not known else known
    connection.execute("BEGIN IMMEDIATE")
    if is_copy:
        lanes = load_lanes(connection)
        add_past(connection, PastEpoch(int(epoch), {lane: state.next_seq - 1 for lane, state in lanes.items()}))
        pending = sum(state.pending for state in lanes.values())
        add_incident(connection, now_ms, {"kind": COPIED, "pending": pending, "epoch": f"{int(epoch):016x}"})
        epoch = str(randbits(64))
        log.warning("store: it was restored or copied, and begins a new epoch; %d records are sent first", pending)
    connection.execute("UPDATE store SET epoch = ?, origin = ?, seal = ?", (epoch, origin, seal_texts(edge_id, epoch)))
    rows = connection.execute("SELECT id, device, point, unit FROM series WHERE seal IS NULL").fetchall()
    connection.executemany("UPDATE series SET seal = ? WHERE id = ?", [(seal_texts(*row), row[0]) for row in rows])
    connection.execute("COMMIT")
