"""Visits' use cases: a resident asks, the guard decides, lets in and out; what nobody came for ends by itself."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.form import Invalid, Problem
from central_server.rbac import Actor
from central_server.records import service as records
from central_server.visitors import store
from central_server.visitors.model import (
    HOUR_MS,
    MOST_A_DAY,
    MOST_AHEAD,
    MOST_OPEN,
    Ask,
    State,
    Step,
    next_state,
)
from central_server.visitors.store import Visit

_DAY_MS = 24 * HOUR_MS
_MOST = 200


async def ask(db: Database, actor: Actor, wanted: Ask, on: str) -> int:
    """Ask for a visit to one of the actor's own units on a day; give its id. Raises: Invalid, NotFound."""
    now, person_id = now_ms(), _person(actor)
    once_key = f"{person_id}:{wanted.once}"  # a form that was sent twice asks once
    async with db.write() as connection:
        if (known := await store.by_once_key(connection, once_key)) is not None:
            return known
        units = await records.units_of(connection, person_id, on)
        unit = next((each for each in units if each.id == wanted.unit or len(units) == 1), None)
        if unit is None:
            raise Invalid({"unit": Problem("Choose one of the list.")})
        from_at = _checked(wanted.comes_at, unit.zone, now)
        await _check_limits(connection, person_id, now)
        made = await store.add(
            connection,
            site_id=unit.site_id,
            unit_id=unit.id,
            person_id=person_id,
            name=wanted.name,
            phone=wanted.phone,
            plate=wanted.plate,
            from_at=from_at,
            until_at=from_at + wanted.hours * HOUR_MS,
            state=State.ASKED.value,
            version=1,
            created_at=now,
            once_key=once_key,
        )
        await audit.note(connection, actor, "visitors.ask", f"visit:{made}", unit=unit.id)
    return made


def _checked(comes_at: datetime, zone: str, now: int) -> int:
    """Give the instant of a site's own time. Raises: Invalid for one that is over or too far away."""
    local = comes_at.replace(tzinfo=ZoneInfo(zone)) if comes_at.tzinfo is None else comes_at
    at = round(local.timestamp() * 1000)
    if at < now - HOUR_MS:
        raise Invalid({"comes_at": Problem("This time is over. Write when your visitor will come.")})
    if datetime.fromtimestamp(at / 1000, UTC) > datetime.fromtimestamp(now / 1000, UTC) + MOST_AHEAD:
        raise Invalid({"comes_at": Problem("Write a time within the next {days} days.", {"days": MOST_AHEAD.days})})
    return at


async def _check_limits(connection: AsyncConnection, person_id: int, now: int) -> None:
    open_count, today = await store.counts_of_person(connection, person_id, now - _DAY_MS)
    if open_count >= MOST_OPEN:
        waiting = "You have {most} visitors announced. Take one back, or wait until one has come."
        raise Invalid({"": Problem(waiting, {"most": MOST_OPEN})})
    if today >= MOST_A_DAY:
        many = "You have announced {most} visitors within a day. Ask the guard to let in the others."
        raise Invalid({"": Problem(many, {"most": MOST_A_DAY})})


async def decide(
    db: Database, actor: Actor, visit_id: int, step: Step, version: int, reason: str | None = None
) -> Visit:
    """Take a step at the gate; give the visit as it was. Raises: NotFound, Conflict."""
    async with db.write() as connection:
        visit = await store.visit(connection, actor, visit_id)
        return await _take(connection, actor, visit, step, version, reason)


async def cancel(db: Database, actor: Actor, visit_id: int, version: int) -> Visit:
    """Take back one's own visit; give it as it was. Raises: NotFound, Conflict."""
    async with db.write() as connection:
        visit = await store.visit(connection, actor, visit_id, _person(actor))
        return await _take(connection, actor, visit, Step.CANCEL, version, None)


async def _take(
    connection: AsyncConnection, actor: Actor, visit: Visit | None, step: Step, version: int, reason: str | None
) -> Visit:
    if visit is None:
        raise NotFound("no_visit", "There is no such visit.")
    now = now_ms()
    state = next_state(visit.state, step)
    if state is None:
        raise Conflict("visit_moved", "Somebody else has changed this visit meanwhile. Look at it again.")
    if step in (Step.APPROVE, Step.ARRIVE) and visit.until_at <= now:
        raise Conflict("visit_over", "The time of this visit is over. It has to be announced again.")
    values: dict[str, object] = {"state": state.value}
    if step in (Step.APPROVE, Step.REFUSE):
        values |= {"decided_at": now, "decided_by": actor.login, "reason": reason}
    if step in (Step.ARRIVE, Step.LEAVE):
        values["arrived_at" if step is Step.ARRIVE else "left_at"] = now
    if not await store.change(connection, visit.id, version, **values):
        raise Conflict("visit_moved", "Somebody else has changed this visit meanwhile. Look at it again.")
    await audit.note(connection, actor, f"visitors.{step.value}", f"visit:{visit.id}")
    return visit


async def expire(db: Database, actor: Actor, now: int) -> set[int]:
    """End the visits that nobody came for in their time; give their sites."""
    async with db.read() as connection:
        if not await store.overdue(connection, now):
            return set()
    ended = set()
    async with db.write() as connection:
        for visit_id, site_id, version, state in await store.overdue(connection, now):
            after = next_state(state, Step.EXPIRE)
            if after and await store.change(connection, visit_id, version, state=after.value):
                await audit.note(connection, actor, "visitors.expire", f"visit:{visit_id}")
                ended.add(site_id)
    return ended


async def at_the_gate(connection: AsyncConnection, actor: Actor) -> dict[State, list[Visit]]:
    """Give the visits that the guard has to do with: to decide, to expect, and inside."""
    found = await store.in_states(connection, actor, (State.ASKED, State.APPROVED, State.ARRIVED), _MOST)
    return {
        state: [each for each in found if each.state is state] for state in (State.ASKED, State.APPROVED, State.ARRIVED)
    }


async def get_visit(connection: AsyncConnection, actor: Actor, visit_id: int) -> Visit:
    """Give one visit of the actor's sites. Raises: NotFound."""
    visit = await store.visit(connection, actor, visit_id)
    if visit is None:
        raise NotFound("no_visit", "There is no such visit.")
    return visit


async def over(connection: AsyncConnection, actor: Actor, limit: int) -> list[Visit]:
    """Give the visits that are over, the newest first."""
    states = (State.LEFT, State.REFUSED, State.CANCELLED, State.EXPIRED)
    return await store.in_states(connection, actor, states, limit, newest_first=True)


async def visits_of(connection: AsyncConnection, person_id: int, limit: int = 50) -> list[Visit]:
    """Give somebody's own visits, the last to come first."""
    return await store.of_person(connection, person_id, limit)


async def next_visit(connection: AsyncConnection, person_id: int) -> Visit | None:
    """Give the visit that somebody expects next, decided or not."""
    mine = [each for each in await visits_of(connection, person_id) if each.state in (State.ASKED, State.APPROVED)]
    return min(mine, key=lambda each: each.from_at, default=None)


def _person(actor: Actor) -> int:
    if actor.person_id is None:
        raise NotFound("no_person", "This account belongs to nobody of the records. Ask the office.")
    return actor.person_id
