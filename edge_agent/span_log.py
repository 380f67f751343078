"""The stretches of the clock in the store: which records were stamped in which of them."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_agent.clock import Span, corrected
from edge_agent.store_file import LaneState
from protocols.record import Lane
from protocols.sync import ClockSpan

_OF_CLOCK = ",".join(("boot", "offset_ms", "since_ms", "shift_ms", "is_proved", *(f"{lane.word}_seq" for lane in Lane)))
_VERSION = 4
# A machine restarts a few times a day at most; history shown to people goes back a week.
_KEPT = 200


@dataclass(frozen=True, slots=True)
class Stretch:
    """A span with the number of its first record in each lane."""

    id: int
    span: Span
    first: Mapping[Lane, int]


def has_clock(version: int) -> bool:
    """Say whether a store of a schema's version knows of the clock."""
    return version >= _VERSION


def load_stretches(connection: sqlite3.Connection) -> list[Stretch]:
    """Read all stretches, oldest first."""
    rows = connection.execute(f"SELECT id, {_OF_CLOCK} FROM clock ORDER BY id")  # noqa: S608 - constants
    return [
        Stretch(row[0], Span(row[1], row[2], row[3], row[4], bool(row[5])), dict(zip(Lane, row[6:], strict=True)))
        for row in rows
    ]


def add_stretch(span: Span, connection: sqlite3.Connection, lanes: Mapping[Lane, LaneState]) -> None:
    """Begin a stretch with what is stored next, and forget those that nobody will ask for.

    What it says of the clock may put those before it right.
    """
    first = {lane: state.next_seq for lane, state in lanes.items()}
    values = (span.boot, span.offset_ms, span.since_ms, span.shift_ms, int(span.is_proved), *(first[it] for it in Lane))
    connection.execute(f"INSERT INTO clock ({_OF_CLOCK}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608 - constants
    # What has not been sent stays readable, however often the clock has jumped.
    connection.execute(
        "DELETE FROM clock WHERE id <= (SELECT max(id) FROM clock) - ? AND id < (SELECT max(id) FROM clock "
        "WHERE safety_seq <= ? AND control_seq <= ? AND billing_seq <= ? AND telemetry_seq <= ?)",
        (_KEPT, *(state.acked_seq + 1 for _, state in sorted(lanes.items()))),
    )
    _put_right(connection)


def prove_stretches(span: Span, connection: sqlite3.Connection, _: Mapping[Lane, LaneState]) -> None:
    """Note what has become known of the last stretch, and of those before it."""
    last = load_stretches(connection)[-1]
    _change(connection, last.id, span)
    _put_right(connection)


def _put_right(connection: sqlite3.Connection) -> None:
    stretches = load_stretches(connection)
    for stretch, span in zip(stretches, corrected([stretch.span for stretch in stretches]), strict=True):
        if span != stretch.span:
            _change(connection, stretch.id, span)


def _change(connection: sqlite3.Connection, number: int, span: Span) -> None:
    connection.execute(
        "UPDATE clock SET shift_ms = ?, is_proved = ? WHERE id = ?", (span.shift_ms, int(span.is_proved), number)
    )


def newest_stamp(connection: sqlite3.Connection, stretches: Sequence[Stretch]) -> int:
    """Give the latest instant at which the clock was right for all we know, by the end of each lane."""
    shift = stretches[-1].span.shift_ms if stretches else 0
    if shift is None:
        return 0
    ends = connection.execute(
        "SELECT r.at FROM lane AS l CROSS JOIN record AS r ON r.lane = l.lane AND r.seq = l.next_seq - 1"
    )
    return max((row[0] + shift for row in ends), default=0)


def clock_spans(stretches: Sequence[Stretch], lane: Lane, first_seq: int, last_seq: int) -> tuple[ClockSpan, ...]:
    """Give what a batch says of the clock in which its records were stamped."""
    if not stretches:
        return ()  # the first one of a store is about to be written
    starts = [stretch.first[lane] for stretch in stretches[1:]]
    return tuple(
        ClockSpan(max(stretch.first[lane], first_seq), stretch.span.boot, stretch.span.offset_ms, stretch.span.shift_ms)
        for stretch, end in zip(stretches, [*starts, last_seq + 1], strict=True)
        if stretch.first[lane] <= last_seq and end > first_seq and end > stretch.first[lane]
    )
