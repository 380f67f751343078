"""The plans kept by themselves, often enough that what is missed is missed within the minute."""

from central_server.db import Database
from central_server.inspection import keeping
from central_server.live import Hub
from central_server.scheduler import Job

EVERY_S = 20


async def keep(db: Database, hub: Hub, now: int) -> None:
    """Make what is due, close what is over, and tell whoever looks."""
    for site_id in await keeping.keep(db, now):
        hub.publish({"type": "inspection"}, site_id=site_id)
        hub.publish({"type": "alarms"}, site_id=site_id)


JOBS = (Job("inspection", EVERY_S, keep),)
