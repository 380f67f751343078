"""Use cases for people: who they are, what they own, where they live, what they drive."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.clock import now_ms
from central_server.crypto import blind
from central_server.db import Database
from central_server.errors import NotFound
from central_server.form import Invalid, Problem
from central_server.rbac import Actor
from central_server.records import find, store
from central_server.records.entry import MoveIn, MoveOut, PersonForm, VehicleForm
from central_server.records.estate import get_unit
from central_server.records.find import Belonging, PersonRow
from central_server.records.importing import overlap, person_values
from central_server.schema import person

_MANY = 2


async def get_person(connection: AsyncConnection, actor: Actor, person_id: int) -> PersonRow:
    """Give one person, everything in the clear: pages mask it. Raises: NotFound."""
    found = await find.one_person(connection, actor, person_id)
    if found is None:
        raise _absent()
    return found


def _absent() -> NotFound:
    return NotFound("not_found", "There is nothing at this address.")


async def save_person(db: Database, actor: Actor, person_id: int | None, form: PersonForm) -> int:
    """Add a person or change one; a phone or identity number left empty stays as it is. Raises: Invalid, NotFound."""
    async with db.write() as connection:
        known = None if person_id is None else await get_person(connection, actor, person_id)
        code = form.code or (known.code if known else await _next_code(connection))
        if await store.is_taken(connection, "owner", person_id, code=code):
            raise Invalid({"code": Problem("This number is taken; each may stand once.")})
        phone = form.phone or (known.phone if known else None)
        id_number = form.id_number or (known.id_number if known else None)
        values = {"code": code} | person_values(connection, form.name, phone, id_number)
        if known is None:
            key = await store.add(connection, "owner", **values, created_at=now_ms())
            await audit.note(connection, actor, "records.add", f"person:{key}", code=code)
            return key
        await store.change(connection, "owner", known.id, **values)
        changed = [name for name in ("code", "name", "phone", "id_number") if values[name] != getattr(known, name)]
        await audit.note(connection, actor, "records.edit", f"person:{known.id}", changed=changed)
        return known.id


async def _next_code(connection: AsyncConnection) -> str:
    """Give the first free number after the last person's."""
    last = await connection.scalar(select(person.c.id).order_by(person.c.id.desc()).limit(1)) or 0
    while await store.is_taken(connection, "owner", None, code=f"P{last + 1:05d}"):
        last += 1
    return f"P{last + 1:05d}"


async def reveal(db: Database, actor: Actor, person_id: int, reason: str) -> PersonRow:
    """Give what the pages mask; the audit keeps who asked and why. Raises: NotFound."""
    async with db.write() as connection:
        found = await get_person(connection, actor, person_id)
        await audit.note(connection, actor, "records.reveal", f"person:{person_id}", reason=reason)
    return found


async def move_in(db: Database, actor: Actor, unit_id: int, form: MoveIn) -> None:
    """Write down who comes to own a unit or to live in it.

    A new owner ends the ownership before on the day it begins, so that no day has two.
    Raises: Invalid, NotFound.
    """
    async with db.write() as connection:
        await get_unit(connection, actor, unit_id)
        await store.lock_unit(connection, unit_id)
        person_id = await _named(connection, actor, form.person)
        since, until = form.from_on.isoformat(), None if form.to_on is None else form.to_on.isoformat()
        if form.kind == "owner":
            await _own(connection, actor, unit_id, person_id, since, until)
            values = {"unit_id": unit_id, "owner_id": person_id, "from_on": since, "to_on": until}
            await store.add(connection, "ownership", **values)
        else:
            known = await find.belongings(connection, actor, unit_id=unit_id, person_ids=[person_id])
            if any(each.kind != "owner" and overlap(since, until, each.from_on, each.to_on) for each in known):
                raise Invalid({"from_on": Problem("This person lives in the unit at that time already.")})
            values = {"unit_id": unit_id, "person_id": person_id, "from_on": since, "to_on": until}
            await store.add(connection, "tenancy", **values, kind=form.kind, created_at=now_ms())
        said: dict[str, Any] = {"person": person_id, "kind": form.kind, "from_on": since, "to_on": until}
        await audit.note(connection, actor, "records.move_in", f"unit:{unit_id}", **said)
        await audit.note(connection, actor, "records.move_in", f"person:{person_id}", unit=unit_id, kind=form.kind)


async def _own(
    connection: AsyncConnection, actor: Actor, unit_id: int, person_id: int, since: str, until: str | None
) -> None:
    """Make room for an ownership: the one that stands ends where it begins."""
    known = await find.belongings(connection, actor, unit_id=unit_id)
    for each in (each for each in known if each.kind == "owner" and overlap(since, until, each.from_on, each.to_on)):
        if each.person_id == person_id:
            raise Invalid({"person": Problem("This person owns the unit at that time already.")})
        if each.to_on is not None or each.from_on >= since:
            text = "Somebody else owns the unit at that time, since {day}. Choose a later day."
            raise Invalid({"from_on": Problem(text, {"day": each.from_on})})
        await store.change(connection, "ownership", each.id, to_on=since)


async def _named(connection: AsyncConnection, actor: Actor, text: str) -> int:
    """Find the one person of a number, a whole name or a whole phone number. Raises: Invalid."""
    total, rows = await find.people(connection, actor, text.strip(), _MANY)
    exact = [row for row in rows if row.code == text.strip()]
    if exact:
        return exact[0].id
    if total > 1:
        many = "There are {count} people of this name; write the number of the one you mean."
        raise Invalid({"person": Problem(many, {"count": total})})
    if not rows:
        raise Invalid({"person": Problem("Nobody is known by this number, whole name or phone. Add the person first.")})
    return rows[0].id


async def get_belonging(connection: AsyncConnection, actor: Actor, kind: str, key: int) -> Belonging:
    """Give one ownership or tenancy. Raises: NotFound."""
    rows = await find.belongings(connection, actor, kinds=(kind,), key=key)
    if not rows:
        raise _absent()
    return rows[0]


async def move_out(db: Database, actor: Actor, kind: str, key: int, form: MoveOut) -> Belonging:
    """End an ownership or a tenancy on a day, the first without; its own first day undoes it.

    Raises: Invalid, NotFound.
    """
    async with db.write() as connection:
        found = await get_belonging(connection, actor, kind, key)
        until = form.to_on.isoformat()
        if until < found.from_on:
            raise Invalid({"to_on": Problem("It began on {day}; it cannot end before.", {"day": found.from_on})})
        if found.to_on is not None and found.to_on < until:
            raise Invalid({"to_on": Problem("It has ended on {day} already.", {"day": found.to_on})})
        if until == found.from_on:
            await store.remove(connection, kind, key)
        else:
            await store.change(connection, kind, key, to_on=until)
        said: dict[str, Any] = {"person": found.person_id, "kind": found.kind, "to_on": until}
        await audit.note(connection, actor, "records.move_out", f"unit:{found.unit_id}", **said)
        await audit.note(connection, actor, "records.move_out", f"person:{found.person_id}", unit=found.unit_id)
    return found


async def add_vehicle(db: Database, actor: Actor, person_id: int, form: VehicleForm) -> int:
    """Write down whose a vehicle is and where it belongs. Raises: Invalid, NotFound."""
    async with db.write() as connection:
        await get_person(connection, actor, person_id)
        index = blind(connection, form.plate, "plate")
        if await find.vehicles(connection, plate_index=index):
            raise Invalid({"plate": Problem("This plate is in the records already.")})
        mine = await find.belongings(connection, actor, person_ids=[person_id])
        if form.unit is not None and form.unit not in {each.unit_id for each in mine}:
            raise Invalid({"unit": Problem("Choose one of the list.")})
        values = {"person_id": person_id, "unit_id": form.unit, "plate": form.plate, "plate_index": index}
        key = await store.add(connection, "vehicle", **values, kind=form.kind, created_at=now_ms())
        await audit.note(connection, actor, "records.add", f"vehicle:{key}", person=person_id, unit=form.unit)
        await audit.note(connection, actor, "records.vehicle", f"person:{person_id}", vehicle=key, unit=form.unit)
    return key


async def remove_vehicle(db: Database, actor: Actor, vehicle_id: int) -> int:
    """Take a vehicle out of the records; give whose it was. Raises: NotFound."""
    async with db.write() as connection:
        rows = await find.vehicles(connection, id=vehicle_id)
        if not rows:
            raise _absent()
        await get_person(connection, actor, rows[0].person_id)
        await store.change(connection, "vehicle", vehicle_id, removed_at=now_ms())
        await audit.note(connection, actor, "records.remove", f"vehicle:{vehicle_id}", person=rows[0].person_id)
    return rows[0].person_id
