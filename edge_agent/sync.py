"""The uplink's decisions, without a network or a clock: what to send next, what an answer changes.

A lane's records leave the store only after the centre's Ack. Lanes go in order of worth, one
batch at a time, so that an alarm waits for one batch of backlog at most.

    answer          link becomes   and then
    Acked, Heard    online         the lane's mark moves; batches grow back to full size
    Gap             online         the lane goes back, if the records are still here, else it is held
    Unnamed         online         the same batch again, with the names of series that are missing there
    TooLarge        online         half the batch; a single record is held
    Broken          online         the same: halving finds the record that does not pass
    Busy            offline        as long a pause as asked for, with jitter
    Unreachable     offline        back-off, doubling, full jitter
    Refused         refused        a long pause

A held lane tries again after a long pause and never holds up the others.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from edge_agent.answer import Acked, Answer, Broken, Busy, Gap, Heard, Refused, TooLarge, Unnamed, Unreachable
from edge_agent.store_file import LaneState
from protocols.record import Lane


class Link(Enum):
    """The words of ``edge status``."""

    STARTING = "starting"
    ONLINE = "online"
    OFFLINE = "offline"
    REFUSED = "refused"


_NEXT: dict[type, Link] = {
    Acked: Link.ONLINE,
    Heard: Link.ONLINE,
    Gap: Link.ONLINE,
    Unnamed: Link.ONLINE,
    TooLarge: Link.ONLINE,
    Broken: Link.ONLINE,
    Busy: Link.OFFLINE,
    Unreachable: Link.OFFLINE,
    Refused: Link.REFUSED,
}

# Whoever reads these is told of them at once; other lanes may gather company for a moment.
_LIVE = frozenset({Lane.SAFETY, Lane.CONTROL})


@dataclass(frozen=True, slots=True)
class Policy:
    """How much and how often. Units: seconds; ``limit`` in records."""

    limit: int = 5000
    status_s: float = 5.0
    touch_s: float = 0.5  # the least time between two statuses, however much changes
    pace_s: float = 1.0  # the least time between two batches of readings that are not full
    backoff_s: float = 0.5
    backoff_most_s: float = 30.0
    refused_s: float = 60.0


@dataclass(frozen=True, slots=True)
class SendBatch:
    """Send what follows ``after_seq`` in a lane, at most ``limit`` records; ``prev`` is the batch before it.

    Shape: ``names`` is up to which number the centre knows the store's series.
    """

    lane: Lane
    after_seq: int
    limit: int
    prev: str = ""
    names: int = 0


@dataclass(frozen=True, slots=True)
class SendStatus:
    """Send the gateway's status."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to send for so many seconds, unless something new is stored."""

    seconds: float


Action = SendBatch | SendStatus | Rest


class Head(NamedTuple):
    """Where the centre's log of a lane ends, and the digest of the batch with which it ends."""

    seq: int
    digest: str


class Hold(NamedTuple):
    """A lane that cannot go on, until when, and why."""

    until: float
    reason: str


class Uplink:
    """State of one gateway's link. Units: every ``now`` is monotonic seconds."""

    def __init__(self, policy: Policy | None = None, chance: Callable[[], float] = random.random) -> None:
        self._policy = policy or Policy()
        self._chance = chance
        self._link = Link.STARTING
        self._reason: str | None = None
        self._failures = 0
        self._retry_at: float | None = None
        self._status_at: float | None = None  # None: at once
        self._status_sent_at: float | None = None
        self._marks = dict.fromkeys(Lane, 0)
        self._heads: dict[Lane, Head] = {}
        self._limits = dict.fromkeys(Lane, self._policy.limit)
        self._sent_at: dict[Lane, float] = {}
        self._holds: dict[Lane, Hold] = {}
        self._names = 0

    @property
    def link(self) -> Link:
        return Link.REFUSED if self._link is Link.ONLINE and self._holds else self._link

    @property
    def error(self) -> str | None:
        """Say why the link is not online, the centre's words included."""
        if self._reason is not None:
            return self._reason
        return next((hold.reason for hold in self._holds.values()), None)

    def retry_in_s(self, now: float) -> float | None:
        """Give the seconds until the next try, None where none is pending."""
        instants = [hold.until for hold in self._holds.values()] if self._retry_at is None else [self._retry_at]
        return max(0.0, min(instants) - now) if instants else None

    def next(self, lanes: Mapping[Lane, LaneState], now: float) -> Action:
        """Decide what to do now."""
        if self._retry_at is not None and now < self._retry_at:
            return Rest(self._retry_at - now)
        if self._link is Link.STARTING:
            return SendStatus()  # its answer tells the time, by which records are stamped right before they go
        wake_at = [self._status_due_at(now)]
        for lane in Lane:
            ready_at = self._ready_at(lane, lanes[lane])
            if ready_at is None:
                continue
            if ready_at <= now and (lane in _LIVE or wake_at[0] > now):
                return self._batch(lane, lanes[lane])
            wake_at.append(ready_at)
        return SendStatus() if wake_at[0] <= now else Rest(min(wake_at) - now)

    def unsettled(self, lanes: Mapping[Lane, LaneState]) -> list[tuple[Lane, int, str]]:
        """List the Acks that the store has not taken yet, with the digest of the batch that ends at each."""
        return [
            (lane, mark, self._digest_at(lane, mark))
            for lane, mark in self._marks.items()
            if mark > lanes[lane].acked_seq
        ]

    def _batch(self, lane: Lane, state: LaneState) -> SendBatch:
        after = self._mark(lane, state)
        stored = state.chain if after == state.acked_seq else ""
        return SendBatch(lane, after, self._limits[lane], self._digest_at(lane, after) or stored, self._names)

    def _digest_at(self, lane: Lane, seq: int) -> str:
        head = self._heads.get(lane)
        return head.digest if head is not None and head.seq == seq else ""

    def shut(self, reason: str, now: float) -> None:
        """Note that there is nothing to knock at the centre with."""
        self._move(Refused(reason), now)

    def again(self) -> None:
        """Have the next try made at once: what it was refused for has changed."""
        self._retry_at = None

    def touch(self, now: float) -> None:
        """Note that the status has changed and is worth sending."""
        earliest = now if self._status_sent_at is None else self._status_sent_at + self._policy.touch_s
        self._status_at = earliest if self._status_at is None else min(self._status_at, earliest)

    def status_answered(self, answer: Answer, now: float) -> None:
        """Take in the answer to a status."""
        self._status_sent_at = now
        self._status_at = now + self._policy.status_s
        if isinstance(answer, Broken | TooLarge | Gap | Unnamed):  # only the status is wrong; the records are not
            answer = Heard(0)
        self._move(answer, now)

    def batch_answered(
        self,
        first_seq: int,
        last_seq: int,
        lane: Lane,
        state: LaneState,
        answer: Answer,
        now: float,
        digest: str = "",
    ) -> None:
        """Take in the answer to a batch of a lane, whose state in the store is ``state``."""
        self._sent_at[lane] = now
        match answer:
            case Acked(mark) if mark >= state.next_seq:
                self._hold(lane, now, _AHEAD.format(lane=lane.word, mark=mark, last=state.next_seq - 1))
                answer = Heard(0)
            case Acked(mark) if mark < first_seq:
                answer = Unreachable(f"the centre acknowledged {mark} of the {lane.word} lane, less than it had")
            case Acked(mark, head, names):
                self._names = self._names if names is None else names
                self._heads[lane] = Head(mark, head or (digest if mark == last_seq else ""))
                # Above what was sent, the centre's word is about records it cannot have from here.
                self._marks[lane] = min(mark, last_seq)
                self._limits[lane] = min(self._limits[lane] * 2, self._policy.limit)
                self._holds.pop(lane, None)
            case Gap(expected) if state.acked_seq < expected < first_seq:
                self._heads.pop(lane, None)
                self._marks[lane] = expected - 1
            case Gap(expected):
                self._hold(lane, now, _BEHIND.format(lane=lane.word, expected=expected, first=first_seq))
            case Unnamed(have) if have != self._names:
                self._names = have
                self._sent_at.pop(lane, None)
            case Unnamed(have):
                self._hold(lane, now, f"the centre asks for names of series that it was sent: {have}")
            case TooLarge() | Broken():
                self._halve(first_seq, last_seq, lane, answer, now)
            case _:
                pass
        self._move(answer, now)

    def _move(self, answer: Answer, now: float) -> None:
        self._link = _NEXT[type(answer)]
        self._reason = None
        self._retry_at = None
        match answer:
            case Busy(wait_s, reason):
                # Never sooner than asked, and not all gateways at once.
                self._retry_at = now + wait_s + self._chance() * max(wait_s, self._backoff_s()) / 2
                self._reason = reason
                self._failures += 1
            case Unreachable(reason):
                self._retry_at = now + self._chance() * self._backoff_s()
                self._reason = reason
                self._failures += 1
            case Refused(reason):
                self._retry_at = now + self._policy.refused_s * (0.5 + self._chance() / 2)
                self._reason = reason
            case _:
                self._failures = 0

    def _backoff_s(self) -> float:
        return min(self._policy.backoff_s * 2.0 ** min(self._failures, 32), self._policy.backoff_most_s)

    def _halve(self, first_seq: int, last_seq: int, lane: Lane, answer: TooLarge | Broken, now: float) -> None:
        if last_seq > first_seq:
            self._limits[lane] = (last_seq - first_seq + 1) // 2
            self._sent_at.pop(lane, None)
            return
        reason = answer.reason if isinstance(answer, Broken) else "too large for the centre"
        self._hold(lane, now, f"the centre does not take record {first_seq} of the {lane.word} lane: {reason}")

    def _hold(self, lane: Lane, now: float, reason: str) -> None:
        self._holds[lane] = Hold(now + self._policy.refused_s * (0.5 + self._chance() / 2), reason)

    def _mark(self, lane: Lane, state: LaneState) -> int:
        return max(self._marks[lane], state.acked_seq)

    def _status_due_at(self, now: float) -> float:
        return now if self._status_at is None else self._status_at

    def _ready_at(self, lane: Lane, state: LaneState) -> float | None:
        """Say from when on a lane may send, None if it has nothing."""
        waiting = state.next_seq - 1 - self._mark(lane, state)
        if waiting <= 0:
            return None
        if lane in self._holds:
            return self._holds[lane].until
        if lane in _LIVE or waiting >= self._limits[lane] or lane not in self._sent_at:
            return 0.0
        return self._sent_at[lane] + self._policy.pace_s


_AHEAD = (
    "the centre has record {mark} of the {lane} lane, but this store has only come to {last}: it is an old copy. "
    "Move the data folder's edge.db aside and keep it, so that a new store is made."
)
_BEHIND = (
    "the centre misses record {expected} of the {lane} lane, and this store has only {first} and later: the centre had "
    "acknowledged it before. Restore the centre's newest backup."
)
