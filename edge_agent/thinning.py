"""What goes first when the store outgrows its quota. Pure.

    used of the quota   then
    below 85 %          nothing goes
    from 85 %           history, oldest first: the centre has it
    from 95 %           telemetry that waits is thinned out: a reading a minute of each point, then one in
                        15 minutes, then one an hour; last it is dropped, the oldest first
    from 100 %          no telemetry is taken any more; registers, alarms and results still are

Registers wait for their Ack however long that takes; alarms and results are never touched.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

LEVELS = (70, 85, 95)  # per cent at which people are told
_EASED = 3  # per cent below a level at which it counts as left
SHED_HISTORY, SHED_TELEMETRY, REFUSE = 85, 95, 100
MINUTE_MS = 60_000


class Step(Enum):
    """What is done with telemetry that waits; ``width`` is of the stretch of which one reading stays."""

    MINUTE = (MINUTE_MS, "thinned to 1 min")
    QUARTER = (15 * MINUTE_MS, "thinned to 15 min")
    HOUR = (60 * MINUTE_MS, "thinned to 1 h")
    DROP = (0, "dropped")

    def __init__(self, width: int, reason: str) -> None:
        self.width = width
        self.reason = reason


class Row(NamedTuple):
    """A record that waits, as far as it matters here; ``series_id`` is None of an event."""

    seq: int
    series_id: int | None
    at: int


@dataclass(frozen=True, slots=True)
class Pass:
    """How far the thinning is: the step, and the number from which on it has not looked yet."""

    step: Step
    next_seq: int


def superfluous(rows: Iterable[Row], step: Step) -> list[int]:
    """Give the numbers that go of a run of records: of each point the last of a stretch stays, and events stay."""
    if step is Step.DROP:
        return [row.seq for row in rows]
    found: list[int] = []
    last: dict[tuple[int, int], int] = {}
    for row in rows:
        if row.series_id is None:
            continue
        key = (row.series_id, row.at // step.width)
        if key in last:
            found.append(last[key])
        last[key] = row.seq
    return sorted(found)


def next_pass(now: Pass, end: int) -> Pass | None:
    """Give where the thinning goes on once it has come to the lane's ``end``, None where all is done there."""
    if now.next_seq < end:
        return now
    steps = list(Step)
    place = steps.index(now.step) + 1
    return Pass(steps[place], 0) if place < len(steps) else None


def reached(percent: float, before: frozenset[int]) -> frozenset[int]:
    """Say which levels count as reached; one that was stays until it is well left."""
    return frozenset(level for level in LEVELS if percent >= level - (_EASED if level in before else 0))
