"""Visits that nobody came for, ended by themselves."""

from central_server.db import Database
from central_server.live import Hub
from central_server.rbac import system
from central_server.scheduler import Job
from central_server.visitors import service
from central_server.visitors.live import tell

_ACTOR = system("scheduler")


async def expire(db: Database, hub: Hub, now: int) -> None:
    """End what is over, and let the pages that show it know."""
    for site_id in await service.expire(db, _ACTOR, now):
        tell(hub, site_id)


JOBS = (Job("visits that are over", 60, expire),)
