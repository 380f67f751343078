"""The uplink's decisions, without a network or a clock: what to send next, what an answer changes.

A lane's records leave the store only after the centre's Ack. There are two windows, lanes in order of
worth within each, and one thing in flight: whatever is live waits for one batch of backlog at most.

    live        lanes 0 and 1 at once, the status, and a snapshot of the newest values once a second
                while lanes 2 and 3 are behind
    backlog     lanes 2 and 3: as many records to a batch as the centre's window takes, fewer where a
                batch takes long on its way; after the pause that the centre asks for

    answer          link becomes   and then
    Acked, Heard    online         the lane's mark moves; batches grow up to the centre's window
    Gap             online         the lane goes back, if the records are still here, else it is held
    Unnamed         online         the same batch again, with the names of series that are missing there
    TooLarge        online         half the batch; a single record is tried again, and then set aside
    Broken          online         the same: halving finds the record that does not pass
    Disputed        online         the lane is held; nothing is set aside
    Busy            as it was      to a batch of backlog: the backlog pauses as long as asked for
    Busy            offline        to anything else: so does everything
    Unreachable     offline        back-off, doubling, full jitter
    Refused         refused        a long pause

Every pause is what was asked for and a random part on top, so that gateways which fail together do not
come back together. A held lane tries again after a long pause and never holds up the others.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from edge_agent.answer import (
    Acked,
    Answer,
    Broken,
    Busy,
    Disputed,
    Gap,
    Heard,
    Refused,
    TooLarge,
    Unnamed,
    Unreachable,
)
from edge_agent.store_file import LaneState
from protocols.record import Lane
from protocols.sync import MAX_BATCH_RECORDS


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
    Disputed: Link.ONLINE,
    Busy: Link.OFFLINE,
    Unreachable: Link.OFFLINE,
    Refused: Link.REFUSED,
}

# Whoever reads these is told of them at once; other lanes may gather company for a moment.
_LIVE = (Lane.SAFETY, Lane.CONTROL)
_BACKLOG = (Lane.BILLING, Lane.TELEMETRY)


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
    live_s: float = 1.0  # the least time between two snapshots of the newest values
    slow_s: float = 0.25  # a batch that takes longer is followed by a smaller one: an alarm may be waiting
    least: int = 250  # records; batches that are slow do not become smaller than this
    poison_tries: int = 3  # of a single record, before it is set aside
    poison_row: int = 8  # records set aside in a row; from then on one after each long pause


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
class SendLive:
    """Send a snapshot of the newest values: the lanes they are in are behind."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """Take a record that the centre refuses for good out of its lane, and keep it."""

    lane: Lane
    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to send for so many seconds, unless something new is stored."""

    seconds: float


Action = SendBatch | SendStatus | SendLive | SetAside | Rest


class Head(NamedTuple):
    """Where the centre's log of a lane ends, and the digest of the batch with which it ends."""

    seq: int
    digest: str


class Hold(NamedTuple):
    """A lane that cannot go on, until when, and why."""

    until: float
    reason: str


class Poison(NamedTuple):
    """A single record that the centre refuses, how often it has, when to try again, and why."""

    seq: int
    tries: int
    retry_at: float
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
        self._is_asked_to_wait = False
        self._status_at: float | None = None  # None: at once
        self._status_sent_at: float | None = None
        self._marks = dict.fromkeys(Lane, 0)
        self._heads: dict[Lane, Head] = {}
        self._limits = dict.fromkeys(Lane, self._policy.limit)
        self._sent_at: dict[Lane, float] = {}
        self._holds: dict[Lane, Hold] = {}
        self._names = 0
        self._window = self._policy.limit
        self._asked_at = 0.0
        self._live_at = 0.0
        self._pause: Hold | None = None  # of the backlog
        self._pauses = 0
        self._poisons: dict[Lane, Poison] = {}
        self._row = dict.fromkeys(Lane, 0)
        self._emptied: dict[Lane, int] = {}

    @property
    def link(self) -> Link:
        return Link.REFUSED if self._link is Link.ONLINE and self._holds else self._link

    @property
    def error(self) -> str | None:
        """Say why the link is not online, the centre's words included."""
        if self._reason is not None:
            return self._reason
        holds = [*self._holds.values(), *([self._pause] if self._pause is not None else [])]
        return next((hold.reason for hold in holds if hold.reason), None)

    def retry_in_s(self, now: float) -> float | None:
        """Give the seconds until the next try, None where none is pending."""
        holds = [*self._holds.values(), *([self._pause] if self._pause is not None else [])]
        instants = [hold.until for hold in holds] if self._retry_at is None else [self._retry_at]
        return max(0.0, min(instants) - now) if instants else None

    def next(self, lanes: Mapping[Lane, LaneState], now: float) -> Action:
        """Decide what to do now."""
        if self._retry_at is not None and now < self._retry_at:
            return Rest(self._retry_at - now)
        if self._link is Link.STARTING:
            return SendStatus()  # its answer tells the time, by which records are stamped right before they go
        self._asked_at = now
        wake_at: list[float] = []
        for lane in _LIVE:
            if (action := self._lane_action(lane, lanes[lane], now, wake_at)) is not None:
                return action
        status_at = self._status_due_at(now)
        if status_at <= now:
            return SendStatus()
        wake_at.append(status_at)
        if self._is_behind(lanes, now):
            if self._live_at <= now:
                return SendLive()
            wake_at.append(self._live_at)
        for lane in _BACKLOG:
            if (action := self._lane_action(lane, lanes[lane], now, wake_at)) is not None:
                return action
        return Rest(min(wake_at) - now)

    def _lane_action(self, lane: Lane, state: LaneState, now: float, wake_at: list[float]) -> Action | None:
        """Say what to do for a lane now; if nothing, note from when on there will be something."""
        ready_at = self._ready_at(lane, state)
        if ready_at is None:
            return None
        if ready_at > now:
            wake_at.append(ready_at)
            return None
        poison = self._poisons.get(lane)
        if poison is not None and poison.tries >= self._policy.poison_tries:
            return SetAside(lane, poison.seq, poison.reason)
        return self._batch(lane, state)

    def _is_behind(self, lanes: Mapping[Lane, LaneState], now: float) -> bool:
        """Tell whether what is stored now has to wait longer than for one batch."""
        is_paused = self._pause is not None and now < self._pause.until
        for lane in _BACKLOG:
            waiting = lanes[lane].next_seq - 1 - self._mark(lane, lanes[lane])
            is_stuck = is_paused or lane in self._holds or lane in self._poisons
            if lanes[lane].pending and waiting > (0 if is_stuck else min(self._limits[lane], self._policy.limit)):
                return True
        return False

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

    def hurry(self, now: float) -> None:
        """End the waits of our own making: a person asks. What the centre has asked for is kept."""
        if not self._is_asked_to_wait:
            self._retry_at = None
        self._holds = {lane: hold._replace(until=min(hold.until, now)) for lane, hold in self._holds.items()}
        self._sent_at.clear()
        self._status_at = now

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
            case Acked(mark, head, names, window, wait_s):
                self._names = self._names if names is None else names
                self._heads[lane] = Head(mark, head or (digest if mark == last_seq else ""))
                # Above what was sent, the centre's word is about records it cannot have from here.
                self._marks[lane] = min(mark, last_seq)
                self._grow(lane, window, now)
                self._holds.pop(lane, None)
                self._poisons.pop(lane, None)
                self._row[lane] = 0
                if lane in _BACKLOG:
                    self._pauses = 0
                    self._pause = Hold(now + self._after(wait_s, wait_s), "") if wait_s else None
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
            case Disputed(reason):
                self._hold(lane, now, reason)
            case TooLarge() | Broken():
                self._halve(first_seq, last_seq, lane, answer, now)
            case Busy(wait_s, reason) if lane in _BACKLOG:
                self._pause = Hold(now + self._after(wait_s, max(wait_s, self._backoff_s(self._pauses))), reason)
                self._pauses += 1
                return
            case _:
                pass
        self._move(answer, now)

    def live_answered(self, answer: Answer, now: float) -> None:
        """Take in the answer to a snapshot; nothing depends on it but the next one."""
        self._live_at = self._asked_at + self._policy.live_s
        match answer:
            case Busy(wait_s):
                self._live_at = now + self._after(wait_s, max(wait_s, self._policy.live_s))
            case Heard(wait_s=wait_s) if wait_s:
                self._live_at = now + self._after(wait_s, wait_s)
            case Unreachable() | Refused():
                self._move(answer, now)
            case Broken() | TooLarge() | Disputed():  # an older centre knows no snapshots
                self._live_at = now + self._after(self._policy.refused_s, self._policy.refused_s)
            case _:
                pass

    def set_aside(self, lane: Lane, now: float) -> None:
        """Note that the record in question is out of its lane."""
        self._poisons.pop(lane, None)
        self._sent_at.pop(lane, None)
        self._row[lane] += 1
        if self._row[lane] >= self._policy.poison_row:
            self._hold(lane, now, f"the centre refuses one record of the {lane.word} lane after the other")

    def nothing_there(self, lane: Lane, state: LaneState) -> None:
        """Note that what a lane's numbers promise up to its end is gone: set aside, or thinned out."""
        self._emptied[lane] = state.next_seq

    def _move(self, answer: Answer, now: float) -> None:
        self._link = _NEXT[type(answer)]
        self._reason = None
        self._retry_at = None
        self._is_asked_to_wait = isinstance(answer, Busy)
        match answer:
            case Busy(wait_s, reason):
                self._retry_at = now + self._after(wait_s, max(wait_s, self._backoff_s(self._failures)))
                self._reason = reason
                self._failures += 1
            case Unreachable(reason):
                self._retry_at = now + self._after(0.0, self._backoff_s(self._failures))
                self._reason = reason
                self._failures += 1
            case Refused(reason):
                self._retry_at = now + self._long_pause()
                self._reason = reason
            case _:
                self._failures = 0

    def _after(self, least_s: float, spread_s: float) -> float:
        """Draw a pause: never shorter than asked for, and spread evenly over what comes after."""
        return least_s + self._chance() * spread_s

    def _long_pause(self) -> float:
        return self._after(self._policy.refused_s / 2, self._policy.refused_s / 2)

    def _backoff_s(self, failures: int) -> float:
        return min(self._policy.backoff_s * 2.0 ** min(failures, 32), self._policy.backoff_most_s)

    def _grow(self, lane: Lane, window: int | None, now: float) -> None:
        """Fit the next batch to the centre's window, and to the time this one took."""
        if window is not None:
            self._window = max(1, min(window, MAX_BATCH_RECORDS))
        limit = self._limits[lane]
        is_slow = now - self._asked_at > self._policy.slow_s
        wanted = max(limit // 2, min(limit, self._policy.least)) if is_slow else limit * 2
        self._limits[lane] = min(wanted, self._window)

    def _halve(self, first_seq: int, last_seq: int, lane: Lane, answer: TooLarge | Broken, now: float) -> None:
        if last_seq > first_seq:
            self._limits[lane] = (last_seq - first_seq + 1) // 2
            self._sent_at.pop(lane, None)
            return
        reason = answer.reason if isinstance(answer, Broken) else "it is too large for the centre"
        before = self._poisons.get(lane)
        tries = before.tries + 1 if before is not None and before.seq == first_seq else 1
        pause = self._after(0.0, self._backoff_s(tries)) if tries < self._policy.poison_tries else 0.0
        self._poisons[lane] = Poison(first_seq, tries, now + pause, reason)

    def _hold(self, lane: Lane, now: float, reason: str) -> None:
        self._holds[lane] = Hold(now + self._long_pause(), reason)

    def _mark(self, lane: Lane, state: LaneState) -> int:
        return max(self._marks[lane], state.acked_seq)

    def _status_due_at(self, now: float) -> float:
        return now if self._status_at is None else self._status_at

    def _ready_at(self, lane: Lane, state: LaneState) -> float | None:
        """Say from when on a lane may send, None if it has nothing."""
        waiting = state.next_seq - 1 - self._mark(lane, state)
        if waiting <= 0 or not state.pending or self._emptied.get(lane) == state.next_seq:
            return None
        if lane in self._holds:
            return self._holds[lane].until
        if lane in self._poisons:
            return self._poisons[lane].retry_at
        if lane in _LIVE:
            return 0.0
        paused_until = 0.0 if self._pause is None else self._pause.until
        if waiting >= self._limits[lane] or lane not in self._sent_at:
            return paused_until
        return max(paused_until, self._sent_at[lane] + self._policy.pace_s)


_AHEAD = (
    "the centre has record {mark} of the {lane} lane, but this store has only come to {last}: it is an old copy. "
    "Move the data folder's edge.db aside and keep it, so that a new store is made."
)
_BEHIND = (
    "the centre misses record {expected} of the {lane} lane, and this store has only {first} and later: the centre had "
    "acknowledged it before. Restore the centre's newest backup."
)
