"""Use cases of doors: cards given and taken, groups, schedules, and how a door is worked.

Whatever changes here is in the rules of the gateways before the page comes back.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.access import rule_store, rules, store
from central_server.access.decisions import card_index, plain_number
from central_server.access.entry import DoorForm, GroupForm, NewCard, ScheduleName, TrustForm
from central_server.access.store import CardRow, DoorRow, GroupRow, ScheduleRow, SiteRow
from central_server.clock import now_ms
from central_server.crypto import blind
from central_server.dashboard.paging import Paged, fit
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.form import Invalid, Problem
from central_server.rbac import Actor
from central_server.records.store import seen_people
from central_server.schema import building, credential, door_group, door_schedule, person, site
from protocols.access import Window

PAGE = 50
Row = TypeVar("Row")
_TAKEN = Problem("This name is taken; each may stand once.")


async def enrol(db: Database, actor: Actor, form: NewCard, grants: Mapping[int, int | None]) -> int:
    """Give a card to a person. Raises: Invalid for a person not found, or a card that somebody has."""
    number = form.raw()
    async with db.write() as connection:
        await _check_site(connection, actor, form.site_id)
        person_id = await _person(connection, actor, form.person)
        index = card_index(connection, form.bits, number)
        active_key = f"{form.site_id}/{index}"
        if await store.is_given(connection, active_key):
            raise Invalid({"number": Problem("Somebody has this card already. Revoke it there first.")})
        await _check_grants(connection, form.site_id, grants)
        card_id = await store.add_card(
            connection,
            site_id=form.site_id,
            person_id=person_id,
            basis=form.basis.value,
            bits=form.bits,
            number=number,
            number_index=index,
            active_key=active_key,
            from_on=form.from_on and form.from_on.isoformat(),
            to_on=form.to_on and form.to_on.isoformat(),
            created_at=now_ms(),
            created_by=actor.login,
        )
        await store.set_grants(connection, card_id, grants)
        await audit.note(connection, actor, "access.enrol", f"card:{card_id}", person=person_id, groups=sorted(grants))
    await rules.refresh(db, form.site_id)
    return card_id


async def change_grants(db: Database, actor: Actor, card_id: int, grants: Mapping[int, int | None]) -> CardRow:
    """Say anew which doors a card opens. Raises: NotFound, Invalid; Conflict for a revoked card."""
    async with db.write() as connection:
        card = await _card(connection, actor, card_id)
        if card.revoked_at is not None:
            raise Conflict("card_revoked", "This card is revoked. Give the person another one.")
        await _check_grants(connection, card.site_id, grants)
        await store.set_grants(connection, card_id, grants)
        await audit.note(connection, actor, "access.grant", f"card:{card_id}", groups=sorted(grants))
    await rules.refresh(db, card.site_id)
    return card


async def revoke(db: Database, actor: Actor, card_id: int) -> CardRow:
    """Take a card's rights for good; again changes nothing. Raises: NotFound."""
    async with db.write() as connection:
        card = await _card(connection, actor, card_id)
        if await store.revoke(connection, card_id, actor.login, now_ms()):
            await audit.note(connection, actor, "access.revoke", f"card:{card_id}")
    await rules.refresh(db, card.site_id)
    return card


async def save_door(db: Database, actor: Actor, device_id: int, form: DoorForm) -> DoorRow:
    """Say where a door is and how it is worked. Raises: NotFound, Invalid."""
    async with db.write() as connection:
        row = await get_door(connection, actor, device_id)
        if form.building_id is not None and not await _is_of_site(connection, form.building_id, row.site_id):
            raise Invalid({"building_id": Problem("Choose one of the list.")})
        await store.save_door(connection, device_id, form.model_dump())
        await audit.note(connection, actor, "access.door", f"device:{device_id}", **form.model_dump())
    await rules.refresh(db, row.site_id)
    return row


async def save_group(db: Database, actor: Actor, group_id: int | None, form: GroupForm) -> int:
    """Add a group of doors or change one. Raises: NotFound, Invalid."""
    async with db.write() as connection:
        site_id = form.site_id
        if group_id is not None:
            site_id = (await get_group(connection, actor, group_id)).site_id
        await _check_site(connection, actor, site_id)
        if await store.name_is_taken(connection, door_group, site_id, form.name, group_id):
            raise Invalid({"name": _TAKEN})
        known = {row.device_id for row in await store.doors(connection, actor) if row.site_id == site_id}
        if not set(form.doors) <= known:
            raise Invalid({"doors": Problem("Choose one of the list.")})
        key = await store.save_group(connection, group_id, site_id, form.name)
        await store.set_members(connection, key, form.doors)
        await audit.note(connection, actor, "access.group", f"door_group:{key}", doors=sorted(form.doors))
    await rules.refresh(db, site_id)
    return key


async def save_schedule(
    db: Database,
    actor: Actor,
    schedule_id: int | None,
    form: ScheduleName,
    windows: Sequence[Window],
    holidays: Sequence[str],
) -> int:
    """Add a schedule or change one. Raises: NotFound, Invalid."""
    async with db.write() as connection:
        site_id = form.site_id
        if schedule_id is not None:
            site_id = (await get_schedule(connection, actor, schedule_id)).site_id
        await _check_site(connection, actor, site_id)
        if await store.name_is_taken(connection, door_schedule, site_id, form.name, schedule_id):
            raise Invalid({"name": _TAKEN})
        said = {"windows": rule_store.write_windows(windows), "holidays": json.dumps(list(holidays))}
        key = await store.save_schedule(connection, schedule_id, {"site_id": site_id, "name": form.name, **said})
        await audit.note(connection, actor, "access.schedule", f"door_schedule:{key}", **said)
    await rules.refresh(db, site_id)
    return key


async def save_trusts(db: Database, actor: Actor, site_id: int, form: TrustForm) -> None:
    """Say for how long cards open with the centre away. Raises: NotFound."""
    async with db.write() as connection:
        await get_site(connection, actor, site_id)
        await store.save_trusts(connection, site_id, form.model_dump())
        await audit.note(connection, actor, "access.trust", f"site:{site_id}", **form.model_dump())
    await rules.refresh(db, site_id)


async def get_site(connection: AsyncConnection, actor: Actor, site_id: int) -> SiteRow:
    """Give one site. Raises: NotFound, also for another's."""
    return _there(next((row for row in await store.sites(connection, actor) if row.id == site_id), None))


async def get_door(connection: AsyncConnection, actor: Actor, device_id: int) -> DoorRow:
    """Give one door. Raises: NotFound, also for one of another site."""
    return _there(await store.one_door(connection, actor, device_id))


async def get_group(connection: AsyncConnection, actor: Actor, group_id: int) -> GroupRow:
    """Give one group. Raises: NotFound."""
    return _there(await store.one_group(connection, actor, group_id))


async def get_schedule(connection: AsyncConnection, actor: Actor, schedule_id: int) -> ScheduleRow:
    """Give one schedule. Raises: NotFound."""
    return _there(await store.one_schedule(connection, actor, schedule_id))


async def get_card(connection: AsyncConnection, actor: Actor, card_id: int) -> CardRow:
    """Give one card, its number in the clear. Raises: NotFound."""
    return await _card(connection, actor, card_id)


async def list_cards(connection: AsyncConnection, actor: Actor, search: str, page: int) -> Paged[CardRow]:
    """Give a page of cards; ``search`` is a person's whole name or number, or a card's number in hex."""
    where = []
    if search:
        named = select(person.c.id).where(
            (person.c.name_index == blind(connection, search, "name")) | (person.c.code == search)
        )
        found: ColumnElement[bool] = credential.c.person_id.in_(named)
        number = plain_number(search)
        if number is not None:
            found |= credential.c.number_index.in_([card_index(connection, bits, number) for bits in range(1, 65)])
        where.append(found)
    total = await store.count_cards(connection, actor, *where)
    page = min(page, max(1, -(-total // PAGE)))
    rows = await store.cards(connection, actor, *where, limit=PAGE, offset=(page - 1) * PAGE)
    return fit(rows, total, page, PAGE)


async def cards_of(connection: AsyncConnection, actor: Actor, person_id: int) -> list[CardRow]:
    return await store.cards(connection, actor, credential.c.person_id == person_id, limit=PAGE)


async def _card(connection: AsyncConnection, actor: Actor, card_id: int) -> CardRow:
    return _there(next(iter(await store.cards(connection, actor, credential.c.id == card_id, limit=1)), None))


def _there(row: Row | None) -> Row:
    if row is None:
        raise NotFound("not_found", "There is nothing at this address.")
    return row


async def _check_site(connection: AsyncConnection, actor: Actor, site_id: int) -> None:
    if await connection.scalar(select(site.c.id).where(site.c.id == site_id, actor.sees_site(site.c.id))) is None:
        raise Invalid({"site_id": Problem("Choose one of the list.")})


async def _is_of_site(connection: AsyncConnection, building_id: int, site_id: int) -> bool:
    query = select(building.c.id).where(building.c.id == building_id, building.c.site_id == site_id)
    return await connection.scalar(query) is not None


async def _check_grants(connection: AsyncConnection, site_id: int, grants: Mapping[int, int | None]) -> None:
    """Refuse groups and schedules that are not of the card's site."""
    for table, keys in ((door_group, set(grants)), (door_schedule, {it for it in grants.values() if it is not None})):
        query = select(table.c.id).where(table.c.site_id == site_id, table.c.id.in_(keys))
        if set((await connection.execute(query)).scalars()) != keys:
            raise Invalid({"": Problem("A group or a schedule is not of this site any more. Choose again.")})


async def _person(connection: AsyncConnection, actor: Actor, text: str) -> int:
    """Find the person meant: by number, else by the whole name or phone, if that is one person's alone."""
    names = {"name": person.c.name_index, "phone": person.c.phone_index}
    blinded = [column == blind(connection, text, kind) for kind, column in names.items()]
    for where in ([person.c.code == text], [blinded[0] | blinded[1]]):
        found = list(
            (await connection.execute(select(person.c.id).where(seen_people(actor), *where).limit(2))).scalars()
        )
        if len(found) == 1:
            return int(found[0])
        if found:
            raise Invalid({"person": Problem("Several people are called so: write the person's number.")})
    raise Invalid({"person": Problem("Nobody of the records has this name, number or phone.")})
