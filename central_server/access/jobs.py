"""The rules follow the records by themselves: a tenancy ended on another page denies within seconds."""

from central_server.access import rules
from central_server.db import Database
from central_server.live import Hub
from central_server.scheduler import Job


async def refresh(db: Database, hub: Hub, _now: int) -> None:
    """Hand down what has changed, and let the pages that show it know."""
    for site_id in await rules.refresh_all(db):
        hub.publish({"type": "doors"}, site_id=site_id)


JOBS = (Job("door rules", 5, refresh),)
