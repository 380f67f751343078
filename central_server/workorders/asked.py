"""What the forms of the steps ask for, and what an order learns from the answers."""

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, StringConstraints

from central_server.form import Invalid, Problem, Typed, parse
from central_server.photos import service as photos
from central_server.workorders.model import Category, Reason, Step, Urgency
from central_server.workorders.steps import Said

Note = Annotated[str, StringConstraints(min_length=2, max_length=500)]
Yuan = Annotated[Decimal, Field(ge=0, le=100_000, decimal_places=2)]


class Seen(BaseModel):
    """The version of an order that somebody looked at when they pressed the button."""

    version: int
    note: Note | None = None


class Judged(Seen):
    category: Category
    urgency: Urgency


class GivenOut(Seen):
    lead: int


class PutOff(Seen):
    until: date


class Merged(Seen):
    into: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,20}$")]


class Explained(Seen):
    note: Note


class Paused(Seen):
    reason: Reason


class Quoted(Seen):
    price: Annotated[Yuan, Field(gt=0)]
    note: Note


class Finished(Seen):
    minutes: Annotated[int, Field(ge=1, le=6000)]
    fee: Yuan | None = None
    note: Note


class Rated(BaseModel):
    stars: Annotated[int, Field(ge=1, le=5)]
    note: Note | None = None


class Comment(BaseModel):
    note: Note


FORMS: Mapping[Step, type[Seen]] = {
    Step.TRIAGE: Judged,
    Step.ASSIGN: GivenOut,
    Step.TRANSFER: GivenOut,
    Step.DEFER: PutOff,
    Step.MERGE: Merged,
    Step.REJECT: Explained,
    Step.DECLINE: Explained,
    Step.REFUSE: Explained,
    Step.REOPEN: Explained,
    Step.SETTLE: Explained,
    Step.PAUSE: Paused,
    Step.QUOTE: Quoted,
    Step.FINISH: Finished,
}
# Steps that ask for nothing: a single button is their form.
PLAIN = frozenset(Step) - frozenset(FORMS)
WITH_PHOTOS = frozenset({Step.FINISH, Step.REOPEN, Step.QUOTE, Step.PAUSE})


async def answered(step: Step, typed: Typed, zone: str) -> tuple[int, Said]:
    """Read a step's form: the version looked at, and what is said. Raises: Invalid."""
    form = parse(FORMS.get(step, Seen), typed)
    pictures = await photos.prepare(typed.files.get("photos", [])) if step in WITH_PHOTOS else []
    return form.version, Said(_body(form, zone), form.note, pictures)


def _body(form: Seen, zone: str) -> Mapping[str, object]:
    match form:
        case Judged():
            return {"category": form.category.value, "urgency": form.urgency.value}
        case GivenOut():
            return {"lead_id": form.lead}
        case PutOff():
            return {"deferred_until": _morning(form.until, zone)}
        case Merged():
            return {"merged_into_id": _number(form.into)}
        case Paused():
            return {"reason": form.reason.value}
        case Quoted():
            return {"quote_fen": int(form.price * 100)}
        case Finished():
            fee = {"fee_fen": int(form.fee * 100)} if form.fee else {}
            return {"labour_minutes": form.minutes} | fee
        case _:
            return {}


def _morning(day: date, zone: str) -> int:
    """Give the instant a day begins at a site. Raises: Invalid for one that is over, or years away."""
    local = ZoneInfo(zone)
    today = datetime.now(local).date()
    if not today < day or (day - today).days > 366:
        raise Invalid({"until": Problem("Choose a day within the next year.")})
    return round(datetime.combine(day, time(), local).timestamp() * 1000)


def _number(text: str) -> int:
    tail = text.rpartition("-")[2]
    if not tail.isascii() or not tail.isdecimal() or len(tail) > 15:
        raise Invalid({"into": Problem("This is not written as it should be.")})
    return int(tail)
