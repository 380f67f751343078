"""A visit's states as a table, who may take which step, and what a resident writes.

ASKED -> APPROVED | REFUSED | CANCELLED | EXPIRED
APPROVED -> ARRIVED | CANCELLED | EXPIRED
ARRIVED -> LEFT
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

HOUR_MS = 3600 * 1000
MOST_AHEAD = timedelta(days=30)
MOST_OPEN = 10  # that one person has waiting or expected at once
MOST_A_DAY = 20  # that one person asks for, however many were taken back
HOURS = (2, 4, 8, 12)


class State(StrEnum):
    ASKED = "asked"
    APPROVED = "approved"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    ARRIVED = "arrived"
    LEFT = "left"


class Step(StrEnum):
    """What can be done with a visit."""

    APPROVE = "approve"
    REFUSE = "refuse"
    ARRIVE = "arrive"
    LEAVE = "leave"
    CANCEL = "cancel"
    EXPIRE = "expire"


STEPS: dict[tuple[State, Step], State] = {
    (State.ASKED, Step.APPROVE): State.APPROVED,
    (State.ASKED, Step.REFUSE): State.REFUSED,
    (State.ASKED, Step.CANCEL): State.CANCELLED,
    (State.ASKED, Step.EXPIRE): State.EXPIRED,
    (State.APPROVED, Step.ARRIVE): State.ARRIVED,
    (State.APPROVED, Step.CANCEL): State.CANCELLED,
    (State.APPROVED, Step.EXPIRE): State.EXPIRED,
    (State.ARRIVED, Step.LEAVE): State.LEFT,
}
OPEN = (State.ASKED, State.APPROVED)
DESK = (Step.APPROVE, Step.REFUSE, Step.ARRIVE, Step.LEAVE)  # what the guard does; the host only cancels


def next_state(state: State, step: Step) -> State | None:
    """Give the state a step leads to, None where it cannot be taken."""
    return STEPS.get((state, step))


class Ask(BaseModel):
    """A visit as a resident asks for it; the time is the site's own."""

    unit: int | None = None
    name: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    phone: Annotated[str, StringConstraints(pattern=r"^\+?[0-9][0-9 -]{4,18}[0-9]$")] | None = None
    plate: Annotated[str, StringConstraints(min_length=3, max_length=16)] | None = None
    comes_at: datetime
    hours: Annotated[int, Field(ge=1, le=24)] = HOURS[1]
    once: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16,40}$")]


class Refusal(BaseModel):
    """Why a visit is refused; the host reads it."""

    version: int
    reason: Annotated[str, StringConstraints(min_length=2, max_length=200)]


class Seen(BaseModel):
    """The version of a visit that somebody looked at when they decided."""

    version: int
