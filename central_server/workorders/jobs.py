"""What comes round by itself: repairs that nobody objects to are closed, what was put off is taken up."""

from central_server.db import Database
from central_server.live import Hub
from central_server.scheduler import Job
from central_server.workorders import service
from central_server.workorders.live import tell


async def come_round(db: Database, hub: Hub, now: int) -> None:
    """Bring the orders up to a time, and let the pages that show them know."""
    for site_id in await service.come_round(db, now):
        tell(hub, site_id)


JOBS = (Job("work orders", 60, come_round),)
