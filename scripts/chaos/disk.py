"""Fill a small disk to the last byte and free it again, under a gateway's store and under a centre's database.

The gateway: readings are refused, alarms and door events never; a kill on a full disk is survived; within ten
seconds of the room coming back readings are stored again. The centre: what it cannot store it answers with 503
and Retry-After, what it acknowledged is there, and within ten seconds it takes batches again.
"""

import argparse
import asyncio
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp

from protocols.sync import PATH_BATCHES, Lane
from scripts.chaos.gateway import EDGE
from scripts.chaos.nursery import Nursery, Process, until
from scripts.chaos.rig import Centre, Ledger, Sender, compare, conclude, expansion_faults, told_by

_EDGE_MIB, _CENTRE_MIB = 20, 24
_MOST_S = 10.0
_WHOLE = 5  # every so many cycles the gateway is killed on a full disk, and then drained


def missing() -> str | None:
    """Say what this machine lacks for it, None for nothing."""
    with tempfile.TemporaryDirectory() as name:
        if not shutil.which("mount") or not _mounted(Path(name), 1):
            return "this user may not mount a tmpfs (run it as root)"
        _unmount(Path(name))
    return None


def _mounted(folder: Path, mib: int) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0700", "none", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


class Small:
    """A small disk with ballast."""

    def __init__(self, folder: Path, mib: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        if not _mounted(folder, mib):
            raise RuntimeError(f"{folder} cannot be mounted")

    def fill(self) -> None:
        """Take all room there is, to the last byte."""
        with (self.folder / "ballast").open("ab", buffering=0) as file:
            for size in (1 << 16, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def free(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        _unmount(self.folder)


class Watched:
    """A gateway on a small disk, and its ledger."""

    def __init__(self, folder: Path, nursery: Nursery, secret: str, centre: Centre) -> None:
        self.disk = Small(folder / "small", _EDGE_MIB)
        self.folder, self.nursery, self.secret, self.centre = folder, nursery, secret, centre
        self.ledger = Ledger()
        self.life = 0
        self.process: Process | None = None
        self.log = folder / "edge.log"

    @property
    def path(self) -> Path:
        return self.disk.folder / "edge" / "edge.db"

    @property
    def lines(self) -> list[bytes]:
        path = self.folder / f"ledger-{self.life}"
        return path.read_bytes().split(b"\n")[:-1] if path.exists() else []

    def start(self) -> None:
        """Start it with nobody to send to: what is stored stays."""
        self.life += 1
        words = (str(self.path), "http://127.0.0.1:9", self.secret, str(self.folder / f"ledger-{self.life}"))
        self.process = self.nursery.fork("scripts.chaos.gateway:live", *words, str(self.life), "0.02", log=self.log)

    def end(self) -> None:
        assert self.process is not None
        self.process.end()
        self.ledger.read(self.folder / f"ledger-{self.life}")

    def has(self, word: bytes, lanes: tuple[Lane, ...], since: float) -> bool:
        """Tell whether the store has kept (K) or refused (R) something of these lanes since then."""
        wanted = {b"%d" % lane for lane in lanes}
        return any(
            each[0] == word and each[1] in wanted and float(each[4]) >= since
            for each in (line.split() for line in reversed(self.lines[-400:]))
        )

    def drain(self) -> None:
        process = self.nursery.fork(
            "scripts.chaos.gateway:drain", str(self.path), self.centre.url, self.secret, log=self.log
        )
        process.wait(120)


_URGENT, _READINGS = (Lane.SAFETY, Lane.CONTROL), (Lane.BILLING, Lane.TELEMETRY)


def fill_edge(folder: Path, nursery: Nursery, cycles: int, chance: random.Random) -> dict[str, Any]:
    """Fill and free the gateway's disk; give what came of it."""
    centre = Centre(folder / "centre", nursery)
    secret = asyncio.run(centre.make([EDGE]))[EDGE]
    centre.start()
    watched = Watched(folder, nursery, secret, centre)
    faults: Counter[str] = Counter()
    slowest, failed = 0.0, []
    try:
        centre.wait_ready()
        watched.start()
        until(lambda: watched.has(b"K", _READINGS, 0), 30, "that it stores")
        for cycle in range(1, cycles + 1):
            began = time.monotonic()
            watched.disk.fill()
            faults["edge_filled"] += 1
            until(lambda at=began: watched.has(b"R", _READINGS, at), 30, "that readings are refused")
            if cycle % _WHOLE == 0:
                watched.end()
                faults["edge_killed_full"] += 1
                watched.start()
            began = time.monotonic()
            until(lambda at=began: watched.has(b"K", _URGENT, at), 10, "that an alarm is stored on a full disk")
            time.sleep(chance.random() * 0.3)
            began = time.monotonic()
            watched.disk.free()
            slowest = max(
                slowest, until(lambda at=began: watched.has(b"K", _READINGS, at), 30, "that it stores readings again")
            )
            time.sleep(chance.random() * 0.2)
            if cycle % _WHOLE == 0:
                watched.end()
                watched.drain()
                watched.start()
        watched.end()
        watched.drain()
        centre.wait_expanded()
        assert centre.process is not None
        centre.process.end(signal.SIGTERM)
        shed = sum(watched.ledger.refused[lane] for lane in _URGENT)
        faults["readings_refused"] = sum(watched.ledger.refused[lane] for lane in _READINGS)
        if shed:
            failed.append(f"edge: {shed} alarms or door events were refused")
        if slowest > _MOST_S:
            failed.append(f"edge: it took {slowest:.1f} s to store readings again")
        failed += compare(watched.ledger, told_by(centre.path, EDGE)) + expansion_faults(centre.path) + centre.verify()
    finally:
        watched.disk.close()
    return {"failed": failed, "accepted": watched.ledger.accepted, "faults": faults, "slowest_s": slowest}


async def _press(centre: Centre, disk: Small, secret: str, cycles: int, chance: random.Random) -> dict[str, Any]:
    sender = Sender(EDGE, secret)
    failed: list[str] = []
    faults: Counter[str] = Counter()
    slowest = 0.0
    async with aiohttp.ClientSession(centre.url, headers=sender.headers) as session:

        async def post() -> int:
            lane = chance.choice(list(Lane))
            body = sender.batch(lane, chance.choice((1, 50, 2000)))
            async with session.post(PATH_BATCHES, data=body) as response:
                text = await response.text()
                if response.status == 200:
                    sender.heard(lane, json.loads(text))
                elif response.status != 503:
                    failed.append(f"centre: HTTP {response.status} {text[:200]}")
                elif not response.headers.get("Retry-After", "").isdigit():
                    failed.append("centre: 503 without Retry-After")
                return response.status

        async def until_status(wanted: int) -> float:
            began = time.monotonic()
            while await post() != wanted:
                if time.monotonic() - began > 60:
                    raise TimeoutError(f"the centre does not come to answer {wanted}")
                await asyncio.sleep(0.02)
            return time.monotonic() - began

        await until_status(200)
        for _ in range(cycles):
            disk.fill()
            faults["centre_filled"] += 1
            await until_status(503)
            for _ in range(chance.randrange(20)):
                faults[f"answered_{await post()}_when_full"] += 1
            disk.free()
            slowest = max(slowest, await until_status(200))
            for _ in range(3):
                await post()
    acked = {lane: sender.acked[lane] for lane in Lane}
    if slowest > _MOST_S:
        failed.append(f"centre: it took {slowest:.1f} s to take batches again")
    return {"failed": failed, "acked": acked, "faults": faults, "slowest_s": slowest}


def fill_centre(folder: Path, nursery: Nursery, cycles: int, chance: random.Random) -> dict[str, Any]:
    """Fill and free the centre's disk; give what came of it."""
    disk = Small(folder / "centre", _CENTRE_MIB)
    try:
        centre = Centre(disk.folder, nursery)
        centre.log = folder / "central.log"
        secret = asyncio.run(centre.make([EDGE]))[EDGE]
        centre.start()
        centre.wait_ready()
        found = asyncio.run(_press(centre, disk, secret, cycles, chance))
        assert centre.process is not None
        centre.process.end()  # what was only in memory is gone now
        with closing(sqlite3.connect(centre.path)) as connection:
            marks = dict(connection.execute("SELECT lane, high_seq FROM lane_mark").fetchall())
        lost = sum(max(0, seq - marks.get(int(lane), 0)) for lane, seq in found["acked"].items())
        if lost:
            found["failed"].append(f"centre: {lost} acknowledged records are gone")
        centre.start()
        centre.wait_ready()
        centre.wait_expanded()
        centre.process.end(signal.SIGTERM)
        found["failed"] += expansion_faults(centre.path) + centre.verify()
    finally:
        disk.close()
    return {**found, "accepted": sum(found["acked"].values())}


def campaign(cycles: int, seed: int) -> dict[str, Any]:
    """Fill and free so often on each side; give what came of it."""
    started = time.monotonic()
    chance = random.Random(seed)
    modules = ("scripts.chaos.gateway", "central_server.cli")
    with tempfile.TemporaryDirectory() as name, Nursery(*modules) as nursery:
        edge = fill_edge(Path(name) / "edge", nursery, cycles, chance)
        centre = fill_centre(Path(name) / "central", nursery, cycles, chance)
    return {
        "cycles": 2 * cycles,
        "failed": edge["failed"] + centre["failed"],
        "accepted": edge["accepted"] + centre["accepted"],
        "faults": dict(edge["faults"] + centre["faults"]),
        "slowest_recovery_s": {"edge": round(edge["slowest_s"], 2), "centre": round(centre["slowest_s"], 2)},
        "seconds": round(time.monotonic() - started, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=40, help="times each disk is filled (default: 40)")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn at random (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the last line only, which is JSON anyway")
    options = parser.parse_args()
    if lacking := missing():
        print(json.dumps({"cycles": 0, "failed": [], "skipped": lacking}))
        return
    conclude(campaign(options.cycles, options.seed))


if __name__ == "__main__":
    main()
