"""The centre is killed under load, again and again: what it acknowledged is there, once, and nothing else."""

import asyncio
import random
import re
import signal
import sqlite3
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from central_server.db import Database
from central_server.devices.service import invite
from central_server.migrate import migrate
from protocols.quantity import Quality
from protocols.sync import PATH_BATCHES, Batch, Lane, Reading, Series, encode_batch
from tests.central_server.blocks import kept_in_file
from tests.central_server.vault import VAULT, write_key

KILLS = 4
SERIES = [Series(f"em-{number}", "energyImportTotal", "kWh") for number in range(5)]


class Process:
    """The real command on one database; it takes a new port at each start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "central_server", "-c", str(self.folder / "central.toml"), "run",
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stderr is not None
        async with asyncio.timeout(30):
            while not (
                found := re.search(r"ready: (http://[^/]+)/", line := (await self.process.stderr.readline()).decode())
            ):
                assert line, "it ended before it was ready"
        self.url = found[1]

    async def end(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        await self.process.wait()


class Edge:
    """A gateway that goes on from the last acknowledgement, as the real one does."""

    def __init__(self, secret: str, lane: Lane, seed: int) -> None:
        self.headers = {"Authorization": f"Gateway gw-1:{secret}"}
        self.lane = lane
        self.acked = 0
        self.rng = random.Random(seed)

    def batch(self) -> bytes:
        first = max(1, self.acked + 1 - self.rng.choice((0, 0, 0, 3)))
        seqs = range(first, self.acked + 1 + self.rng.randint(1, 60))
        records = tuple(Reading(SERIES[seq % 5], seq, Decimal(seq) / 100, Quality.GOOD) for seq in seqs)
        return encode_batch(Batch("gw-1", 99, self.lane, first, records))

    async def deliver(self, client: aiohttp.ClientSession, url: str) -> None:
        """Deliver until the centre is gone."""
        try:
            while True:
                async with client.post(url + PATH_BATCHES, data=self.batch(), headers=self.headers) as response:
                    assert response.status == 200, await response.text()
                    self.acked = max(self.acked, (await response.json())["acked"])
        except (aiohttp.ClientError, OSError):
            return


@pytest.fixture
def rng() -> random.Random:
    return random.Random(20261123)


def read(path: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    found = connection.execute(query).fetchall()
    connection.close()
    return found


async def test_a_centre_killed_under_load_loses_nothing_and_counts_once(tmp_path: Path, rng: random.Random) -> None:
    path = tmp_path / "data" / "central.db"
    (tmp_path / "central.toml").write_text('[central]\nlisten = "127.0.0.1:0"\n')
    write_key(tmp_path)
    db = Database(f"sqlite:///{path}", VAULT)
    await migrate(db)
    async with db.write() as connection:
        await connection.exec_driver_sql("INSERT INTO site (code, name, zone) VALUES ('lake', '', 'UTC')")
    secret = await invite(db, "lake", "gw-1")
    await db.close()

    process = Process(tmp_path)
    edges = [Edge(secret, lane, int(lane)) for lane in (Lane.BILLING, Lane.TELEMETRY)]
    async with aiohttp.ClientSession() as client:
        for _ in range(KILLS):
            await process.start()
            async with asyncio.TaskGroup() as group:
                for edge in edges:
                    group.create_task(edge.deliver(client, process.url))
                await asyncio.sleep(rng.uniform(0.1, 0.5))
                await process.end(signal.SIGKILL)
    await process.start()
    async with asyncio.timeout(20):
        while read(path, "SELECT 1 FROM batch WHERE expanded_at IS NULL LIMIT 1"):
            await asyncio.sleep(0.05)
    await process.end(signal.SIGTERM)

    marks = dict(read(path, "SELECT lane, high_seq FROM lane_mark"))
    for edge in edges:
        batches = {row[0] for row in read(path, f"SELECT id FROM batch WHERE lane = {int(edge.lane)}")}
        found = [row for row in kept_in_file(path) if row.batch_id in batches]
        rows = sorted((row.seq, row.mantissa, row.exponent, row.taken_at) for row in found)
        assert edge.acked > 100, "the load was a load"
        assert [row[0] for row in rows] == list(range(1, marks[edge.lane] + 1)), "each once and none missing"
        assert marks[edge.lane] >= edge.acked, "what was acknowledged is there"
        assert all(Decimal(mantissa).scaleb(exponent) == Decimal(seq) / 100 for seq, mantissa, exponent, _ in rows)
        assert all(seq == taken_at for seq, _, _, taken_at in rows)
    assert read(path, "PRAGMA integrity_check") == [("ok",)]
