"""Inspection's rules: what an answer says, what a task comes to, and when it is too late; pure.

States of each expected (task, point): open -> done | late | missed | excused; a missed one may
still become done (the check was made in time and came later) or late; done and late stay.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from central_server.dashboard.i18n import N_
from central_server.form import Problem

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

AHEAD_MS = 36 * HOUR_MS  # how far ahead tasks are made
MAKE_UP_MS = DAY_MS  # how long a statutory round that was missed is then due
SKEW_MS = 2 * MINUTE_MS  # a phone's clock further off than this is told
_LATE_MS = DAY_MS  # how long after its end a round may still be made
_STATUTORY_LATE_MS = 30 * DAY_MS
_OLDEST_MS = 7 * DAY_MS  # a check that waited longer on a phone is not believed


class State(StrEnum):
    """What became of a task, or of a point of it."""

    OPEN = "open"
    DONE = "done"
    LATE = "late"
    MISSED = "missed"
    EXCUSED = "excused"


class Kind(StrEnum):
    """What a check item asks for."""

    IN_ORDER = "pass"
    NUMBER = "number"
    TEXT = "text"
    PHOTO = "photo"
    METER = "meter"


@dataclass(frozen=True, slots=True)
class Item:
    """What is looked at: limits belong to numbers, a metering point to a meter."""

    id: int
    kind: Kind
    title: str
    unit: str = ""
    low: Decimal | None = None
    high: Decimal | None = None
    metering_point_id: int | None = None
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody entered for an item; ``is_odd``: the meter shows this although it cannot be."""

    text: str = ""
    has_photo: bool = False
    is_odd: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What an item came to; ``number`` where it is one."""

    item: Item
    value: str
    is_failed: bool
    number: Decimal | None = None


class NotAnswered(ValueError):
    """What was entered does not answer the item."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


def judge(item: Item, given: Given) -> Answer | None:
    """Say what an answer comes to; None where nothing was entered and nothing need be.

    Raises: NotAnswered.
    """
    match item.kind:
        case Kind.PHOTO:
            if not given.has_photo:
                return _left_out(item, N_("Take a photo."))
            return Answer(item, "1", is_failed=False)
        case Kind.IN_ORDER:
            if given.text not in ("ok", "fail"):
                return _left_out(item, N_("Say whether it is in order."))
            return Answer(item, given.text, is_failed=given.text == "fail")
        case Kind.TEXT:
            if not given.text:
                return _left_out(item, "Fill this in.")
            return Answer(item, given.text[:2000], is_failed=False)
    if not given.text:
        return _left_out(item, "Fill this in.")
    number = _number(given.text)
    outside = (item.low is not None and number < item.low) or (item.high is not None and number > item.high)
    return Answer(item, format(number, "f"), outside or given.is_odd, number)


def _left_out(item: Item, text: str) -> Answer | None:
    """Accept that nothing was entered where nothing need be."""
    if item.is_required:
        raise NotAnswered(Problem(text))
    return None


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text.replace(",", "").replace("，", "."))
    except InvalidOperation:
        raise NotAnswered(Problem("Write a number, such as 12.50.")) from None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(number) >= Decimal(10) ** 12 or exponent < -6 or exponent > 12:
        raise NotAnswered(Problem("Write a number, such as 12.50."))
    return number


def task_state(points: Iterable[State]) -> State:
    """Say what a task is, from its points: as good as the worst of them."""
    found = set(points)
    for state in (State.OPEN, State.MISSED, State.LATE, State.DONE):
        if state in found:
            return state
    return State.EXCUSED if found else State.DONE


def state_of_check(done_at: int, ends_at: int) -> State:
    """Judge by when it was done, not by when it came."""
    return State.DONE if done_at <= ends_at else State.LATE


def late_until(ends_at: int, *, is_statutory: bool) -> int:
    """Say until when a round that is over may still be made."""
    return ends_at + (_STATUTORY_LATE_MS if is_statutory else _LATE_MS)


@dataclass(frozen=True, slots=True)
class Moment:
    """When a check was done, as the server counts; ``skew_ms`` how far the phone's clock is ahead."""

    done_at: int
    skew_ms: int


def moment(received_at: int, done_at: int | None, sent_at: int | None) -> Moment:
    """Count back from the arrival by how long ago the phone says it was: its clock may be wrong, not its count.

    Raises: NotAnswered for more than a phone can have kept, or a count that runs backwards.
    """
    if done_at is None or sent_at is None:
        return Moment(received_at, 0)
    age = sent_at - done_at
    if not -1000 <= age <= _OLDEST_MS:
        raise NotAnswered(Problem("The phone's clock was moved. Make this check again."))
    return Moment(received_at - max(0, age), sent_at - received_at)
