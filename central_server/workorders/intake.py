"""How work orders begin: a resident or the desk reports a fault, a device raises an alarm, an inspection finds something."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, StringConstraints
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.calendar import load_calendar
from central_server.clock import now_ms
from central_server.crypto import blind
from central_server.db import Database
from central_server.form import Invalid, Problem
from central_server.photos import service as photos
from central_server.photos.picture import Picture
from central_server.rbac import Actor, Right, system
from central_server.records import residency
from central_server.records.personal import plain_phone
from central_server.schema import gateway, work_order
from central_server.workorders import clocks, store
from central_server.workorders.model import (
    ALARM_ORDERS,
    DAY_MS,
    ENDS,
    Category,
    Event,
    Facts,
    Source,
    Step,
    Urgency,
    Word,
    apply,
)
from central_server.workorders.store import Order, Place
from protocols.sync import Event as GatewayEvent

MOST_A_DAY = 10
MOST_ALIKE = 2
_TOO_MANY = "You have reported {most} faults within a day. Call the office if there is another one."
_ALIKE = "You have reported this {most} times today already. Open that report and urge it instead."

Line = Annotated[str, StringConstraints(min_length=2, max_length=120)]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9][0-9 -]{4,18}[0-9]$")]
OnceKey = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16,64}$")]


class FaultReport(BaseModel):
    """A fault as a resident writes it down."""

    unit: int | None = None
    is_public: bool = False
    place: Annotated[str, StringConstraints(max_length=120)] = ""
    category: Category
    title: Line
    detail: Annotated[str, StringConstraints(max_length=2000)] | None = None
    phone: Phone | None = None
    once: OnceKey


class DeskReport(BaseModel):
    """A fault as the desk writes it down, for somebody on the phone or as seen by the staff."""

    where: Annotated[str, StringConstraints(pattern=r"^[sb][0-9]{1,18}$")]
    unit: Annotated[str, StringConstraints(max_length=64)] | None = None
    place: Annotated[str, StringConstraints(max_length=120)] = ""
    category: Category
    urgency: Urgency = Urgency.NORMAL
    title: Line
    detail: Annotated[str, StringConstraints(max_length=2000)] | None = None
    name: Annotated[str, StringConstraints(max_length=60)] | None = None
    phone: Phone | None = None
    once: OnceKey


@dataclass(frozen=True, slots=True)
class Report:
    """A fault to be repaired, from whomever it comes.

    Shape: ``once`` makes one order of a form that is sent twice; ``fault_key`` one of a fault that is
    told twice while its order is open.
    """

    site_id: int
    source: Source
    category: Category
    title: str
    urgency: Urgency = Urgency.NORMAL
    building_id: int | None = None
    unit_id: int | None = None
    equipment_id: int | None = None
    device_id: int | None = None
    alarm_id: int | None = None
    person_id: int | None = None
    condition: str | None = None
    place: str = ""
    detail: str | None = None
    contact_name: str | None = None
    contact_phone: str | None = None
    once: str | None = None
    fault_key: str | None = None


async def report(
    db: Database, actor: Actor, new: Report, pictures: Sequence[Picture] = (), *, at: int | None = None
) -> Order:
    """Open a work order; give the one there is where the same form came before."""
    async with db.write() as connection:
        order_id = await _by_once_key(connection, new.once)
        if order_id is None:
            order_id = await open_order(connection, actor, new, now_ms() if at is None else at, pictures)
        order = await store.find(connection, work_order.c.id == order_id)
        assert order is not None  # written above, in this transaction
    return order


async def report_fault(
    db: Database, actor: Actor, typed: FaultReport, pictures: Sequence[Picture] = (), *, at: int | None = None
) -> Order:
    """Open an order for a resident's own unit or what all share. Raises: Invalid."""
    person_id, now = actor.person_id, now_ms() if at is None else at
    async with db.write() as connection:
        order_id = await _by_once_key(connection, typed.once)
        if order_id is None:
            home = await _home(connection, person_id, typed.unit, now)
            await _check_limits(connection, person_id, typed, now)
            new = Report(
                site_id=home.site_id,
                source=Source.RESIDENT,
                category=typed.category,
                title=typed.title,
                building_id=home.building_id,
                unit_id=None if typed.is_public else home.id,
                person_id=person_id,
                place=typed.place,
                detail=typed.detail,
                contact_name=actor.name,
                contact_phone=typed.phone,
                once=typed.once,
            )
            order_id = await open_order(connection, actor, new, now, pictures)
        mine = (work_order.c.id == order_id, work_order.c.person_id == person_id)
        order = await store.find(connection, *mine)
    if order is None:  # a form's key of somebody else
        raise Invalid({"": Problem("This form was sent before. Open it anew.")})
    return order


async def report_at_desk(
    db: Database, actor: Actor, typed: DeskReport, pictures: Sequence[Picture] = (), *, at: int | None = None
) -> Order:
    """Open an order that the staff write down. Raises: Invalid."""
    now = now_ms() if at is None else at
    async with db.write() as connection:
        places = {place.key: place for place in await store.places(connection, actor)}
        if (place := places.get(typed.where)) is None:
            raise Invalid({"where": Problem("Choose one of the list.")})
        order_id = await _by_once_key(connection, typed.once)
        if order_id is None:
            unit_id = await _unit(connection, place, typed.unit)
            new = Report(
                site_id=place.site_id,
                source=Source.PHONE if typed.phone or typed.name else Source.STAFF,
                category=typed.category,
                title=typed.title,
                urgency=typed.urgency,
                building_id=place.building_id,
                unit_id=unit_id,
                person_id=await _caller(connection, place.site_id, unit_id, typed.phone),
                place=typed.place,
                detail=typed.detail,
                contact_name=typed.name,
                contact_phone=typed.phone,
                once=typed.once,
            )
            order_id = await open_order(connection, actor, new, now, pictures)
            # Whoever dispatches and writes down an urgency has judged it.
            if actor.may(Right.ORDERS_DISPATCH):
                await pass_on(connection, order_id, now, (Step.TRIAGE,))
        order = await store.find(connection, work_order.c.id == order_id, actor.sees_site(work_order.c.site_id))
    if order is None:
        raise Invalid({"": Problem("This form was sent before. Open it anew.")})
    return order


async def _by_once_key(connection: AsyncConnection, once: str | None) -> int | None:
    if once is None:
        return None
    found: int | None = await connection.scalar(select(work_order.c.id).where(work_order.c.once_key == once))
    return found


async def _home(connection: AsyncConnection, person_id: int | None, unit_id: int | None, now: int) -> residency.UnitRow:
    """Give the unit that a resident chose, or the only one there is. Raises: Invalid."""
    today = datetime.fromtimestamp(now / 1000, UTC).date().isoformat()
    units = await residency.units_of(connection, person_id, today) if person_id is not None else []
    if not units:
        raise Invalid({"": Problem("No unit of the records is yours now. Ask the office to enter you.")})
    found = next((each for each in units if each.id == unit_id or len(units) == 1), None)
    if found is None:
        raise Invalid({"unit": Problem("Choose one of the list.")})
    return found


async def _check_limits(connection: AsyncConnection, person_id: int | None, typed: FaultReport, now: int) -> None:
    today = (work_order.c.person_id == person_id, work_order.c.created_at > now - DAY_MS)
    if await store.count(connection, *today, work_order.c.source == Source.RESIDENT.value) >= MOST_A_DAY:
        raise Invalid({"": Problem(_TOO_MANY, {"most": MOST_A_DAY})})
    alike = (*today, work_order.c.category == typed.category.value, work_order.c.title == typed.title)
    if await store.count(connection, *alike) >= MOST_ALIKE:
        raise Invalid({"title": Problem(_ALIKE, {"most": MOST_ALIKE})})


async def _unit(connection: AsyncConnection, place: Place, code: str | None) -> int | None:
    if code is None:
        return None
    if place.building_id is None:
        raise Invalid({"unit": Problem("Choose the building of this unit above.")})
    found = await store.unit_in(connection, place.building_id, code)
    if found is None:
        raise Invalid({"unit": Problem("There is no unit {unit} in this building.", {"unit": code})})
    return found


async def _caller(connection: AsyncConnection, site_id: int, unit_id: int | None, phone: str | None) -> int | None:
    """Find who calls among the people of the unit, so that they find the order on their own pages."""
    if unit_id is None or phone is None:
        return None
    zone = await store.site_zone(connection, site_id)
    today = datetime.now(zone).date().isoformat()
    digits = "".join(filter(str.isdigit, phone))
    for each in await residency.people_of_unit(connection, unit_id, today):
        if each.phone is not None and "".join(filter(str.isdigit, each.phone)) == digits:
            return each.person_id
    return None


async def open_order(
    connection: AsyncConnection, actor: Actor, new: Report, at: int, pictures: Sequence[Picture] = ()
) -> int:
    """Write a new order and its first event in the caller's transaction; give its id."""
    zone = await store.site_zone(connection, new.site_id)
    body = {"category": new.category.value, "urgency": new.urgency.value, "source": new.source.value}
    event = Event(Word.OPEN, at, body | clocks.dues(load_calendar(), new.urgency, at, zone))
    values: dict[str, Any] = {
        name: getattr(new, name)
        for name in (
            *("site_id", "building_id", "unit_id", "equipment_id", "device_id", "alarm_id", "person_id", "condition"),
            *("title", "place", "detail", "contact_name", "contact_phone", "fault_key"),
        )
    }
    phone = new.contact_phone
    values |= {
        "source": new.source.value,
        "contact_phone_index": None if phone is None else blind(connection, plain_phone(phone), "phone"),
        "created_at": at,
        "created_by": actor.login,
        "once_key": new.once,
    }
    order_id = await store.add(connection, apply(Facts(), event), **values)
    await store.add_event(connection, order_id, actor, event)
    kept = {"kind": "order", "kind_id": order_id, "site_id": new.site_id, "person_id": new.person_id}
    await photos.add(connection, pictures, actor=actor, **kept)  # type: ignore[arg-type]  # as named above
    await audit.note(connection, actor, "orders.open", f"order:{order_id}", source=new.source.value)
    return order_id


async def pass_on(connection: AsyncConnection, order_id: int, at: int, steps: Sequence[Step]) -> None:
    """Let the product itself take steps that need nobody's judgement."""
    for step in steps:
        order = await store.find(connection, work_order.c.id == order_id)
        if order is not None:
            await store.advance(connection, order, system("gatehouse"), Event(step, at, {}))


async def open_for_event(connection: AsyncConnection, gateway_id: int, edge_id: str, event: GatewayEvent) -> int | None:
    """Open an order for the alarm that a gateway's event has just raised, where it is one that needs hands."""
    condition = str(event.body.get("condition", ""))
    if event.kind != "alarm" or event.body.get("state") == "cleared" or condition not in ALARM_ORDERS:
        return None
    alarm_id = await store.alarm_of(connection, gateway_id, event.subject, condition, event.at)
    if alarm_id is None:
        return None
    kind, _, code = event.subject.partition(":")
    site_id: int = (await connection.execute(select(gateway.c.site_id).where(gateway.c.id == gateway_id))).scalar_one()
    device_id = await store.device_of(connection, gateway_id, code) if kind == "device" else None
    return await open_from_alarm(
        connection,
        alarm_id=alarm_id,
        site_id=site_id,
        device_id=device_id,
        subject=f"{edge_id}/{event.subject}",
        condition=condition,
        at=now_ms(),  # the clocks begin when the centre knows of it; the gateway may have been cut off for hours
    )


async def open_from_alarm(
    connection: AsyncConnection,
    *,
    alarm_id: int,
    site_id: int,
    device_id: int | None,
    subject: str,
    condition: str,
    at: int,
) -> int | None:
    """Open an order for an alarm and offer it to the technicians; None where the alarm needs no hands.

    Shape: while an order of the same fault is open, the alarm is a word in it and nothing new.
    """
    wanted = ALARM_ORDERS.get(condition)
    if wanted is None or await store.has_order_of_alarm(connection, alarm_id):
        return None
    actor = system("gatehouse")
    fault_key = f"alarm:{device_id or subject}:{condition}"[:255]
    if (known := await _repeat(connection, actor, fault_key, {"alarm": alarm_id}, at)) is not None:
        return known
    new = Report(
        site_id=site_id,
        source=Source.ALARM,
        category=wanted.category,
        title="",
        urgency=wanted.urgency,
        device_id=device_id,
        alarm_id=alarm_id,
        condition=condition,
        place="" if device_id is not None else subject,
        fault_key=fault_key,
    )
    order_id = await open_order(connection, actor, new, at)
    await pass_on(connection, order_id, at, (Step.TRIAGE, Step.POOL))
    return order_id


async def open_from_finding(
    connection: AsyncConnection,
    actor: Actor,
    *,
    site_id: int,
    building_id: int | None,
    equipment_id: int | None,
    subject: str,
    title: str,
    detail: str,
    photo_ids: Sequence[int],
    at: int,
) -> int:
    """Open an order for what an inspection found, with its photos; give its id.

    Shape: ``subject`` names the thing and the item that failed; while an order of the same subject is
    open, the finding is a word in it.
    """
    fault_key = f"finding:{site_id}:{subject}"[:255]
    order_id = await _repeat(connection, actor, fault_key, {}, at, detail)
    if order_id is None:
        new = Report(
            site_id=site_id,
            source=Source.FINDING,
            category=Category.OTHER,
            title=title,
            building_id=building_id,
            equipment_id=equipment_id,
            detail=detail,
            fault_key=fault_key,
        )
        order_id = await open_order(connection, actor, new, at)
    await store.copy_photos(connection, photo_ids, order_id)
    return order_id


async def _repeat(
    connection: AsyncConnection, actor: Actor, fault_key: str, body: dict[str, Any], at: int, note: str | None = None
) -> int | None:
    """Write into the open order of a fault that it came again; None where there is none."""
    open_states = work_order.c.state.not_in([each.value for each in ENDS])
    order = await store.find(connection, work_order.c.open_key == fault_key, open_states)
    if order is None:
        return None
    await store.advance(connection, order, actor, Event(Word.REPEAT, at, body), note)
    await audit.note(connection, actor, "orders.repeat", f"order:{order.id}")
    return order.id
