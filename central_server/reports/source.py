"""Where the facts come from: each slice's own service, turned into what the figures need."""

from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.inspection.service import tasks_between
from central_server.rbac import Actor
from central_server.reports.model import Repair
from central_server.schema import site
from central_server.workorders.service import finished_between


class Site(NamedTuple):
    """A site, and the zone its months are counted in."""

    id: int
    code: str
    name: str
    zone: str


async def sites(connection: AsyncConnection, actor: Actor) -> list[Site]:
    """Give the sites that the actor sees."""
    query = select(site.c.id, site.c.code, site.c.name, site.c.zone).where(actor.sees_site(site.c.id))
    return [Site(*row) for row in await connection.execute(query.order_by(site.c.code))]


async def repairs(
    connection: AsyncConnection, actor: Actor, site_id: int, from_at: int, to_at: int
) -> tuple[Repair, ...]:
    """Give a site's work orders that were finished in [from_at, to_at)."""
    found = await finished_between(connection, replace(actor, site_id=site_id), from_at, to_at)
    return tuple(
        Repair(
            category=each.category,
            respond_ms=None if each.responded_at is None else each.responded_at - each.created_at,
            finish_ms=each.finished_at - each.created_at,
            is_kept=each.is_kept,
        )
        for each in found
    )


async def rounds(connection: AsyncConnection, actor: Actor, site_id: int, from_at: int, to_at: int) -> tuple[str, ...]:
    """Give the states of a site's inspection tasks whose window ended in [from_at, to_at)."""
    found = await tasks_between(connection, actor, from_at, to_at, site_id)
    return tuple(each.state.value for each in found)
