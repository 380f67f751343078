"""The stretches of lanes in which records are missing for want of room: which, and that they are told."""

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from edge_agent.history import VERSION
from edge_agent.quarantine import append_record
from edge_agent.store_file import LaneState, reading
from edge_agent.thinning import Row
from protocols.record import Event, Lane


def rows_after(connection: sqlite3.Connection, lane: Lane, after_seq: int, limit: int) -> list[Row]:
    """Give what the thinning has to know of the next records."""
    # What was set aside has its own tombstone, and must not have a second one.
    query = (
        "SELECT seq, series_id, at FROM record WHERE lane = ?1 AND seq > ?2 "
        "AND seq NOT IN (SELECT seq FROM quarantine WHERE lane = ?1) ORDER BY seq LIMIT ?3"
    )
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


class Stretch(NamedTuple):
    """A stretch of a lane, both ends in it, and how many of its numbers have no record."""

    first: int
    last: int
    lost: int


def load_told(connection: sqlite3.Connection, lane: Lane, after_seq: int) -> list[Stretch]:
    """Give the stretches that end after a number, as they were told."""
    query = "SELECT from_seq, to_seq, lost FROM thinned WHERE lane = ? AND to_seq > ?"
    return [Stretch(*row) for row in connection.execute(query, (int(lane), after_seq))]


def add_told(connection: sqlite3.Connection, lane: Lane, told: Iterable[Stretch], reason: str) -> None:
    """Note stretches whose missing records are told."""
    rows = [(int(lane), each.first, each.last, reason, each.lost) for each in told]
    connection.executemany("INSERT INTO thinned (lane, from_seq, to_seq, reason, lost) VALUES (?, ?, ?, ?, ?)", rows)


def cut_told(connection: sqlite3.Connection, lane: Lane, end: int) -> None:
    """Forget what is noted of numbers beyond the end of a lane: they will be given to other records."""
    connection.execute("DELETE FROM thinned WHERE lane = ? AND from_seq > ?", (int(lane), end))
    connection.execute(
        "UPDATE thinned SET to_seq = ?2, lost = min(lost, ?2 - from_seq + 1 - (SELECT count(*) FROM record "
        "WHERE record.lane = ?1 AND seq BETWEEN from_seq AND ?2)) WHERE lane = ?1 AND to_seq > ?2",
        (int(lane), end),
    )
    connection.execute("DELETE FROM quarantine WHERE is_back AND lane = ? AND seq > ?", (int(lane), end))
    # A number below zero hides no record; what was set aside can still be looked at and put back.
    connection.execute("UPDATE quarantine SET seq = -seq WHERE lane = ? AND seq > ?", (int(lane), end))


def untold(gaps: Iterable[tuple[int, int]], told: Iterable[Stretch], acked: int, absent: int | None) -> list[Stretch]:
    """Give what is missing above the acknowledged number and was not told yet.

    Shape: ``gaps`` are the missing runs in order; ``absent`` is how many were told of them, None: not known.
    """
    known = _joined(told)
    above = sum(each.lost for each in known if each.first > acked)
    missing = [0] * len(known)
    found: list[Stretch] = []
    total = place = 0
    for first, last in gaps:
        total += last - first + 1
        while place < len(known) and known[place].last < first:
            place += 1
        at, here = first, place
        while at <= last:
            is_in = here < len(known) and known[here].first <= at
            end = last if here == len(known) else min(last, known[here].last if is_in else known[here].first - 1)
            if is_in:
                missing[here] += end - at + 1
                here += end == known[here].last
            else:
                found.append(Stretch(at, end, end - at + 1))
            at = end + 1
    for each, count in zip(known, missing, strict=True):
        lost = each.lost
        if each.first <= acked and absent is not None:  # some of them lie below, and the count says how many
            lost = min(lost, max(0, absent - above))
        if count > lost:
            found.append(Stretch(max(each.first, acked + 1), each.last, count - lost))
    return _capped(sorted(found), total if absent is None else max(0, total - absent))


def _joined(told: Iterable[Stretch]) -> list[Stretch]:
    """Join the stretches that overlap: which of their numbers went with which, nobody knows."""
    found: list[Stretch] = []
    for each in sorted(told):
        if found and each.first <= found[-1].last:
            before = found[-1]
            found[-1] = Stretch(before.first, max(before.last, each.last), before.lost + each.lost)
        else:
            found.append(each)
    return found


def _capped(found: list[Stretch], most: int) -> list[Stretch]:
    """Cut what is told to what can be missing, where the note of a stretch was itself lost."""
    capped = []
    for each in found:
        lost = min(each.lost, most)
        most -= lost
        if lost:
            capped.append(each._replace(lost=lost))
    return capped


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
