"""Measure how a backlog drains: a gateway's real store and uplink, a real centre, and a reader of its live stream.

A store is filled with the readings of days without a network. Then the uplink is started, while readings go on
arriving. Told are how many times faster the backlog shrinks than readings arrive, and how long it takes from
the moment a reading is taken until the dashboard's stream shows that point at that instant or later.

The centre is a process of its own; gateway and reader share another.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from central_server import auth
from central_server.crypto import load_vault
from central_server.db import Database
from central_server.devices.service import invite
from central_server.migrate import migrate
from central_server.rbac import Role, system
from edge_agent.credential import Secret
from edge_agent.identity import Signer
from edge_agent.store import Store
from edge_agent.uplink import UplinkClient
from protocols.sync import Lane, Reading, Series
from scripts.bench.sync import process

_CHUNK = 10_000
_READY = r"ready: (http://[^/]+)/"
_KEY = Ed25519PrivateKey.generate()
_SIGNER = Signer(_KEY.public_key().public_bytes_raw().hex(), _KEY.sign)


def series(count: int) -> list[Series]:
    return [Series(f"em-{number // 10}", f"powerTotal{number % 10}", "W") for number in range(count)]


async def fill(store: Store, points: list[Series], backlog: int) -> None:
    """Store a minute's readings of every point, minute by minute, up to now."""
    minutes = backlog // len(points)
    start = (time.time_ns() // 1_000_000) - minutes * 60_000
    records: list[Reading] = []
    for minute in range(minutes):
        at = start + minute * 60_000
        records += [Reading(name, at, Decimal(minute * 7 + place) / 10) for place, name in enumerate(points)]
        if len(records) >= _CHUNK:
            await store.append(Lane.TELEMETRY, records)
            records = []
    if records:
        await store.append(Lane.TELEMETRY, records)


class Arrivals:
    """Readings that go on arriving, and when the dashboard has seen each."""

    def __init__(self, points: list[Series], rate: float) -> None:
        self._points = points
        self._every_s = len(points) / rate
        self._unseen: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.late_ms: list[int] = []
        self.count = 0

    async def arrive(self, store: Store) -> None:
        """Store a reading of each point, spread over the time until the next."""
        slices = 20
        while True:
            for place in range(slices):
                part = self._points[place::slices]
                at = time.time_ns() // 1_000_000
                for name in part:
                    self._unseen[(name.device, name.point)].append(at)
                await store.append(Lane.TELEMETRY, [Reading(name, at, Decimal(at % 10_000) / 10) for name in part])
                self.count += len(part)
                await asyncio.sleep(self._every_s / slices)

    async def watch(self, url: str, token: str, devices: dict[int, str]) -> None:
        """Read the dashboard's stream."""
        headers = {"Cookie": f"gatehouse_session={token}"}
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(url, timeout=timeout) as client,
            client.get("/live", headers=headers) as stream,
        ):
            stream.raise_for_status()
            pending = b""
            async for chunk in stream.content.iter_any():
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    if line.startswith(b"data: "):
                        self._see(json.loads(line[6:]), devices)
        raise SystemExit("the dashboard's stream has ended: it fell behind")

    def _see(self, message: dict[str, object], devices: dict[int, str]) -> None:
        items = message.get("items")
        now = time.time_ns() // 1_000_000
        if message.get("type") != "values" or not isinstance(items, list):
            return
        for item in items:
            key = (devices.get(item["device"], ""), item["point"])
            waiting = self._unseen.get(key, [])
            shown = [at for at in waiting if at <= item["at"]]
            if shown:
                self.late_ms += [now - at for at in shown]
                self._unseen[key] = waiting[len(shown) :]

    def overdue(self) -> list[int]:
        """Give how long those have waited that were never shown."""
        now = time.time_ns() // 1_000_000
        return [now - at for waiting in self._unseen.values() for at in waiting if now - at > 2000]


async def measure(folder: Path, backlog: int, rate: float, points: int) -> dict[str, object]:
    names = series(points)
    (folder / "central.toml").write_text('[central]\nlisten = "127.0.0.1:0"\n')
    (folder / "data").mkdir()
    address = f"sqlite:///{folder / 'data' / 'central.db'}"
    db = Database(address, load_vault(folder / "data" / "central.key", may_make=True))
    await migrate(db)
    async with db.write() as connection:
        await connection.exec_driver_sql("INSERT INTO site (code, name, zone) VALUES ('lake', '', 'UTC')")
    secret = await invite(db, "lake", "gw-1")
    await auth.add_account(db, "desk", "desk", "en", "correct horse 7", Role.ADMINISTRATOR, actor=system("bench"))
    token = (await auth.sign_in(db, "desk", "correct horse 7", "127.0.0.1")).token
    command = (sys.executable, "-m", "central_server", "-c", str(folder / "central.toml"), "run")
    async with (
        process(*command, ready=_READY) as found,
        await Store.open(folder / "edge.db", "gw-1") as store,
        asyncio.TaskGroup() as tasks,
    ):
        url = found[1]
        uplink = UplinkClient(url, Secret("gw-1", secret), store, lambda: {"edge_id": "gw-1", "devices": []}, _SIGNER)
        arrivals = Arrivals(names, rate)
        # The centre has met every point before the network went away.
        await store.append(Lane.TELEMETRY, [Reading(name, 1, Decimal(0)) for name in names])
        first = tasks.create_task(uplink.run())
        devices = await known_devices(db, points)
        first.cancel()
        await fill(store, names, backlog)
        watching = tasks.create_task(arrivals.watch(url, token, devices))
        await asyncio.sleep(0.5)
        arriving = tasks.create_task(arrivals.arrive(store))
        started, acked = time.monotonic(), store.lanes()[Lane.TELEMETRY].acked_seq
        sending = tasks.create_task(uplink.run())
        await drained(store, max(2 * points, round(3 * rate)))
        seconds = time.monotonic() - started
        sent, arrived = store.lanes()[Lane.TELEMETRY].acked_seq - acked, arrivals.count
        late = sorted(arrivals.late_ms + arrivals.overdue())
        arriving.cancel()
        expanded_s = await expanded(db, started)
        for task in (watching, sending):
            task.cancel()
        await db.close()
    return {
        "backlog": backlog,
        "points": points,
        "arrival_per_s": round(arrived / seconds, 1),
        "drain_per_s": round(sent / seconds, 1),
        "drain_ratio": round(sent / arrived, 1),
        "seconds": round(seconds, 1),
        "expanded_after_s": expanded_s,
        "live_readings": len(late),
        "live_p50_ms": late[len(late) // 2] if late else None,
        "live_p99_ms": late[len(late) * 99 // 100] if late else None,
        "live_most_ms": late[-1] if late else None,
    }


async def drained(store: Store, most: int) -> None:
    """Wait until no more wait than what has just arrived."""
    while True:
        if store.lanes()[Lane.TELEMETRY].pending <= most:
            return
        await asyncio.sleep(0.05)


async def known_devices(db: Database, points: int) -> dict[int, str]:
    """Wait until the centre has met every point; give its devices."""
    async with asyncio.timeout(30):
        while True:
            async with db.read() as connection:
                met = (await connection.exec_driver_sql("SELECT count(*) FROM series")).scalar_one()
                found = await connection.exec_driver_sql("SELECT id, code FROM device")
                devices = {row["id"]: row["code"] for row in found.mappings()}
            if met >= points:
                return devices
            await asyncio.sleep(0.1)


async def expanded(db: Database, started: float) -> float:
    """Wait until the centre has expanded all it was sent."""
    while True:
        async with db.read() as connection:
            query = "SELECT count(*) FROM batch WHERE packed_at IS NULL AND error IS NULL"
            if not (await connection.exec_driver_sql(query)).scalar_one():
                return round(time.monotonic() - started, 1)
        await asyncio.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backlog", type=int, default=300_000, help="readings that wait (default 300,000)")
    parser.add_argument("--rate", type=float, default=100, help="readings that arrive in a second (default 100)")
    parser.add_argument("--points", type=int, default=500, help="points they are of (default 500)")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drain-") as folder:
        found = asyncio.run(measure(Path(folder), args.backlog, args.rate, args.points))
    if args.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:18} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
