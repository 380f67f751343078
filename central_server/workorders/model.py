"""A work order's states as a table, and what each step does to it.

    NEW -> TRIAGED | MERGED | REJECTED
    TRIAGED -> POOL | ASSIGNED | DEFERRED | REJECTED       DEFERRED -> TRIAGED
    POOL -> ASSIGNED (grabbed or given)
    ASSIGNED -> ACCEPTED | POOL (declined) | ASSIGNED (transferred)
    ACCEPTED -> EN_ROUTE -> ON_SITE -> IN_PROGRESS
    IN_PROGRESS -> PAUSED | QUOTED | DONE                  PAUSED -> IN_PROGRESS
    QUOTED -> IN_PROGRESS | REJECTED
    DONE -> AWAIT_PAYMENT | AWAIT_CONFIRM                  AWAIT_PAYMENT -> AWAIT_CONFIRM
    AWAIT_CONFIRM -> CLOSED | REOPENED
    CLOSED -> REOPENED (within 15 days)                    REOPENED -> ASSIGNED (the same lead)
    before ON_SITE -> CANCELLED

The events are the truth: ``replay`` gives from them what stands in the order's row.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

DAY_MS = 24 * 3600 * 1000
CLOSES_AFTER_MS = 7 * DAY_MS
REOPENS_WITHIN_MS = 15 * DAY_MS
MOST_AT_ONCE = 8  # unfinished orders that one technician may hold


class State(StrEnum):
    NEW = "new"
    TRIAGED = "triaged"
    POOL = "pool"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    EN_ROUTE = "en_route"
    ON_SITE = "on_site"
    IN_PROGRESS = "in_progress"
    PAUSED = "paused"
    QUOTED = "quoted"
    DONE = "done"
    AWAIT_PAYMENT = "await_payment"
    AWAIT_CONFIRM = "await_confirm"
    CLOSED = "closed"
    REOPENED = "reopened"
    DEFERRED = "deferred"
    MERGED = "merged"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class Step(StrEnum):
    """What can be done with an order; each is one event."""

    TRIAGE = "triage"
    MERGE = "merge"
    REJECT = "reject"
    POOL = "pool"
    ASSIGN = "assign"
    TRANSFER = "transfer"
    DEFER = "defer"
    TAKE_UP = "take_up"
    GRAB = "grab"
    ACCEPT = "accept"
    DECLINE = "decline"
    DEPART = "depart"
    ARRIVE = "arrive"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    QUOTE = "quote"
    APPROVE = "approve"
    REFUSE = "refuse"
    FINISH = "finish"
    BILL = "bill"
    HAND_OVER = "hand_over"
    SETTLE = "settle"
    CONFIRM = "confirm"
    LAPSE = "lapse"
    REOPEN = "reopen"
    RETURN = "return"
    CANCEL = "cancel"


class Word(StrEnum):
    """Events that leave the state as it is."""

    OPEN = "open"
    COMMENT = "comment"
    REPEAT = "repeat"  # the alarm or the finding came again while the order was open
    URGE = "urge"
    RATE = "rate"
    LINK = "link"  # another order was merged into this one


WORDS = frozenset(Word)


class Who(StrEnum):
    """In what part somebody takes a step; one person may have several."""

    DISPATCHER = "dispatcher"
    LEAD = "lead"  # the technician whose order it is
    TECHNICIAN = "technician"
    REQUESTER = "requester"
    CASHIER = "cashier"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Move:
    """Where a step leads and who may take it."""

    to: State
    who: frozenset[Who]


_BEFORE_ON_SITE = (
    State.NEW,
    State.TRIAGED,
    State.DEFERRED,
    State.POOL,
    State.ASSIGNED,
    State.ACCEPTED,
    State.EN_ROUTE,
)


def _moves() -> dict[tuple[State, Step], Move]:
    dispatcher, lead, system = {Who.DISPATCHER}, {Who.LEAD}, {Who.SYSTEM}
    desk, requester = {Who.DISPATCHER, Who.SYSTEM}, {Who.REQUESTER, Who.DISPATCHER}
    table: list[tuple[State, Step, State, set[Who]]] = [
        (State.NEW, Step.TRIAGE, State.TRIAGED, desk),
        (State.NEW, Step.MERGE, State.MERGED, dispatcher),
        (State.NEW, Step.REJECT, State.REJECTED, dispatcher),
        (State.TRIAGED, Step.POOL, State.POOL, desk),
        (State.TRIAGED, Step.ASSIGN, State.ASSIGNED, dispatcher),
        (State.TRIAGED, Step.DEFER, State.DEFERRED, dispatcher),
        (State.TRIAGED, Step.REJECT, State.REJECTED, dispatcher),
        (State.DEFERRED, Step.TAKE_UP, State.TRIAGED, desk),
        (State.POOL, Step.GRAB, State.ASSIGNED, {Who.TECHNICIAN}),
        (State.POOL, Step.ASSIGN, State.ASSIGNED, dispatcher),
        (State.ASSIGNED, Step.ACCEPT, State.ACCEPTED, lead),
        (State.ASSIGNED, Step.DECLINE, State.POOL, lead),
        (State.ASSIGNED, Step.TRANSFER, State.ASSIGNED, dispatcher),
        (State.ACCEPTED, Step.DEPART, State.EN_ROUTE, lead),
        (State.EN_ROUTE, Step.ARRIVE, State.ON_SITE, lead),
        (State.ON_SITE, Step.START, State.IN_PROGRESS, lead),
        (State.IN_PROGRESS, Step.FINISH, State.DONE, lead),
        (State.IN_PROGRESS, Step.PAUSE, State.PAUSED, lead),
        (State.IN_PROGRESS, Step.QUOTE, State.QUOTED, lead),
        (State.PAUSED, Step.RESUME, State.IN_PROGRESS, lead),
        (State.QUOTED, Step.APPROVE, State.IN_PROGRESS, requester),
        (State.QUOTED, Step.REFUSE, State.REJECTED, requester),
        (State.DONE, Step.BILL, State.AWAIT_PAYMENT, system),
        (State.DONE, Step.HAND_OVER, State.AWAIT_CONFIRM, system),
        (State.AWAIT_PAYMENT, Step.SETTLE, State.AWAIT_CONFIRM, {Who.CASHIER}),
        (State.AWAIT_CONFIRM, Step.CONFIRM, State.CLOSED, requester),
        (State.AWAIT_CONFIRM, Step.LAPSE, State.CLOSED, system),
        (State.AWAIT_CONFIRM, Step.REOPEN, State.REOPENED, requester),
        (State.CLOSED, Step.REOPEN, State.REOPENED, requester),
        (State.REOPENED, Step.RETURN, State.ASSIGNED, system),
        # Only where the lead can no longer be given anything: the account was ended.
        (State.REOPENED, Step.ASSIGN, State.ASSIGNED, dispatcher),
    ]
    table += [(state, Step.CANCEL, State.CANCELLED, requester) for state in _BEFORE_ON_SITE]
    return {(state, step): Move(to, frozenset(who)) for state, step, to, who in table}


MOVES: Mapping[tuple[State, Step], Move] = _moves()
ENDS = frozenset({State.CLOSED, State.MERGED, State.REJECTED, State.CANCELLED})
OPEN = frozenset(State) - ENDS
WAITING = frozenset({State.DONE, State.AWAIT_PAYMENT, State.AWAIT_CONFIRM})  # the work itself is done
UNFINISHED = OPEN - WAITING
HELD = UNFINISHED - {State.NEW, State.TRIAGED, State.POOL, State.DEFERRED, State.REOPENED}  # what a technician has
STOPPED = frozenset({State.PAUSED, State.DEFERRED, State.QUOTED})  # the clocks stand still


class Source(StrEnum):
    """Where an order came from."""

    RESIDENT = "resident"
    PHONE = "phone"
    STAFF = "staff"
    ALARM = "alarm"
    FINDING = "finding"


class Category(StrEnum):
    WATER = "water"
    POWER = "power"
    LIFT = "lift"
    DOOR = "door"
    AIR = "air"
    BUILDING = "building"
    GROUNDS = "grounds"
    OTHER = "other"


class Urgency(StrEnum):
    EMERGENCY = "emergency"
    URGENT = "urgent"
    NORMAL = "normal"
    LOW = "low"


class Reason(StrEnum):
    """Why work stands still."""

    PARTS = "parts"
    OWNER = "owner"
    WEATHER = "weather"
    THIRD_PARTY = "third_party"


@dataclass(frozen=True, slots=True)
class Target:
    """How soon somebody takes an order up, and how soon it is done. Units: minutes of working time.

    An emergency's run round the clock.
    """

    respond_min: int
    finish_min: int
    is_round_the_clock: bool = False


TARGETS: Mapping[Urgency, Target] = {
    Urgency.EMERGENCY: Target(5, 120, is_round_the_clock=True),
    Urgency.URGENT: Target(30, 4 * 60),
    Urgency.NORMAL: Target(2 * 60, 16 * 60),
    Urgency.LOW: Target(8 * 60, 40 * 60),
}


@dataclass(frozen=True, slots=True)
class FromAlarm:
    """What kind of order an alarm opens."""

    category: Category
    urgency: Urgency


# Alarms that need hands. A door forced or held open is the guard's, a silent device the engineer's.
ALARM_ORDERS: Mapping[str, FromAlarm] = {
    "lift_entrapment": FromAlarm(Category.LIFT, Urgency.EMERGENCY),
    "lift_fault": FromAlarm(Category.LIFT, Urgency.URGENT),
    "door_tamper": FromAlarm(Category.DOOR, Urgency.NORMAL),
    "water_leak": FromAlarm(Category.WATER, Urgency.EMERGENCY),
    "valve_fault": FromAlarm(Category.WATER, Urgency.NORMAL),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the events say of an order, as it stands in its row. Units: ms since 1970, fen, minutes."""

    state: State = State.NEW
    version: int = 0
    category: str = Category.OTHER
    urgency: str = Urgency.NORMAL
    lead_id: int | None = None
    respond_due_at: int = 0
    finish_due_at: int = 0
    responded_at: int | None = None
    arrived_at: int | None = None
    paused_at: int | None = None
    deferred_until: int | None = None
    finished_at: int | None = None
    ended_at: int | None = None
    labour_minutes: int | None = None
    quote_fen: int | None = None
    fee_fen: int | None = None
    merged_into_id: int | None = None
    rating: int | None = None
    changed_at: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; ``kind`` is a Step or a Word. Units: ms."""

    kind: str
    at: int
    body: Mapping[str, Any]


# What an event's body may set of an order; everything else it says is for people.
_SETS = frozenset(
    (
        "category",
        "urgency",
        "lead_id",
        "respond_due_at",
        "finish_due_at",
        "deferred_until",
        "labour_minutes",
        "quote_fen",
        "fee_fen",
        "merged_into_id",
    )
)


def apply(facts: Facts, event: Event) -> Facts:
    """Give what an event makes of an order. Raises: KeyError for a step its state has not."""
    given = {name: value for name, value in event.body.items() if name in _SETS}
    if event.kind == Word.OPEN:
        return Facts(state=State.NEW, version=1, changed_at=event.at, **given)
    if event.kind == Word.RATE:
        return replace(facts, rating=event.body["rating"], changed_at=event.at)
    if event.kind in WORDS:
        return replace(facts, changed_at=event.at)
    step = Step(event.kind)
    state = MOVES[facts.state, step].to
    changes: dict[str, Any] = {"state": state, "version": facts.version + 1, "changed_at": event.at} | given
    changes |= _instants(facts, step, state, event.at)
    return replace(facts, **changes)


def _instants(facts: Facts, step: Step, state: State, at: int) -> dict[str, Any]:
    """Give the instants a step sets or takes away, and the lead it takes away."""
    changes: dict[str, Any] = {}
    if state in STOPPED:
        changes["paused_at"] = at
    elif facts.state in STOPPED:
        changes["paused_at"] = None
    match step:
        case Step.ACCEPT:
            changes["responded_at"] = facts.responded_at or at
        case Step.DECLINE:
            changes["lead_id"] = None
        case Step.ARRIVE:
            changes["arrived_at"] = at
        case Step.TAKE_UP:
            changes["deferred_until"] = None
        case Step.FINISH:
            changes["finished_at"] = at
        case Step.REOPEN:
            changes |= dict.fromkeys(("responded_at", "arrived_at", "finished_at", "ended_at"))
    if state in ENDS:
        changes |= {"ended_at": at, "paused_at": None}
    return changes


def replay(events: Iterable[Event]) -> Facts:
    """Compute an order from its events, oldest first."""
    facts = Facts()
    for event in events:
        facts = apply(facts, event)
    return facts


def steps_from(state: State, who: frozenset[Who]) -> list[Step]:
    """Give the steps that somebody in these parts may take from a state, in the table's order."""
    return [step for (begins, step), move in MOVES.items() if begins is state and move.who & who]
