"""Accounts: opened, changed, shut and given new passwords by those who look after them.

Somebody who is kept to a site looks after the accounts of that site alone. The last administrator
of every site stays one, so that nobody can lock everybody out.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit, auth, password
from central_server.admin import store
from central_server.admin.model import AccountRow, ChangedAccount, NewAccount, Opened, OwnPassword, Site, Wanted
from central_server.db import Database
from central_server.errors import BadRequest, Conflict, NotFound, UsageError
from central_server.form import Invalid, Problem
from central_server.rbac import Actor, Role

PAGE = 50
_LAST = "This is the last administrator of every site. Make another one first."


async def list_accounts(
    db: Database, actor: Actor, wanted: Wanted, page: int
) -> tuple[int, Sequence[AccountRow], dict[str, int]]:
    """Give how many accounts fit, a page of them, and how many each role has."""
    async with db.read() as connection:
        total, rows = await store.listed(connection, actor, wanted, limit=PAGE, offset=(page - 1) * PAGE)
        return total, rows, await store.counts(connection, actor)


async def list_sites(db: Database, actor: Actor) -> list[Site]:
    """Give the sites that the actor can keep an account to."""
    async with db.read() as connection:
        return await store.sites(connection, actor)


async def get_account(db: Database, actor: Actor, account_id: int) -> AccountRow:
    """Give one account. Raises: NotFound."""
    async with db.read() as connection:
        return await _account(connection, actor, account_id)


async def _account(connection: AsyncConnection, actor: Actor, account_id: int) -> AccountRow:
    found = await store.find(connection, actor, account_id)
    if found is None:
        raise NotFound("no_account", "There is no such account.")
    return found


async def open_account(db: Database, actor: Actor, wanted: NewAccount) -> Opened:
    """Open an account with a password that is good for a day and must then be changed. Raises: Invalid."""
    async with db.read() as connection:
        await _check_site(connection, actor, wanted.site)
        person_id = await _person(connection, wanted)
    secret = password.new_secret()
    try:
        key = await auth.add_account(
            db,
            wanted.login,
            wanted.name,
            wanted.language,
            secret,
            wanted.role,
            actor=actor,
            site_id=wanted.site,
            person_id=person_id,
            must_change=True,
        )
    except (BadRequest, Conflict) as refused:
        raise Invalid({"login": Problem(refused.text, refused.fields)}) from None
    return Opened(key, wanted.login, secret)


async def _check_site(connection: AsyncConnection, actor: Actor, site_id: int | None) -> None:
    known = {each.id for each in await store.sites(connection, actor)}
    is_too_wide = site_id is None and actor.site_id is not None
    if is_too_wide or (site_id is not None and site_id not in known):
        raise Invalid({"site": Problem("Choose one of the list.")})


async def _person(connection: AsyncConnection, wanted: NewAccount) -> int | None:
    if wanted.role is not Role.RESIDENT:
        if wanted.person:
            raise Invalid({"person": Problem("Only a resident's account belongs to a person of the records.")})
        return None
    if not wanted.person:
        raise Invalid({"person": Problem("Name the person of the records whose account it is.")})
    found = await store.person_id(connection, wanted.person)
    if found is None:
        raise Invalid({"person": Problem("There is no person of this code in the records.")})
    return found


async def scope_of(db: Database, role: Role, site_code: str, person_code: str) -> tuple[int | None, int | None]:
    """Give the keys of a site and a person named by their codes; "" names none.

    Raises: NotFound; UsageError for a resident without a person and for anybody else with one.
    """
    if (role is Role.RESIDENT) != bool(person_code):
        text = "A resident's account belongs to a person of the records (--person CODE), and nobody else's does."
        raise UsageError("person_wanted", text)
    async with db.read() as connection:
        site_id = await store.site_id(connection, site_code) if site_code else None
        person_id = await store.person_id(connection, person_code) if person_code else None
    if site_code and site_id is None:
        raise NotFound("no_site_code", "There is no site '{site}'.", site=site_code)
    if person_code and person_id is None:
        raise NotFound("no_person_code", "There is no person '{person}' in the records.", person=person_code)
    return site_id, person_id


async def change_account(db: Database, actor: Actor, account_id: int, wanted: ChangedAccount) -> None:
    """Change an account; a new role or site holds from the next request on. Raises: NotFound, Invalid."""
    async with db.write() as connection:
        before = await _account(connection, actor, account_id)
        await _check_site(connection, actor, wanted.site)
        if (wanted.role is Role.RESIDENT) != (before.role is Role.RESIDENT):
            raise Invalid(
                {"role": Problem("A resident's account stays one, and no other becomes one: open a new one.")}
            )
        stays = wanted.role is Role.ADMINISTRATOR and wanted.site is None
        if before.runs_everything and not stays and not await store.other_administrators(connection, account_id):
            raise Invalid({"role" if wanted.role is not Role.ADMINISTRATOR else "site": Problem(_LAST)})
        values = {"name": wanted.name, "role": wanted.role.value, "site_id": wanted.site, "language": wanted.language}
        await store.change(connection, account_id, **values)
        was: dict[str, Any] = {"role": before.role, "site": before.site_id}
        await audit.note(
            connection,
            actor,
            "accounts.change",
            f"account:{before.login}",
            role=wanted.role.value,
            site=wanted.site,
            **{f"{name}_before": value for name, value in was.items() if value != getattr(wanted, name)},
        )


async def set_disabled(db: Database, actor: Actor, account_id: int, *, is_disabled: bool) -> None:
    """Shut an account, which ends its sessions at once, or open it again. Raises: NotFound, Conflict."""
    async with db.write() as connection:
        found = await _account(connection, actor, account_id)
        if found.is_disabled == is_disabled:
            return
        if found.runs_everything and not await store.other_administrators(connection, account_id):
            raise Conflict("last_administrator", _LAST)
        await store.change(connection, account_id, is_disabled=is_disabled)
        ended = await auth.end_sessions(connection, account_id) if is_disabled else 0
        verb = "disable" if is_disabled else "enable"
        await audit.note(connection, actor, f"accounts.{verb}", f"account:{found.login}", sessions_ended=ended)


async def reset_password(db: Database, actor: Actor, account_id: int) -> Opened:
    """Give an account a password to hand over; it is good for a day and must then be changed. Raises: NotFound."""
    found = await get_account(db, actor, account_id)
    secret = password.new_secret()
    await auth.reset_password(db, found.login, secret, actor=actor, must_change=True)
    return Opened(found.id, found.login, secret)


async def end_sessions(db: Database, actor: Actor, account_id: int) -> int:
    """Sign somebody out everywhere; give how many sessions that were. Raises: NotFound."""
    async with db.write() as connection:
        found = await _account(connection, actor, account_id)
        ended = await auth.end_sessions(connection, account_id)
        await audit.note(connection, actor, "accounts.end_sessions", f"account:{found.login}", sessions_ended=ended)
        return ended


async def change_own_password(db: Database, actor: Actor, session_id: int, wanted: OwnPassword) -> None:
    """Take a password of the person's own and end their other sessions. Raises: Invalid, TooMany."""
    own = actor.account_id or 0
    if wanted.new != wanted.again:
        raise Invalid({"again": Problem("The two are not the same.")})
    slot = f"own:{own}"
    auth.slow_down(slot, actor.peer)
    if not await password.is_right(await auth.password_hash_of(db, own), wanted.current):
        raise Invalid({"current": Problem("This is not the password until now.")})
    auth.throttle.succeeded(slot, actor.peer)
    if wanted.new == wanted.current:
        raise Invalid({"new": Problem("Choose one that is not the password until now.")})
    try:
        await auth.refuse_weak(db, wanted.new, actor.role or Role.ADMINISTRATOR, (actor.login, actor.name))
    except BadRequest as refused:
        raise Invalid({"new": Problem(refused.text, refused.fields)}) from None
    hashed = await password.hash_password(wanted.new)
    async with db.write() as connection:
        await store.change(connection, own, password_hash=hashed, must_change=False, secret_until=None)
        ended = await auth.end_sessions(connection, own, but=session_id)
        await audit.note(connection, actor, "accounts.password", f"account:{actor.login}", sessions_ended=ended)


async def end_other_sessions(db: Database, actor: Actor, session_id: int) -> int:
    """Sign the person out everywhere else."""
    async with db.write() as connection:
        ended = await auth.end_sessions(connection, actor.account_id or 0, but=session_id)
        await audit.note(connection, actor, "accounts.end_sessions", f"account:{actor.login}", sessions_ended=ended)
        return ended
