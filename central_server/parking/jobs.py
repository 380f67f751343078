"""The month's fees, made by themselves."""

from central_server.db import Database
from central_server.live import Hub
from central_server.parking import service
from central_server.rbac import system
from central_server.scheduler import Job

_ACTOR = system("scheduler")


async def make_fees(db: Database, _hub: Hub, now: int) -> None:
    """Make what is due at every site, also for months in which nobody called."""
    async with db.read() as connection:
        sites = await service.list_sites(connection, _ACTOR)
    for site in sites:
        await service.catch_up(db, _ACTOR, site.id, site.zone, now)


JOBS = (Job("parking fees", 3600, make_fees),)
