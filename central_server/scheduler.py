"""Work that comes round by itself: each job in its own rhythm, one at a time, never missed for good.

A job is told the time and brings the world up to it, however long nobody called it; what it makes
has a unique key, so that a second call makes nothing twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from central_server.clock import monotonic_ms, now_ms
from central_server.db import Database
from central_server.live import Hub

log = logging.getLogger("central.scheduler")


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done how often; ``run`` is given the database, the hub and now in milliseconds."""

    name: str
    every_s: float
    run: Callable[[Database, Hub, int], Awaitable[None]]


async def run(jobs: Sequence[Job], db: Database, hub: Hub) -> None:
    """Do every job at once and then in its rhythm, until cancelled; one that fails is tried at its next turn."""
    due = {job.name: monotonic_ms() for job in jobs}
    while jobs:
        job = min(jobs, key=lambda each: due[each.name])
        await asyncio.sleep(max(0, due[job.name] - monotonic_ms()) / 1000)
        due[job.name] = monotonic_ms() + int(job.every_s * 1000)
        try:
            await job.run(db, hub, now_ms())
        except Exception:  # the job loop's boundary: one job's fault must not stop the others
            log.exception("job %s failed and is tried again in %.0f s", job.name, job.every_s)
