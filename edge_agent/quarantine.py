"""Records that the centre refuses for good: kept with what they were and why, and out of their lane's way.

One transaction sets a record aside and stores the tombstone that tells of it, so that what was accepted
is still what the centre has, and the tombstones. The record's row stays in its lane until the centre has
what comes after it; it is only not sent.
"""

import json
import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from edge_agent.row import from_rows, to_rows
from edge_agent.store_file import LaneState, StoreError, reading, select_records
from protocols.quantity import Quality
from protocols.record import Event, Lane, Reading, Record, Series

VERSION = 8
SET_ASIDE = "quarantined"
_INSERT = (
    "INSERT INTO record (lane, seq, series_id, at, mantissa, exponent, quality, raw, event, seal) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Aside(NamedTuple):
    """A record that was set aside. Units: ``at`` is when, milliseconds UTC."""

    lane: Lane
    seq: int
    at: int
    reason: str
    record: dict[str, Any]


def set_aside(
    lane: Lane, seq: int, reason: str, now_ms: int, connection: sqlite3.Connection, lanes: dict[Lane, LaneState]
) -> None:
    """Take a record out of what is sent, and tell of it; once, whatever happens. For the writer's thread."""
    rows = select_records(connection, lane, seq - 1, 1)
    if not rows or rows[0][0] != seq:
        return
    (record,) = from_rows(rows)
    values = (int(lane), seq, now_ms, reason, json.dumps(_as_json(record), ensure_ascii=False))
    made = connection.execute(
        "INSERT OR IGNORE INTO quarantine (lane, seq, at, reason, record) VALUES (?, ?, ?, ?, ?)", values
    )
    if made.rowcount:
        body = {"lane": int(lane), "from_seq": seq, "to_seq": seq, "reason": SET_ASIDE, "lost": 1}
        append_record(connection, lanes, Lane.CONTROL, Event("tombstone", f"lane:{lane.word}", now_ms, body))


def put_back(only: int | None, connection: sqlite3.Connection, lanes: dict[Lane, LaneState]) -> None:
    """Store what was set aside again at the end of its lane, all of it or one record. For the writer's thread.

    Raises: StoreError where none has that number.
    """
    found = [each for each in _load(connection) if only in (None, each.seq)]
    if only is not None and not found:
        raise StoreError(f"no record {only} is set aside. See: edge buffer quarantine")
    for each in found:
        append_record(connection, lanes, each.lane, _from_json(each.record))
        key = (int(each.lane), each.seq)
        # As long as the old row stands in its lane it must not be sent: the centre would count it twice.
        connection.execute("UPDATE quarantine SET is_back = 1 WHERE lane = ? AND seq = ?", key)
    for lane, state in lanes.items():
        connection.execute(
            "DELETE FROM quarantine WHERE is_back AND lane = ? AND seq <= ?", (int(lane), state.acked_seq)
        )


def hidden(connection: sqlite3.Connection, lane: Lane, after_seq: int) -> frozenset[int]:
    """Give the numbers of a lane that are not sent."""
    rows = connection.execute("SELECT seq FROM quarantine WHERE lane = ? AND seq > ?", (int(lane), after_seq))
    return frozenset(row[0] for row in rows)


def set_aside_and_gone(connection: sqlite3.Connection, lane: Lane, after_seq: int) -> list[int]:
    """Give the numbers that were set aside, whose records are missing for another reason than that."""
    query = (
        "SELECT seq FROM quarantine AS q WHERE lane = ?1 AND seq > ?2 "
        "AND NOT EXISTS (SELECT 1 FROM record AS r WHERE r.lane = ?1 AND r.seq = q.seq) "
        "AND NOT EXISTS (SELECT 1 FROM thinned AS t WHERE t.lane = ?1 AND t.from_seq = q.seq AND t.reason = ?3)"
    )
    return [row[0] for row in connection.execute(query, (int(lane), after_seq, SET_ASIDE))]


def read_hidden(path: Path, lane: Lane) -> frozenset[int]:
    """Give the numbers of a lane that are not sent, whether the service runs or not.

    Raises: StoreError.
    """
    with reading(path) as connection:
        is_known = connection.execute("PRAGMA user_version").fetchone()[0] >= VERSION
        return hidden(connection, lane, 0) if is_known else frozenset()


def read_quarantine(path: Path) -> list[Aside]:
    """List what is set aside, whether the service runs or not.

    Raises: StoreError.
    """
    with reading(path) as connection:
        return _load(connection) if connection.execute("PRAGMA user_version").fetchone()[0] >= VERSION else []


def _load(connection: sqlite3.Connection) -> list[Aside]:
    rows = connection.execute(
        "SELECT lane, seq, at, reason, record FROM quarantine WHERE NOT is_back ORDER BY lane, seq"
    ).fetchall()
    return [Aside(Lane(lane), seq, at, reason, json.loads(record)) for lane, seq, at, reason, record in rows]


def append_record(connection: sqlite3.Connection, lanes: dict[Lane, LaneState], lane: Lane, record: Record) -> None:
    """Store a record at the end of a lane. For the writer's thread."""
    state = lanes[lane]
    connection.executemany(_INSERT, to_rows(lane, state.next_seq, (record,), _series_of(connection, record)))
    at = record.at if isinstance(record, Event) else record.taken_at
    oldest_at = state.oldest_at if state.pending else at
    lanes[lane] = state._replace(next_seq=state.next_seq + 1, pending=state.pending + 1, oldest_at=oldest_at)


def _series_of(connection: sqlite3.Connection, record: Record) -> Mapping[Series, int]:
    if isinstance(record, Event):
        return {}
    query = "SELECT id FROM series WHERE device = ? AND point = ? AND unit = ?"
    row = connection.execute(query, record.series).fetchone()
    if row is None:
        raise StoreError(f"the point {record.series.point} of {record.series.device} is not known here any more.")
    return {record.series: row[0]}


def _as_json(record: Record) -> dict[str, Any]:
    if isinstance(record, Event):
        return {"type": "event", **record._asdict()}
    series, at, value, quality, raw = record
    number = None if value is None else format(value, "f")
    return {"type": "reading", **series._asdict(), "at": at, "value": number, "quality": int(quality), "raw": raw.hex()}


def _from_json(told: Mapping[str, Any]) -> Record:
    if told["type"] == "event":
        return Event(told["kind"], told["subject"], told["at"], told["body"])
    value = None if told["value"] is None else Decimal(told["value"])
    series = Series(told["device"], told["point"], told["unit"])
    return Reading(series, told["at"], value, Quality(told["quality"]), bytes.fromhex(told["raw"]))
