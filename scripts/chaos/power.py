"""Cut the power of a gateway's store and of a centre's database, and see that what was confirmed is there.

Each cycle mounts a file system of our own that keeps unsynced writes in memory (``power_disk``), starts a process that
stores and confirms, kills it, and unmounts: what was not synced is then gone, or torn. What is left is
compared with what the process had confirmed, and the next one has to start on it by itself.

A control does the same with ``PRAGMA synchronous=NORMAL``: there the harness must find losses, or it proves nothing.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from central_server import db as central_db
from central_server.db import Database
from central_server.devices.service import invite
from central_server.live import Hub
from central_server.migrate import migrate
from central_server.sync import service
from central_server.sync.store import find_gateway
from central_server.telemetry.expansion import Expander
from edge_agent import store_file
from edge_agent.store import Store, StoreError
from edge_agent.store_file import find_faults, peek_records, read_identity, read_lanes
from protocols.quantity import Quality
from protocols.sync import Batch, Event, Lane, Reading, Record, Series, encode_batch
from scripts.chaos.gateway import EDGE
from scripts.chaos.nursery import Nursery, nursery_of, until
from scripts.chaos.rig import conclude, expansion_faults
from tests.central_server.vault import VAULT

_SERIES = [Series(f"em-{number}", "energyImportTotal", "kWh") for number in range(5)]
_LOAD_S = 0.25
_OPEN_S = 20


def missing() -> str | None:
    """Say what this machine lacks for it, None for nothing."""
    try:
        import mfusepy  # noqa: F401, PLC0415 - whether it can be imported is the question
    except (ImportError, OSError):
        return "mfusepy or libfuse is missing (pip install mfusepy; apt-get install fuse3)"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse is missing or closed to this user"
    return None if shutil.which("fusermount3") else "fusermount3 is missing (apt-get install fuse3)"


def record(lane: Lane, seq: int, salt: int) -> Record:
    if lane in (Lane.SAFETY, Lane.CONTROL):
        return Event("note", "device:em-1", seq, {"tag": seq + salt})
    return Reading(_SERIES[seq % 5], seq, Decimal(seq + salt), Quality.GOOD)


def weaken() -> None:
    """Have commits return before they are synced: the fault that the control must notice."""
    strong = store_file.connect

    def weak(path: Path, edge_id: str) -> sqlite3.Connection:
        connection = strong(path, edge_id)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    for name, module in list(sys.modules.items()):
        if name.startswith("edge_agent") and getattr(module, "connect", None) is strong:
            module.connect = weak  # type: ignore[attr-defined]
    full = central_db._on_sqlite_connect  # noqa: SLF001

    def soon(connection: Any, _record: Any) -> None:
        full(connection, _record)
        connection.cursor().execute("PRAGMA synchronous = NORMAL").close()

    central_db._on_sqlite_connect = soon  # noqa: SLF001


def _note(descriptor: int, *words: int | str) -> None:
    os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())


def edge(folder: str, ledger: str, life: str, is_weak: str) -> None:
    """Store and acknowledge until killed."""
    if is_weak == "weak":
        weaken()
    asyncio.run(
        _edge(Path(folder) / "edge.db", os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), int(life))
    )


async def _edge(path: Path, ledger: int, life: int) -> None:
    chance = random.Random(life)
    store = await Store.open(path, EDGE, window_s=0.002, reserve_bytes=4096)
    _note(ledger, "O", 0, 0, 0, 0)

    async def keep_on(lane: Lane) -> None:
        tag = life * 1_000_000
        while True:
            count = chance.choice((1, 3, 20))
            last = await store.append(lane, [record(lane, tag + at, 0) for at in range(count)])
            _note(ledger, "K", int(lane), last, count, tag)
            tag += count

    async def acknowledge(lane: Lane) -> None:
        while True:
            await asyncio.sleep(0.02)
            state = store.lanes()[lane]
            if state.pending > 40:
                seq = state.acked_seq + state.pending // 2
                _note(ledger, "A", int(lane), seq, 0, 0)
                await store.ack(lane, seq)

    async with asyncio.TaskGroup() as tasks:
        for lane in (Lane.SAFETY, Lane.BILLING, Lane.TELEMETRY):
            tasks.create_task(keep_on(lane))
            tasks.create_task(acknowledge(lane))


def centre(folder: str, ledger: str, life: str, is_weak: str, *acked: str) -> None:
    """Take batches until killed."""
    if is_weak == "weak":
        weaken()
    descriptor = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    asyncio.run(_centre(Path(folder) / "central.db", descriptor, int(life), list(map(int, acked))))


async def _centre(path: Path, ledger: int, life: int, acked: list[int]) -> None:
    chance = random.Random(life)
    db = Database(f"sqlite:///{path}", VAULT)
    async with db.read() as connection:
        gateway = await find_gateway(connection, EDGE)
    assert gateway is not None
    expander = Expander(db, Hub())
    _note(ledger, "O", 0, 0, 0, 0)

    async def deliver(lane: Lane, after: int) -> None:
        while True:
            first = max(1, after + 1 - chance.choice((0, 0, 3)))
            records = tuple(record(lane, seq, 0) for seq in range(first, after + 1 + chance.choice((1, 7, 40))))
            body = encode_batch(Batch(EDGE, 99, lane, first, records))
            taken = await service.take_batch(db, gateway, body)
            after = taken.acked
            _note(ledger, "K", int(lane), after, 1, 0)
            expander.wake()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(expander.run())
        for lane in Lane:
            tasks.create_task(deliver(lane, acked[lane]))


class Cutter:
    """One thing under test on one disk, cycle after cycle."""

    def __init__(self, folder: Path, nursery: Nursery, seed: int, *, is_weak: bool) -> None:
        self.folder, self.nursery, self.is_weak = folder, nursery, is_weak
        self.chance = random.Random(seed)
        self.mount, self.state, self.log = folder / "disk", folder / "state", folder / "log"
        self.mount.mkdir(parents=True)
        self.confirmed = 0
        self.lost = 0
        self.failed: list[str] = []
        self.faults: Counter[str] = Counter()

    def cycle(self, target: str, life: int, *words: str) -> list[list[str]]:
        """Mount, load, kill, cut; give what the process has written down."""
        ledger = self.folder / f"ledger-{life}"
        strength = "weak" if self.is_weak else "full"
        seed = str(self.chance.getrandbits(32))
        disk = self.nursery.fork("scripts.chaos.power_disk:mount", str(self.mount), str(self.state), seed, log=self.log)
        try:
            until(self.mount.is_mount, _OPEN_S, "that the disk is there")
            process = self.nursery.fork(target, str(self.mount), str(ledger), str(life), strength, *words, log=self.log)
            try:
                if self.chance.random() < 0.1:  # also while it is being mended
                    time.sleep(self.chance.random() * 0.1)
                    self.faults["cut_while_starting"] += 1
                else:
                    until(lambda: _has_begun(ledger, process.is_alive()), _OPEN_S, "that it starts by itself")
                    time.sleep(self.chance.random() * _LOAD_S)
            finally:
                process.end()
        finally:
            unmount(self.mount)
            disk.wait()
        self.faults["power_cut"] += 1
        lines = ledger.read_text().splitlines() if ledger.exists() else []
        ledger.unlink(missing_ok=True)
        return [line.split() for line in lines if line.count(" ") == 4]

    def on_disk(self, look: Callable[[Path], None]) -> None:
        """Look at what is on the disk, in a copy."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            from scripts.chaos.power_disk import load  # noqa: PLC0415 - only where FUSE is

            load(self.state).lay_out(Path(name))
            look(Path(name))


def _has_begun(ledger: Path, is_alive: bool) -> bool:
    if not is_alive:
        raise RuntimeError("it did not start by itself after the power cut; see its log")
    return ledger.exists() and ledger.stat().st_size > 0


def unmount(folder: Path) -> None:
    """Take the disk away; the kernel may still be busy with who was killed."""
    for _ in range(100):
        if subprocess.run(["fusermount3", "-u", "-q", str(folder)], check=False).returncode == 0:
            return
        time.sleep(0.02)
    raise TimeoutError(f"{folder} cannot be unmounted")


def cut_edge(cutter: Cutter, cycles: int) -> None:
    kept: dict[Lane, dict[int, int]] = {lane: {} for lane in Lane}
    acking = dict.fromkeys(Lane, 0)
    epochs: set[int] = set()

    def look(folder: Path) -> None:
        path = folder / "edge.db"
        if not path.exists():  # cut before the first store was made
            if any(kept.values()):
                cutter.failed.append(f"edge {life}: the store is gone")
            return
        try:
            lanes = read_lanes(path)
        except StoreError as error:
            if any(kept.values()):
                cutter.failed.append(f"edge {life}: {error}")
            return
        epochs.add(read_identity(path).epoch)
        for lane in lanes:
            there = {seq: _tag(each) for seq, each in peek_records(path, lane, 10_000_000)}
            wanted = {seq: tag for seq, tag in kept[lane].items() if seq > acking[lane]}
            cutter.lost += sum(there.get(seq) != tag for seq, tag in wanted.items())
            kept[lane] = wanted
        if faults := find_faults(path):
            cutter.failed.append(f"edge {life}: {faults[:2]}")

    for life in range(1, cycles + 1):
        for word, number, seq, count, tag in cutter.cycle("scripts.chaos.power:edge", life):
            lane = Lane(int(number))
            if word == "A":
                acking[lane] = max(acking[lane], int(seq))
            if word == "K":
                first = int(seq) - int(count) + 1
                kept[lane] |= {first + at: int(tag) + at for at in range(int(count))}
                cutter.confirmed += int(count)
        before = cutter.lost
        cutter.on_disk(look)
        if cutter.lost != before and cutter.is_weak:
            kept, acking = {lane: {} for lane in Lane}, dict.fromkeys(Lane, 2**62)  # what follows is not comparable
            cutter.state.unlink(missing_ok=True)
            acking = dict.fromkeys(Lane, 0)
            epochs.clear()
    if len(epochs) > 1 and not cutter.is_weak:
        cutter.faults["epochs_begun_without_need"] = len(epochs) - 1


def _tag(record: Record) -> int:
    return int(record.body.get("tag", -1)) if isinstance(record, Event) else int(record.value or -1)


async def _make_centre(path: Path) -> None:
    db = Database(f"sqlite:///{path}", VAULT)
    await migrate(db)
    async with db.write() as connection:
        await connection.exec_driver_sql("INSERT INTO site (code, name, zone) VALUES ('lake', '', 'UTC')")
    await invite(db, "lake", EDGE)
    await db.close()


def cut_centre(cutter: Cutter, cycles: int) -> None:
    from scripts.chaos.power_disk import Disk, save  # noqa: PLC0415 - only where FUSE is

    made = cutter.folder / "made.db"
    asyncio.run(_make_centre(made))
    with closing(sqlite3.connect(made)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    disk = Disk()
    disk.put("central.db", made.read_bytes())
    save(disk, cutter.state)
    acked = dict.fromkeys(Lane, 0)

    def look(folder: Path) -> None:
        path = folder / "central.db"
        with closing(sqlite3.connect(path)) as connection:
            marks = {Lane(lane): seq for lane, seq in connection.execute("SELECT lane, high_seq FROM lane_mark")}
            if (told := connection.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
                cutter.failed.append(f"centre {life}: {told[:2]}")
            for lane in Lane:
                cutter.lost += max(0, acked[lane] - marks.get(lane, 0))
                acked[lane] = marks.get(lane, 0)
                query = "SELECT from_seq, last_seq FROM batch WHERE lane = ? ORDER BY id"
                end = 0
                for first, last in connection.execute(query, (int(lane),)):
                    if first != end + 1:
                        cutter.failed.append(f"centre {life}: {lane.word} goes from {end} to {first}")
                    end = last
                if end != marks.get(lane, 0):
                    cutter.failed.append(f"centre {life}: {lane.word} ends at {end} and is marked {marks.get(lane)}")
        if life == cycles and not cutter.is_weak:
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("DELETE FROM batch WHERE expanded_at IS NULL")
                connection.commit()
            cutter.failed += [f"centre: {text}" for text in expansion_faults(path)]

    for life in range(1, cycles + 1):
        told = cutter.cycle("scripts.chaos.power:centre", life, *(str(acked[lane]) for lane in Lane))
        for word, number, seq, _, _ in told:
            if word == "K":
                lane = Lane(int(number))
                cutter.confirmed += int(seq) - acked[lane]
                acked[lane] = int(seq)
        cutter.on_disk(look)


def campaign(cycles: int, control: int, seed: int, nursery: Nursery | None = None) -> dict[str, Any]:
    """Cut so often on each side, and in the control; give what came of it."""
    started = time.monotonic()
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    failed: list[str] = []
    faults: Counter[str] = Counter()
    confirmed = lost = 0
    lost_without: dict[str, int] = {}
    with tempfile.TemporaryDirectory(dir=base) as name, nursery_of(nursery, "scripts.chaos.power", "mfusepy") as mother:
        for what, work in (("edge", cut_edge), ("centre", cut_centre)):
            cutter = Cutter(Path(name) / what, mother, seed, is_weak=False)
            work(cutter, cycles)
            failed += cutter.failed
            faults += cutter.faults
            confirmed, lost = confirmed + cutter.confirmed, lost + cutter.lost
            if cutter.lost:
                failed.append(f"{what}: {cutter.lost} confirmed records are gone")
            if control:
                weak = Cutter(Path(name) / f"{what}-weak", mother, seed, is_weak=True)
                work(weak, control)
                lost_without[what] = weak.lost
                if not weak.lost:
                    failed.append(f"{what}: the control has lost nothing, so the harness proves nothing")
    return {
        "cycles": 2 * cycles,
        "failed": failed,
        "accepted": confirmed,
        "lost": lost,
        "faults": dict(faults),
        "control": {"cycles": 2 * control, "lost": lost_without},
        "seconds": round(time.monotonic() - started, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=500, help="power cuts of each side (default: 500)")
    parser.add_argument("--control", type=int, default=40, help="of each side with NORMAL (default: 40)")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn at random (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the last line only, which is JSON anyway")
    options = parser.parse_args()
    if lacking := missing():
        print(json.dumps({"cycles": 0, "failed": [], "skipped": lacking}))
        return
    conclude(campaign(options.cycles, options.control, options.seed))


if __name__ == "__main__":
    main()
