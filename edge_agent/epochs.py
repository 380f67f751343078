"""Epochs of a store: what is sent under which, and in what order. Pure, but for reading and writing their rows.

A store that was damaged, or that is a copy, begins a new epoch: numbers that the old one may have given
out can then not be taken for others. What was pending stays under its own epoch and number, so that the
centre skips what it has; it goes first, for the centre takes nothing of an epoch once it has heard a newer.
Numbers go on from one epoch to the next; the first batch of an epoch covers those before it.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edge_agent.seal import seal_texts
from edge_agent.store_file import SEAL_VERSION, LaneState, reading
from protocols.record import Lane


class PastEpoch(NamedTuple):
    """An epoch that has ended; ``last`` is by lane the number of its last record here."""

    epoch: int
    last: Mapping[Lane, int]


@dataclass(frozen=True, slots=True)
class Leg:
    """One epoch's part of the lanes: what follows ``after``, up to ``last``, None where it goes on."""

    epoch: int
    after: Mapping[Lane, int]
    last: Mapping[Lane, int] | None

    @property
    def is_past(self) -> bool:
        return self.last is not None

    def is_left(self, lanes: Mapping[Lane, LaneState]) -> bool:
        """Tell whether something of a past epoch is still to be sent."""
        return self.last is not None and any(lanes[lane].acked_seq < end for lane, end in self.last.items())

    def lanes(self, lanes: Mapping[Lane, LaneState]) -> dict[Lane, LaneState]:
        """Show the lanes as if nothing came after this epoch."""
        if self.last is None:
            return dict(lanes)
        return {lane: _until(state, self.last[lane]) for lane, state in lanes.items()}

    def first_seq(self, lane: Lane, after_seq: int) -> int:
        """Give the number with which a batch begins that follows another."""
        return 1 if after_seq <= self.after[lane] else after_seq + 1

    def end(self, lane: Lane, mark: int) -> int:
        """Cut a number of the centre's to this epoch: it may have more of it than is left here."""
        return mark if self.last is None else min(mark, self.last[lane])


def _until(state: LaneState, last: int) -> LaneState:
    end = max(last, state.acked_seq)
    if end >= state.next_seq - 1:
        return state
    waiting = min(end - state.acked_seq, state.pending)
    return state._replace(next_seq=end + 1, pending=waiting, oldest_at=state.oldest_at if waiting else None)


def current_leg(past: Sequence[PastEpoch], epoch: int, lanes: Mapping[Lane, LaneState]) -> Leg:
    """Say which epoch is being sent: the oldest of which something is left, else the store's own."""
    return next(leg for leg in legs_of(past, epoch) if leg.last is None or leg.is_left(lanes))


def legs_of(past: Sequence[PastEpoch], epoch: int) -> list[Leg]:
    """Give the legs in their order; the last one is the store's own epoch."""
    starts: list[Mapping[Lane, int]] = [dict.fromkeys(Lane, 0), *(part.last for part in past)]
    ends = [(part.epoch, part.last) for part in past]
    return [Leg(of, after, last) for after, (of, last) in zip(starts, [*ends, (epoch, None)], strict=True)]


_SELECT = "SELECT epoch, safety_seq, control_seq, billing_seq, telemetry_seq, seal FROM past_epoch ORDER BY id"
_INSERT = "INSERT INTO past_epoch (epoch, safety_seq, control_seq, billing_seq, telemetry_seq, seal) VALUES (?, ?, ?, ?, ?, ?)"


def load_past(connection: sqlite3.Connection) -> list[PastEpoch]:
    """Read the epochs that have ended, oldest first; a row that is damaged is left out."""
    rows = connection.execute(_SELECT).fetchall()
    return [part for row in rows if (part := past_of(row)) is not None]


def read_past(path: Path) -> list[PastEpoch]:
    """Read a store's past epochs, whether the service runs or not.

    Raises: StoreError.
    """
    with reading(path) as connection:
        return load_past(connection) if connection.execute("PRAGMA user_version").fetchone()[0] >= SEAL_VERSION else []


def past_of(row: Sequence[object]) -> PastEpoch | None:
    """Read a row of the table without its id, None where it is damaged."""
    if len(row) != len(Lane) + 2 or seal_texts(*row[:-1]) != row[-1]:
        return None
    return PastEpoch(int(str(row[0])), {lane: int(str(seq)) for lane, seq in zip(Lane, row[1:-1], strict=True)})


def add_past(connection: sqlite3.Connection, part: PastEpoch) -> None:
    row = (str(part.epoch), *(part.last[lane] for lane in Lane))
    connection.execute(_INSERT, (*row, seal_texts(*row)))
