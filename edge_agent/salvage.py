"""A damaged store's records in a fresh one, and the damaged file kept beside it.

The fresh store is made whole under a name of its own before anything is moved, so that a power cut at any
point leaves either the damaged store, to begin again with, or the fresh one. What was pending keeps its
epoch and its numbers (see ``edge_agent.epochs``); what could not be read is told by tombstones.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from edge_agent.damaged_file import RECORD_COLUMNS, DamagedFile, Known, Progress, Whose, series_row
from edge_agent.epochs import PastEpoch, add_past
from edge_agent.incident import DAMAGED, add_incident
from edge_agent.origin import Marks
from edge_agent.quarantine import SET_ASIDE, set_aside_and_gone
from edge_agent.row import to_rows
from edge_agent.seal import seal_texts
from edge_agent.sqlite_pages import Row, Value
from edge_agent.store_file import LaneState, StoreError, connect, explained, store_lane
from edge_agent.thinned import Stretch, add_told, cut_told, load_told, untold
from protocols.record import Event, Lane, Series

_GROUP = 5000
_MOST_TOLD = 100  # tombstones a lane; beyond that one tells the rest
_LEAST_BYTES = 2 * 1024 * 1024
_SPARE_BYTES = 32 * 1024 * 1024  # telemetry does not fill a disk to its end
_SHEDDABLE = frozenset({Lane.TELEMETRY})
_ALL = frozenset(Lane)
_PRECIOUS = _ALL - _SHEDDABLE
# These are made anew here; all others are copied as they are, as far as they can be read.
_OWN_TABLES = frozenset({"store", "lane", "series", "record", "past_epoch"})
_SUFFIXES = ("-wal", "-shm", "")


@dataclass(frozen=True, slots=True)
class Salvage:
    """What became of a damaged store's records, by lane."""

    saved: Mapping[Lane, int]
    lost: Mapping[Lane, int]


def salvage(path: Path, edge_id: str, marks: Marks | None, reason: str, fault: str, now_ms: int, stamp: str) -> Salvage:
    """Put a fresh store in a damaged one's place, with all its records that are whole.

    Shape: ``stamp`` goes into the name under which the damaged file is kept, ``reason`` into the tombstones,
    ``fault`` into the incident.

    Raises: StoreError for a file of another gateway, or where the disk does not take the fresh one.
    """
    fresh = path.with_name(path.name + ".salvage")
    _discard(fresh)
    room = _room(path)
    connection = connect(fresh, edge_id)
    try:
        with DamagedFile(path, marks, _seal_position(connection)) as damaged:
            known = damaged.known()
            if known.whose is not None and known.whose.edge_id != edge_id:
                raise StoreError(
                    f"{path}: this is the store of gateway '{known.whose.edge_id}', not of '{edge_id}', and it is damaged. "
                    f"Correct [edge] id, or set [edge] data to another folder."
                )
            # Nothing counts before the file has its name, and a log would take as much room again.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN IMMEDIATE")
            is_all = _copy(connection, damaged, known, room)
            found = _settle(connection, known, reason if is_all else f"{reason}; no room for all of it", now_ms)
            detail = {"kind": DAMAGED, "reason": fault, "kept_as": kept_name(path, stamp), **_as_json(found)}
            add_incident(connection, now_ms, detail)
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise explained(fresh, error) from None
    except OSError as error:
        raise StoreError(f"{path}: the damaged store cannot be read ({error.strerror}). Check the disk.") from None
    finally:
        connection.close()
    _sync(fresh)
    fresh.rename(_ready_name(path, stamp))
    finish(path)
    return found


def finish(path: Path) -> None:
    """Do what is left of a salvage that was interrupted: its moves, in their order; half a fresh store goes."""
    _discard(path.with_name(path.name + ".salvage"))
    prefix = path.name + ".salvaged-"
    for ready in sorted(path.parent.glob(prefix + "*")):
        aside = path.with_name(kept_name(path, ready.name.removeprefix(prefix)))
        path.with_name(path.name + "-shm").unlink(missing_ok=True)
        # The log first: a fresh store must never meet the old one's.
        for suffix in ("-wal", ""):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
        _sync(path.parent)
        ready.rename(path)
        _sync(path.parent)


def _discard(fresh: Path) -> None:
    for suffix in _SUFFIXES:
        fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)


def kept_name(path: Path, stamp: str) -> str:
    return f"{path.name}.damaged-{stamp}"


def _ready_name(path: Path, stamp: str) -> Path:
    return path.with_name(f"{path.name}.salvaged-{stamp}")


def _seal_position(connection: sqlite3.Connection) -> int:
    names = [row[1] for row in connection.execute("PRAGMA table_info(record)")]
    return names.index("seal")


def _room(path: Path) -> int:
    """Say how much the fresh store may take: what is kept for a full disk is there for it."""
    path.with_name(path.name + ".reserve").unlink(missing_ok=True)
    state = os.statvfs(path.parent)
    return state.f_bavail * state.f_frsize - _LEAST_BYTES


def _copy(connection: sqlite3.Connection, damaged: DamagedFile, known: Known, room: int) -> bool:
    """Copy what is whole; False where the disk has no room for all of it."""
    for table in _tables(connection) - _OWN_TABLES:
        _copy_table(connection, table, damaged.rows(table))
    series: dict[int, Series] = dict(
        found for row in damaged.rows("series") if (found := series_row(row, is_sealed=False)) is not None
    )
    is_tight = damaged.size > room - _SPARE_BYTES
    taken = 0
    # Where not all may find room, what is precious goes first.
    for lanes, budget in ((_PRECIOUS, room), (_SHEDDABLE, room - _SPARE_BYTES)) if is_tight else ((_ALL, room),):
        taken = _copy_records(connection, _pending(damaged, known, series, lanes), budget, taken)
        is_tight = taken > budget
    _name_series(connection, series)
    connection.execute("DELETE FROM record WHERE series_id NOT IN (SELECT id FROM series WHERE unit != ?)", (_LOST,))
    return not is_tight


def _copy_records(connection: sqlite3.Connection, pending: Iterator[tuple[Any, ...]], budget: int, taken: int) -> int:
    """Store records until so many bytes are taken; give how many are."""
    position = _seal_position(connection)
    while group := list(islice(pending, _GROUP)):
        connection.executemany(_INSERT, [(*row[:RECORD_COLUMNS], _seal_of(row, position)) for row in group])
        taken += sum(60 + len(row[7] or b"") + 2 * len(row[8] or "") for row in group)
        if taken > budget:
            break
    return taken


_INSERT = (
    "INSERT OR IGNORE INTO record (lane, seq, series_id, at, mantissa, exponent, quality, raw, event, seal) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LOST = "\x00lost"


def _pending(
    damaged: DamagedFile, known: Known, series: dict[int, Series], lanes: frozenset[Lane]
) -> Iterator[tuple[Any, ...]]:
    """Give the records above the acknowledged ones; series met on the way are put with the others."""
    acked = {int(lane): state.acked_seq for lane, state in known.lanes.items()}
    for row in damaged.everything():
        values: tuple[Any, ...] = row.values
        if damaged.is_record(row):
            if values[0] in lanes and values[1] > acked.get(values[0], 0):
                yield values
        elif (found := series_row(row, is_sealed=True)) is not None:
            series.setdefault(*found)


def _seal_of(row: tuple[Any, ...], position: int) -> int | None:
    return row[position] if len(row) > position else None


def _name_series(connection: sqlite3.Connection, series: Mapping[int, Series]) -> None:
    """Store the series under their numbers; a number whose name is lost is never given to another."""
    most = connection.execute("SELECT max(series_id) FROM record").fetchone()[0] or 0
    for number in range(1, max((most, *series)) + 1):
        name = series.get(number) or Series("", str(number), _LOST)
        values = (number, *name, seal_texts(number, *name))
        connection.execute(
            "INSERT OR IGNORE INTO series (id, device, point, unit, seal) VALUES (?, ?, ?, ?, ?)", values
        )


def _copy_table(connection: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    columns = [(row[1], row[2], row[5]) for row in connection.execute(f'PRAGMA table_info("{table}")')]
    keys = [position for position, (_, kind, key) in enumerate(columns) if key and kind == "INTEGER"]
    for row in rows:
        values: list[Value] = list(row.values[: len(columns)])
        if row.rowid is not None and len(keys) == 1 and values[keys[0]] is None:
            values[keys[0]] = row.rowid
        names = ", ".join(f'"{name}"' for name, _, _ in columns[: len(values)])
        marks = ", ".join("?" * len(values))
        with contextlib.suppress(sqlite3.Error):  # a row that the table does not take is damaged
            connection.execute(f'INSERT OR IGNORE INTO "{table}" ({names}) VALUES ({marks})', values)  # noqa: S608


def _tables(connection: sqlite3.Connection) -> set[str]:
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return {row[0] for row in connection.execute(query)}


def _settle(connection: sqlite3.Connection, known: Known, reason: str, now_ms: int) -> Salvage:
    """Set the lanes and the epochs, and store the tombstones."""
    saved: dict[Lane, int] = {}
    lost: dict[Lane, int] = {}
    lanes: dict[Lane, LaneState] = {}
    stones: list[Event] = []
    for lane in Lane:
        before = known.lanes.get(lane, Progress(1, 0))
        query = "SELECT count(*), min(seq), max(seq) FROM record WHERE lane = ?"
        count, first, last = connection.execute(query, (int(lane),)).fetchone()
        saved[lane] = count
        acked = before.acked_seq if lane in known.lanes or not count else first - 1
        runs = _missing(connection, lane, acked, max(before.next_seq, (last or 0) + 1), before.absent)
        add_told(connection, lane, runs, reason)
        cut_told(connection, lane, last or acked)
        runs = _told_now(runs)
        lost[lane] = sum(run.lost for run in runs)
        stones += _tombstones(lane, runs, reason, known.whose, now_ms)
        lanes[lane] = LaneState((last or acked) + 1, acked, count, None, before.chain)
    for part in known.past:
        add_past(connection, _cut(part, lanes))
    if known.whose is not None:
        add_past(connection, PastEpoch(known.whose.epoch, {lane: state.next_seq - 1 for lane, state in lanes.items()}))
    control = lanes[Lane.CONTROL]
    rows = to_rows(Lane.CONTROL, control.next_seq, stones, {})
    connection.executemany(_INSERT, rows)
    end = control.next_seq + len(rows)
    lanes[Lane.CONTROL] = control._replace(next_seq=end, pending=control.pending + len(rows))
    for lane, state in lanes.items():
        store_lane(connection, lane, state)
        # What is stored from now on may have lower numbers than what was lost.
        connection.execute(f"UPDATE clock SET {lane.word}_seq = min({lane.word}_seq, ?)", (state.next_seq,))  # noqa: S608
    return Salvage(saved, lost)


def _cut(part: PastEpoch, lanes: Mapping[Lane, LaneState]) -> PastEpoch:
    return part._replace(last={lane: min(part.last[lane], state.next_seq - 1) for lane, state in lanes.items()})


def _gaps(connection: sqlite3.Connection, lane: Lane, acked: int, end: int) -> Iterator[tuple[int, int]]:
    """Give the runs of numbers that were given out, are not acknowledged, and are not here."""
    steps = "SELECT seq, lag(seq, 1, ?2) OVER (ORDER BY seq) AS before FROM record WHERE lane = ?1"
    query = f"SELECT before, seq FROM ({steps}) WHERE seq > before + 1"  # noqa: S608 - constants
    for before, seq in connection.execute(query, (int(lane), acked)):
        yield before + 1, seq - 1
    last = connection.execute("SELECT max(seq) FROM record WHERE lane = ?", (int(lane),)).fetchone()[0] or acked
    if end > last + 1:
        yield last + 1, end - 1


def _missing(connection: sqlite3.Connection, lane: Lane, acked: int, end: int, absent: int | None) -> list[Stretch]:
    """Give what is missing and no tombstone tells of: neither a thinning, nor a salvage before, nor a quarantine."""
    aside = [Stretch(seq, seq, 1) for seq in set_aside_and_gone(connection, lane, acked)]
    add_told(connection, lane, aside, SET_ASIDE)
    told = load_told(connection, lane, acked)
    return untold(_gaps(connection, lane, acked, end), told, acked, None if absent is None else absent + len(aside))


def _told_now(runs: list[Stretch]) -> list[Stretch]:
    """Join what lies beyond the most that are told one by one."""
    told, rest = runs[:_MOST_TOLD], runs[_MOST_TOLD:]
    if rest:
        told.append(Stretch(rest[0].first, max(run.last for run in rest), sum(run.lost for run in rest)))
    return told


def _tombstones(lane: Lane, runs: Iterable[Stretch], reason: str, whose: Whose | None, now_ms: int) -> Iterator[Event]:
    for start, end, count in runs:
        body = {"lane": int(lane), "from_seq": start, "to_seq": end, "reason": reason, "lost": count}
        epoch = {} if whose is None else {"epoch": f"{whose.epoch:016x}"}
        yield Event("tombstone", f"lane:{lane.word}", now_ms, {**body, **epoch})


def _as_json(found: Salvage) -> dict[str, Any]:
    return {
        "saved": sum(found.saved.values()),
        "lost": sum(found.lost.values()),
        "lost_by_lane": {lane.word: count for lane, count in found.lost.items() if count},
    }


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
