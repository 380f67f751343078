"""Jobs come round, and one that fails does not take the others with it."""

import asyncio
from collections import Counter

import pytest

from central_server.db import Database
from central_server.live import Hub
from central_server.scheduler import Job, run


async def test_jobs_run_at_once_and_again_and_one_that_fails_stops_nobody(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    runs: Counter[str] = Counter()
    enough = asyncio.Event()

    async def well(_db: Database, _hub: Hub, now: int) -> None:
        assert now > 1_700_000_000_000
        runs["well"] += 1
        if runs["well"] > 2:
            enough.set()

    async def ill(_db: Database, _hub: Hub, _now: int) -> None:
        runs["ill"] += 1
        raise ValueError("a fault of ours")

    rare = Job("rare", 3600, well)
    task = asyncio.create_task(run((rare, Job("well", 0.02, well), Job("ill", 0.02, ill)), db, Hub()))
    async with asyncio.timeout(10):
        await enough.wait()
        while runs["ill"] < 2:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "job ill failed" in caplog.text
