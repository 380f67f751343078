"""Measure what sync takes: records into the centre, records into the gateway's store, bytes on the wire and kept.

    ingest   readings a second acknowledged by the centre after its commit, over HTTP, signed and chained
             batches of the largest size, four gateways at once. Beside it: a plain aiohttp endpoint that inserts
             each reading of a JSON list by INSERT OR IGNORE and commits, and VictoriaMetrics' import of the same
             readings, a line each, and as columns, a series a line (it keeps what it took in memory for some
             seconds; null where it is not installed). The ratio is to lines, the columns are told beside it
    append   readings a second that the gateway's store accepts with synchronous = FULL, beside
             sqlite-utils' insert_all into a WAL with FULL
    bytes    of 1-minute readings of 50 meters with 10 points: on the wire in batches of 20,000 whose instants
             lie on the grid, and with a second's jitter; and what the centre's database keeps after it has
             expanded them all

All servers are processes of their own on this machine; ratios are of one run.
"""

import argparse
import asyncio
import json
import logging
import os
import random
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import sqlite_utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from central_server.crypto import load_vault
from central_server.db import Database
from central_server.devices.service import invite
from central_server.live import Hub
from central_server.migrate import migrate
from central_server.telemetry.compaction import compact
from edge_agent.store import Store
from protocols.sync import (
    MAX_BATCH_RECORDS,
    PATH_BATCHES,
    SIGN_KEY_HEADER,
    Batch,
    Dictionary,
    Lane,
    Reading,
    Series,
    batch_digest,
    encode_batch,
)

GATEWAYS = 4
METERS = 50
# point, unit, decimal places, chance that the value moves in a minute, by how much at most
POINTS = (
    ("energyImportTotal", "kWh", 2, 0.5, 3),
    ("powerActive", "W", 0, 0.3, 15),
    ("voltageL1", "V", 1, 0.4, 4),
    ("voltageL2", "V", 1, 0.4, 4),
    ("voltageL3", "V", 1, 0.4, 4),
    ("currentL1", "A", 2, 0.3, 5),
    ("currentL2", "A", 2, 0.3, 5),
    ("currentL3", "A", 2, 0.3, 5),
    ("powerFactor", "", 2, 0.1, 1),
    ("frequency", "Hz", 2, 0.5, 2),
)
_START_MS = 1_767_225_600_000
_MINUTE_MS = 60_000
_ROUNDS = 5
_NAIVE_READINGS = 1000  # a request; more makes it slower


def minutes(edge: int, jitter_ms: int = 0) -> Iterator[Reading]:
    """Give the readings of a gateway's meters, minute by minute, without end."""
    rng = random.Random(edge)
    series = [Series(f"em-{edge}-{meter}", name, unit) for meter in range(METERS) for name, unit, *_ in POINTS]
    levels = [rng.randrange(1_000, 30_000) for _ in series]
    at = _START_MS
    while True:
        for number, name in enumerate(series):
            _, _, places, chance, most = POINTS[number % len(POINTS)]
            if rng.random() < chance:
                levels[number] += rng.randint(0 if name.unit == "kWh" else -most, most)
            stamp = at + (rng.randrange(jitter_ms) if jitter_ms else 0)
            yield Reading(name, stamp, Decimal(levels[number]).scaleb(-places))
        at += _MINUTE_MS


def taken(readings: Iterator[Reading], count: int) -> tuple[Reading, ...]:
    return tuple(reading for _, reading in zip(range(count), readings, strict=False))


class Gateway:
    """A gateway's batches, packed and signed beforehand: what the edge does is not measured here."""

    def __init__(self, number: int, batches: int, size: int, jitter_ms: int = 0) -> None:
        self.edge_id = f"gw-{number}"
        key = Ed25519PrivateKey.generate()
        self.public = key.public_key().public_bytes_raw().hex()
        self.size = size
        readings, prev, known = minutes(number, jitter_ms), "", 0
        self.bodies: list[bytes] = []
        numbers: dict[Series, int] = {}
        for position in range(batches):
            records = taken(readings, size)
            for record in records:
                numbers.setdefault(record.series, len(numbers) + 1)
            batch = Batch(self.edge_id, 7 + number, Lane.TELEMETRY, 1 + position * size, records, prev)
            self.bodies.append(encode_batch(batch, key.sign, Dictionary(numbers, known)))
            prev, known = batch_digest(self.bodies[-1]), len(numbers)

    @property
    def wire_bytes(self) -> float:
        return sum(map(len, self.bodies)) / (self.size * len(self.bodies))


@asynccontextmanager
async def process(*command: str, ready: str, **more: Any) -> Any:
    """Run a program until the block ends; gives what its first fitting line says."""
    running = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, **more)
    assert running.stderr is not None
    try:
        async with asyncio.timeout(30):
            while not (found := re.search(ready, line := (await running.stderr.readline()).decode())):
                if not line:
                    raise SystemExit(f"{command[0]} ended before it was ready")
        drain = asyncio.create_task(_drain(running.stderr))
        yield found
        drain.cancel()
    finally:
        if running.returncode is None:
            running.send_signal(signal.SIGTERM)
            await running.wait()


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


async def centre_folder(folder: Path, gateways: Iterable[Gateway]) -> dict[str, str]:
    """Make a centre that knows the gateways; gives their secrets."""
    (folder / "central.toml").write_text('[central]\nlisten = "127.0.0.1:0"\n')
    path = folder / "data" / "central.db"
    path.parent.mkdir()
    db = Database(f"sqlite:///{path}", load_vault(folder / "data" / "central.key", may_make=True))
    await migrate(db)
    async with db.write() as connection:
        await connection.exec_driver_sql("INSERT INTO site (code, name, zone) VALUES ('lake', '', 'UTC')")
    secrets = {gateway.edge_id: await invite(db, "lake", gateway.edge_id) for gateway in gateways}
    await db.close()
    return secrets


async def deliver(url: str, gateway: Gateway, secret: str) -> None:
    headers = {"Authorization": f"Gateway {gateway.edge_id}:{secret}", SIGN_KEY_HEADER: gateway.public}
    async with aiohttp.ClientSession(url, headers=headers) as client:
        for position, body in enumerate(gateway.bodies, 1):
            while True:
                async with client.post(PATH_BATCHES, data=body) as response:
                    if response.status == 503:
                        await asyncio.sleep(float(response.headers["Retry-After"]))
                        continue
                    told = await response.json()
                    if response.status != 200 or told["acked"] != position * gateway.size:
                        raise SystemExit(f"the centre answered {response.status} {told}")
                break


async def ours(folder: Path, batches: int) -> dict[str, float]:
    """Deliver to the centre; then wait until all is expanded, and look at what it keeps."""
    gateways = [Gateway(number, batches, MAX_BATCH_RECORDS) for number in range(GATEWAYS)]
    count = sum(len(gateway.bodies) * gateway.size for gateway in gateways)
    secrets = await centre_folder(folder, gateways)
    command = (sys.executable, "-m", "central_server", "-c", str(folder / "central.toml"), "run")
    async with process(*command, ready=r"ready: (http://[^/]+)/") as found:
        started = time.monotonic()
        await asyncio.gather(*(deliver(found[1], gateway, secrets[gateway.edge_id]) for gateway in gateways))
        acked = time.monotonic() - started
        await expanded(folder / "data" / "central.db")
        whole = time.monotonic() - started
    path = folder / "data" / "central.db"
    return {
        "readings": count,
        "ingest_per_s": count / acked,
        "expanded_per_s": count / whole,
        "stored_bytes_per_reading": await kept_bytes(path) / count,
        "wire_bytes": sum(gateway.wire_bytes for gateway in gateways) / GATEWAYS,
    }


async def kept_bytes(path: Path) -> int:
    """Join the days, as the centre does when they are over; give the bytes in use, the log of batches included."""
    db = Database(f"sqlite:///{path}")
    await compact(db, Hub(), _START_MS + 400 * 86_400_000)
    await db.close()
    database = sqlite_utils.Database(path)
    ((pages,), (free,), (size,)) = (
        database.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
    )
    database.close()
    return int((pages - free) * size)


async def expanded(path: Path) -> None:
    database = sqlite_utils.Database(path)
    waiting = 1
    while waiting:
        await asyncio.sleep(0.2)
        waiting = next(database.query("SELECT count(*) AS n FROM batch WHERE packed_at IS NULL AND error IS NULL"))["n"]
    failed = next(database.query("SELECT count(*) AS n FROM batch WHERE error IS NOT NULL"))["n"]
    database.close()
    if failed:
        raise SystemExit(f"{failed} batches could not be expanded")


async def together(url: str, bodies: list[list[bytes]], path: str) -> float:
    """Post every list of bodies on a connection of its own, side by side; gives the seconds."""

    async def post(those: list[bytes]) -> None:
        async with aiohttp.ClientSession(url) as client:
            for body in those:
                async with client.post(path, data=body) as response:
                    if response.status not in (200, 204):
                        raise SystemExit(f"the baseline answered {response.status} {await response.text()}")

    started = time.monotonic()
    await asyncio.gather(*(post(those) for those in bodies))
    return time.monotonic() - started


async def naive(folder: Path, count: int) -> float:
    """Give the readings a second of a plain endpoint."""
    bodies: list[list[bytes]] = []
    for number in range(GATEWAYS):
        readings, mine = minutes(number), []
        for position in range(count // GATEWAYS // _NAIVE_READINGS):
            rows = [
                {"edge": f"gw-{number}", "epoch": 7, "lane": 3, "seq": position * _NAIVE_READINGS + at}
                | {**it.series._asdict(), "at": it.taken_at, "value": str(it.value), "quality": int(it.quality)}
                for at, it in enumerate(taken(readings, _NAIVE_READINGS))
            ]
            mine.append(json.dumps(rows).encode())
        bodies.append(mine)
    command = (sys.executable, "-m", "scripts.bench.naive_ingest", str(folder / "naive.db"))
    async with process(*command, ready=r"ready: (\S+)") as found:
        seconds = await together(found[1], bodies, "/readings")
    return sum(map(len, bodies)) * _NAIVE_READINGS / seconds


async def victoria(folder: Path, count: int) -> dict[str, float] | None:
    """Give the readings a second of VictoriaMetrics by way of import; None where it is not installed."""
    program = shutil.which("victoria-metrics")
    if program is None:
        return None
    told = {}
    for path, pack in (("/api/v1/import/prometheus", _lines), ("/api/v1/import", _columns)):
        bodies = []
        for number in range(GATEWAYS):
            readings = minutes(number)
            parts = max(1, count // GATEWAYS // MAX_BATCH_RECORDS)
            bodies.append([pack(taken(readings, MAX_BATCH_RECORDS)) for _ in range(parts)])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        where = (
            f"-storageDataPath={folder / pack.__name__}",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-retentionPeriod=100y",
        )
        async with process(program, *where, ready=r"pprof handlers"):
            await asyncio.sleep(1)  # it says so a moment before it listens
            seconds = await together(f"http://127.0.0.1:{port}", bodies, path)
        told[pack.__name__] = sum(map(len, bodies)) * MAX_BATCH_RECORDS / seconds
    return told


def _lines(readings: Iterable[Reading]) -> bytes:
    lines = (f'{it.series.point}{{device="{it.series.device}"}} {it.value} {it.taken_at}' for it in readings)
    return "\n".join(lines).encode()


def _columns(readings: Iterable[Reading]) -> bytes:
    lines: dict[Series, tuple[list[float], list[int]]] = {}
    for it in readings:
        values, stamps = lines.setdefault(it.series, ([], []))
        values.append(float(it.value or 0))
        stamps.append(it.taken_at)
    return "\n".join(_line(series, *columns) for series, columns in lines.items()).encode()


def _line(series: Series, values: list[float], stamps: list[int]) -> str:
    metric = {"__name__": series.point, "device": series.device}
    return json.dumps({"metric": metric, "values": values, "timestamps": stamps})


async def append_ours(folder: Path, readings: tuple[Reading, ...], group: int) -> float:
    async with await Store.open(folder / "edge.db", "gw-1") as store:
        started = time.monotonic()
        for at in range(0, len(readings), group):
            await store.append(Lane.TELEMETRY, readings[at : at + group])
        return len(readings) / (time.monotonic() - started)


def append_plain(folder: Path, readings: tuple[Reading, ...], group: int) -> float:
    database = sqlite_utils.Database(folder / "plain.db")
    database.enable_wal()
    database.conn.execute("PRAGMA synchronous = FULL")
    rows = [
        {
            "seq": at,
            "device": it.series.device,
            "point": it.series.point,
            "at": it.taken_at,
            "value": float(it.value or 0),
        }
        for at, it in enumerate(readings)
    ]
    table = database["reading"]
    started = time.monotonic()
    for at in range(0, len(rows), group):
        table.insert_all(rows[at : at + group], pk="seq", batch_size=group)  # type: ignore[union-attr]
    seconds = time.monotonic() - started
    database.close()
    return len(rows) / seconds


async def appended(readings: tuple[Reading, ...], group: int) -> tuple[float, float]:
    """Give the median of some rounds, ours and the other in turn: how long a disk takes to sync varies."""
    mine, others = [], []
    for _ in range(_ROUNDS):
        mine.append(await in_folder(lambda folder: append_ours(folder, readings, group)))
        others.append(await in_folder(lambda folder: asyncio.to_thread(append_plain, folder, readings, group)))
    return median(mine), median(others)


async def in_folder(work: Callable[[Path], Awaitable[Any]]) -> Any:
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as name:
        return await work(Path(name))


async def measure(millions: float) -> dict[str, Any]:
    batches = max(2, round(millions * 1_000_000 / GATEWAYS / MAX_BATCH_RECORDS))
    mine = await in_folder(lambda folder: ours(folder, batches))
    plain = await in_folder(lambda folder: naive(folder, 200_000))
    peer = await in_folder(lambda folder: victoria(folder, int(millions * 1_000_000)))
    readings = taken(minutes(9), 400_000)
    stored, beside = await appended(readings, 20_000)
    jitter = Gateway(8, 4, MAX_BATCH_RECORDS, jitter_ms=1000).wire_bytes
    return {
        "ingest_ratio_naive": round(mine["ingest_per_s"] / plain, 1),
        "ingest_ratio_victoriametrics": None if peer is None else round(mine["ingest_per_s"] / peer["_lines"], 2),
        "append_ratio_sqlite_utils": round(stored / beside, 2),
        "stored_bytes_per_reading": round(mine["stored_bytes_per_reading"], 2),
        "wire_bytes_grid": round(mine["wire_bytes"], 2),
        "wire_bytes_jitter": round(jitter, 2),
        "readings": mine["readings"],
        "ingest_per_s": round(mine["ingest_per_s"]),
        "ingested_and_expanded_per_s": round(mine["expanded_per_s"]),
        "naive_per_s": round(plain),
        "victoriametrics_lines_per_s": None if peer is None else round(peer["_lines"]),
        "victoriametrics_columns_per_s": None if peer is None else round(peer["_columns"]),
        "append_per_s": round(stored),
        "sqlite_utils_per_s": round(beside),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, default=4.0, help="readings delivered to the centre (default: 4)")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    told = asyncio.run(measure(options.millions))
    if not options.json:
        for key, value in told.items():
            print(f"{key:32} {value}")
    print(json.dumps(told))


if __name__ == "__main__":
    main()
