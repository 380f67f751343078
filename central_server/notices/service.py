"""Notices' use cases: drafted, published, withdrawn; read by those they are for, and counted."""

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.billing.period import local_day
from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.form import Invalid, Problem
from central_server.notices import store
from central_server.notices.model import Draft, State, end_of
from central_server.notices.store import Notice, Reader
from central_server.rbac import Actor
from central_server.records import service as records


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a notice has come; ``people`` are those it is for today, ``missing`` some who have not opened it."""

    people: int
    unread: int
    missing: list[Reader]


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice as a resident finds it."""

    notice: Notice
    is_read: bool


async def sites(connection: AsyncConnection, actor: Actor) -> list[store.SiteRow]:
    """Give the sites that the actor may write for."""
    return await store.sites(connection, actor)


async def buildings(connection: AsyncConnection, actor: Actor) -> list[store.BuildingRow]:
    """Give the buildings that the actor may write for."""
    return await store.buildings(connection, actor)


async def list_notices(
    connection: AsyncConnection, actor: Actor, state: State | None, *, limit: int, offset: int = 0
) -> tuple[int, list[Notice]]:
    """Give how many notices there are in a state, and some of them, the newest first."""
    return await store.listed(connection, actor, state, now_ms(), limit, offset)


async def get_notice(connection: AsyncConnection, actor: Actor, notice_id: int) -> Notice:
    """Give one notice of the actor's sites. Raises: NotFound."""
    found = await store.one(connection, actor, notice_id)
    if found is None:
        raise NotFound("no_notice", "There is no such notice.")
    return found


async def reading_of(connection: AsyncConnection, found: Notice, *, limit: int, offset: int = 0) -> Reading:
    """Tell who of those a notice is for has not opened it."""
    on = local_day(now_ms(), ZoneInfo(found.zone)).isoformat()
    people = await store.audience(connection, found, on)
    unread, missing = await store.unread(connection, found, on, limit, offset)
    return Reading(people, unread, missing)


async def draft(db: Database, actor: Actor, wanted: Draft) -> int:
    """Write a draft; give its id. Raises: Invalid."""
    async with db.write() as connection:
        values, building_ids = await _checked(connection, actor, wanted)
        more = {"created_at": now_ms(), "created_by": actor.login, "version": 1}
        made = await store.add(connection, building_ids, **values, **more)
        await audit.note(connection, actor, "notices.draft", f"notice:{made}", site=values["site_id"])
    return made


async def edit(db: Database, actor: Actor, notice_id: int, wanted: Draft) -> None:
    """Change a draft. Raises: NotFound, Conflict, Invalid."""
    async with db.write() as connection:
        found = await get_notice(connection, actor, notice_id)
        if found.state(now_ms()) is not State.DRAFT:
            raise Conflict("notice_out", "This notice is out already. Withdraw it and write another one.")
        values, building_ids = await _checked(connection, actor, wanted)
        await _change(connection, notice_id, wanted.version, **values)
        await store.scope(connection, notice_id, building_ids)
        await audit.note(connection, actor, "notices.edit", f"notice:{notice_id}")


async def publish(db: Database, actor: Actor, notice_id: int, version: int) -> Notice:
    """Let those it is for read a draft; give it as it was. Raises: NotFound, Conflict."""
    now = now_ms()
    async with db.write() as connection:
        found = await get_notice(connection, actor, notice_id)
        if found.state(now) is not State.DRAFT:
            raise Conflict("notice_out", "This notice is out already. Withdraw it and write another one.")
        if found.expires_at is not None and found.expires_at <= now:
            raise Conflict("notice_over", "The last day of this notice is over. Change it first.")
        await _change(connection, notice_id, version, published_at=now, published_by=actor.login)
        await audit.note(connection, actor, "notices.publish", f"notice:{notice_id}", emergency=found.is_emergency)
    return found


async def withdraw(db: Database, actor: Actor, notice_id: int, version: int) -> Notice:
    """Take a draft or a published notice away; give it as it was. Raises: NotFound, Conflict."""
    async with db.write() as connection:
        found = await get_notice(connection, actor, notice_id)
        if found.withdrawn_at is not None:
            raise Conflict("notice_moved", "Somebody else has changed this notice meanwhile. Look at it again.")
        await _change(connection, notice_id, version, withdrawn_at=now_ms())
        await audit.note(connection, actor, "notices.withdraw", f"notice:{notice_id}")
    return found


async def letters(connection: AsyncConnection, actor: Actor, on: str) -> list[Letter]:
    """Give the notices in force for a resident's own units on a day, emergencies first."""
    if actor.person_id is None or actor.account_id is None:
        return []
    units = await records.units_of(connection, actor.person_id, on)
    site_ids, building_ids = {unit.site_id for unit in units}, {unit.building_id for unit in units}
    found = await store.for_places(connection, list(site_ids), list(building_ids), now_ms())
    read = await store.read_by(connection, actor.account_id)
    return [Letter(each, each.id in read) for each in found]


async def open_letter(db: Database, actor: Actor, notice_id: int, on: str) -> tuple[Notice, bool]:
    """Give a notice to a resident and note that it was read; also whether that is new. Raises: NotFound.

    The note itself says who and when; the audit is kept for changes.
    """
    async with db.read() as connection:
        letter = next((each for each in await letters(connection, actor, on) if each.notice.id == notice_id), None)
    if letter is None or actor.account_id is None or actor.person_id is None:
        raise NotFound("no_notice", "There is no such notice.")
    if letter.is_read:
        return letter.notice, False
    async with db.write() as connection:
        is_new = await store.note_read(connection, notice_id, actor.account_id, actor.person_id, now_ms())
    return letter.notice, is_new


async def _change(connection: AsyncConnection, notice_id: int, version: int, **values: object) -> None:
    if not await store.change(connection, notice_id, version, **values):
        raise Conflict("notice_moved", "Somebody else has changed this notice meanwhile. Look at it again.")


async def _checked(connection: AsyncConnection, actor: Actor, wanted: Draft) -> tuple[dict[str, object], list[int]]:
    """Give the values of a draft and its buildings. Raises: Invalid."""
    problems: dict[str, Problem] = {}
    known = await store.sites(connection, actor)
    site = next((each for each in known if each.id == wanted.site or len(known) == 1), None)
    if site is None:
        raise Invalid({"site": Problem("Choose one of the list.")})
    own = {each.id for each in await store.buildings(connection, actor) if each.site_id == site.id}
    if not own.issuperset(wanted.buildings):
        problems["buildings"] = Problem("Choose buildings of the site.")
    if wanted.is_emergency and wanted.last_day is None:
        problems["last_day"] = Problem("An emergency has a last day, so that it does not stay for ever.")
    if wanted.last_day is not None and wanted.last_day < _today(site.zone):
        problems["last_day"] = Problem("This day is over.")
    if problems:
        raise Invalid(problems)
    expires_at = None if wanted.last_day is None else end_of(wanted.last_day, site.zone)
    values = {"site_id": site.id, "title": wanted.title, "body": wanted.body}
    return values | {"is_emergency": wanted.is_emergency, "expires_at": expires_at}, sorted(set(wanted.buildings))


def _today(zone: str) -> date:
    return local_day(now_ms(), ZoneInfo(zone))
