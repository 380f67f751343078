"""The SQL of accounts."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.admin.model import AccountRow, Site, Wanted
from central_server.auth import role_of
from central_server.rbac import Actor, Role
from central_server.schema import account, person, session, site


def _seen() -> Any:
    last = select(func.max(session.c.last_seen_at)).where(session.c.account_id == account.c.id)
    return last.correlate(account).scalar_subquery()


def _selected(actor: Actor) -> Select[Any]:
    query = select(account, site.c.name.label("site_name"), _seen().label("seen")).outerjoin(site)
    return query.where(actor.sees_site(account.c.site_id))


def _row(found: Any) -> AccountRow:
    return AccountRow(
        found.id,
        found.login,
        found.name,
        role_of(found.role),
        found.site_id,
        found.site_name,
        found.person_id,
        found.language,
        bool(found.is_disabled),
        bool(found.must_change),
        found.created_at,
        found.seen,
    )


async def find(connection: AsyncConnection, actor: Actor, account_id: int) -> AccountRow | None:
    found = (await connection.execute(_selected(actor).where(account.c.id == account_id))).one_or_none()
    return None if found is None else _row(found)


def _fits(actor: Actor, wanted: Wanted) -> ColumnElement[bool]:
    fits = actor.sees_site(account.c.site_id)
    if wanted.search:
        fits &= or_(*(column.icontains(wanted.search, autoescape=True) for column in (account.c.login, account.c.name)))
    if wanted.role is not None:
        fits &= account.c.role == wanted.role.value
    if wanted.state:
        fits &= account.c.is_disabled.is_(wanted.state == "disabled")
    return fits


async def listed(
    connection: AsyncConnection, actor: Actor, wanted: Wanted, *, limit: int, offset: int
) -> tuple[int, Sequence[AccountRow]]:
    """Give a page of accounts by login, and how many there are in all."""
    fits = _fits(actor, wanted)
    total = (await connection.execute(select(func.count()).select_from(account).where(fits))).scalar_one()
    query = _selected(actor).where(fits).order_by(account.c.is_disabled, account.c.login).limit(limit).offset(offset)
    return total, [_row(found) for found in await connection.execute(query)]


async def counts(connection: AsyncConnection, actor: Actor) -> dict[str, int]:
    """Count the accounts by role."""
    query = select(account.c.role, func.count()).where(actor.sees_site(account.c.site_id)).group_by(account.c.role)
    return {role: number for role, number in await connection.execute(query) if role}


async def change(connection: AsyncConnection, account_id: int, **values: Any) -> None:
    await connection.execute(update(account).where(account.c.id == account_id).values(values))


async def other_administrators(connection: AsyncConnection, account_id: int) -> int:
    """Count who else can look after every account."""
    query = select(func.count()).where(
        account.c.role == Role.ADMINISTRATOR.value,
        account.c.site_id.is_(None),
        account.c.is_disabled.is_(False),
        account.c.id != account_id,
    )
    return int((await connection.execute(query)).scalar_one())


async def sites(connection: AsyncConnection, actor: Actor) -> list[Site]:
    """Give the sites an account can be kept to."""
    query = select(site.c.id, site.c.name).where(actor.sees_site(site.c.id)).order_by(site.c.code)
    return [Site(key, name) for key, name in await connection.execute(query)]


async def person_id(connection: AsyncConnection, code: str) -> int | None:
    found: int | None = (
        await connection.execute(select(person.c.id).where(person.c.code == code))
    ).scalar_one_or_none()
    return found


async def site_id(connection: AsyncConnection, code: str) -> int | None:
    found: int | None = (await connection.execute(select(site.c.id).where(site.c.code == code))).scalar_one_or_none()
    return found
