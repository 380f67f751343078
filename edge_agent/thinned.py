"""The stretches of lanes in which records are missing for want of room: which, and that they are told."""

import sqlite3
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

from edge_agent.history import VERSION
from edge_agent.quarantine import append_record
from edge_agent.store_file import LaneState, reading
from edge_agent.thinning import Row
from protocols.record import Event, Lane


def rows_after(connection: sqlite3.Connection, lane: Lane, after_seq: int, limit: int) -> list[Row]:
    """Give what the thinning has to know of the next records."""
    query = "SELECT seq, series_id, at FROM record WHERE lane = ? AND seq > ? ORDER BY seq LIMIT ?"
    return [Row(*row) for row in connection.execute(query, (int(lane), after_seq, limit))]


def drop_records(connection: sqlite3.Connection, lane: Lane, seqs: Sequence[int], reason: str) -> None:
    """Delete records and note the stretch in which they are missing."""
    connection.executemany("DELETE FROM record WHERE lane = ? AND seq = ?", [(int(lane), seq) for seq in seqs])
    values = (int(lane), seqs[0], seqs[-1], reason, len(seqs))
    connection.execute("INSERT INTO thinned (lane, from_seq, to_seq, reason, lost) VALUES (?, ?, ?, ?, ?)", values)


def append_tombstone(
    connection: sqlite3.Connection,
    lanes: dict[Lane, LaneState],
    lane: Lane,
    seqs: Sequence[int],
    reason: str,
    now_ms: int,
) -> None:
    """Store the record that tells the centre of it."""
    body = {"lane": int(lane), "from_seq": seqs[0], "to_seq": seqs[-1], "reason": reason, "lost": len(seqs)}
    append_record(connection, lanes, Lane.CONTROL, Event("tombstone", f"lane:{lane.word}", now_ms, body))


def stretches(connection: sqlite3.Connection, lane: Lane, after_seq: int) -> list[tuple[int, int]]:
    """Give (first, last) of the stretches that end after a number, those that touch joined, in order."""
    if connection.execute("PRAGMA user_version").fetchone()[0] < VERSION:
        return []
    query = "SELECT from_seq, to_seq FROM thinned WHERE lane = ? AND to_seq > ? ORDER BY from_seq"
    found: list[tuple[int, int]] = []
    for first, last in connection.execute(query, (int(lane), after_seq)):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def is_told(known: Sequence[tuple[int, int]], first: int, last: int) -> bool:
    """Tell whether all of a gap lies in one stretch that was told."""
    place = bisect_left(known, (first + 1,)) - 1
    return place >= 0 and known[place][0] <= first and last <= known[place][1]


def read_tally(path: Path) -> dict[Lane, tuple[int, int]]:
    """Give by lane how many tombstones there are, and how many records they speak of.

    Raises: StoreError.
    """
    with reading(path) as connection:
        if connection.execute("PRAGMA user_version").fetchone()[0] < VERSION:
            return {}
        rows = connection.execute("SELECT lane, count(*), sum(lost) FROM thinned GROUP BY lane")
        return {Lane(lane): (count, lost) for lane, count, lost in rows}
