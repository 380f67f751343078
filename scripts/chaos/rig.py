"""What the campaigns share: a real centre in a folder, the ledger of what was accepted, and who compares them."""

import contextlib
import json
import socket
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from central_server.db import Database
from central_server.devices.service import invite
from central_server.migrate import migrate
from central_server.sync.service import authenticate, with_sign_key
from central_server.telemetry.block import unpack
from protocols.quantity import Quality
from protocols.sync import (
    CONTENT_TYPE,
    Batch,
    Event,
    Lane,
    Reading,
    Record,
    Series,
    decode_batch,
    encode_batch,
)
from scripts.chaos.nursery import Nursery, Process, cold, until
from tests.central_server.vault import VAULT, write_key

CENTRAL = "scripts.chaos.rig:run_central"
_EXPANDED_S = 120
_START_MS = 1_767_225_600_000


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def conclude(found: Mapping[str, Any]) -> NoReturn:
    """End a campaign: what failed, then its figures as the last line."""
    for text in found["failed"]:
        print(text, file=sys.stderr)
    print(json.dumps(found))
    raise SystemExit(1 if found["failed"] else 0)


def key_of(edge_id: str) -> Ed25519PrivateKey:
    """Give the key with which a gateway of a campaign signs."""
    return Ed25519PrivateKey.from_private_bytes(edge_id.encode().ljust(32, b"."))


def run_central(file: str, *words: str) -> None:
    """Be ``central run``, or another of its commands."""
    from central_server.cli import app  # noqa: PLC0415 - the import is what a forked process has behind it

    app(["-c", file, *(words or ("run",))])


class Centre:
    """A centre with a database of its own, run by the real command at one port."""

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.path = folder / "data" / "central.db"
        self.log = folder / "central.log"
        self._nursery = nursery
        self.process: Process | None = None
        self._from = 0

    async def make(self, edge_ids: list[str]) -> dict[str, str]:
        """Make the database and let gateways in; give their secrets."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "central.toml").write_text(f'[central]\nlisten = "127.0.0.1:{self.port}"\nlanguage = "en"\n')
        write_key(self.folder)
        db = Database(f"sqlite:///{self.path}", VAULT)
        await migrate(db)
        async with db.write() as connection:
            await connection.exec_driver_sql("INSERT INTO site (code, name, zone) VALUES ('lake', '', 'UTC')")
        secrets = {}
        for edge_id in edge_ids:
            secrets[edge_id] = await invite(db, "lake", edge_id)
            gateway = await authenticate(db, f"Gateway {edge_id}:{secrets[edge_id]}")
            await with_sign_key(db, gateway, key_of(edge_id).public_key().public_bytes_raw().hex())
        await db.close()
        return secrets

    def start(self, *, is_cold: bool = False) -> None:
        """Start it; it is ready a moment later."""
        self._from = self.log.stat().st_size if self.log.exists() else 0
        file = str(self.folder / "central.toml")
        self.process = (
            cold("central_server", "-c", file, "run", log=self.log)
            if is_cold
            else self._nursery.fork(CENTRAL, file, log=self.log)
        )

    def is_ready(self) -> bool:
        assert self.process is not None
        if not self.log.exists():
            return False
        with self.log.open("rb") as file:
            file.seek(self._from)
            text = file.read()
        if b"ready: http" in text:
            return True
        if not self.process.is_alive():
            raise RuntimeError(f"the centre has ended: {text[-1500:].decode(errors='replace')}")
        return False

    def wait_ready(self, seconds: float = 60) -> float:
        return until(self.is_ready, seconds, "that the centre is ready")

    def rss_mib(self) -> float:
        assert self.process is not None
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = {line.split(":")[0]: line.split()[1] for line in text.splitlines() if line.startswith("Vm")}
        return round(int(found["VmHWM"]) / 1024, 1)

    def wait_expanded(self) -> None:
        def is_done() -> bool:
            with contextlib.suppress(sqlite3.OperationalError), closing(sqlite3.connect(self.path)) as connection:
                return connection.execute("SELECT 1 FROM batch WHERE expanded_at IS NULL LIMIT 1").fetchone() is None
            return False

        until(is_done, _EXPANDED_S, "that all batches are expanded")

    def verify(self) -> list[str]:
        """Type ``central sync verify``; give what it finds wrong."""
        out = self.folder / "verify.json"
        self._nursery.fork(CENTRAL, str(self.folder / "central.toml"), "sync", "verify", "--json", log=out).wait(300)
        text = out.read_text(errors="replace")
        try:
            told = json.loads(text[text.index("{") :])
        except ValueError:
            return [f"verify: {text[-500:]}"]
        return [] if told["ok"] else [f"verify: {told}"]


class Sender:
    """A gateway without a store: real batches, chained and signed, whose record's tag is its number."""

    def __init__(self, edge_id: str, secret: str) -> None:
        self.edge_id = edge_id
        self.headers = {"Authorization": f"Gateway {edge_id}:{secret}", "Content-Type": CONTENT_TYPE}
        self.acked = dict.fromkeys(Lane, 0)
        self._heads = dict.fromkeys(Lane, "")
        self._sign = key_of(edge_id).sign

    def batch(self, lane: Lane, count: int) -> bytes:
        """Give the next records of a lane; the same again until they are acknowledged, perhaps more or fewer."""
        return self.cut(lane, self.acked[lane] + 1, count, self._heads[lane])

    def cut(self, lane: Lane, first: int, count: int, prev: str) -> bytes:
        """Give a batch of these records."""
        records = tuple(self._record(lane, seq) for seq in range(first, first + count))
        return encode_batch(Batch(self.edge_id, 7, lane, first, records, prev), self._sign)

    def newest(self, seq: int) -> list[Reading]:
        """Give the newest values of readings up to a number."""
        found = [self._record(Lane.TELEMETRY, each) for each in range(max(1, seq - 4), seq + 1)]
        return [each for each in found if isinstance(each, Reading)]

    def heard(self, lane: Lane, answer: dict[str, Any]) -> None:
        self.acked[lane], self._heads[lane] = answer["acked"], answer["head"]

    def _record(self, lane: Lane, seq: int) -> Record:
        if lane in (Lane.SAFETY, Lane.CONTROL):
            return Event("note", "device:em-1", _START_MS + seq, {"tag": seq})
        device = f"{self.edge_id}-em-{seq % 5}"
        return Reading(Series(device, "energyImportTotal", "kWh"), _START_MS + seq * 1000, Decimal(seq), Quality.GOOD)


@dataclass(slots=True)
class Ledger:
    """What a generator has tried to store, and what the store has accepted: tags by lane, in order."""

    tried: dict[Lane, list[int]] = field(default_factory=lambda: defaultdict(list))
    kept: dict[Lane, list[int]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[Lane, int] = field(default_factory=lambda: defaultdict(int))

    def read(self, path: Path) -> float | None:
        """Take in one process's lines; give when its first record was accepted, on the machine's steady clock."""
        first: float | None = None
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        for line in lines:
            word, lane, start, count, at = line.split()
            tags = range(int(start), int(start) + int(count))
            if word == b"T":
                self.tried[Lane(int(lane))] += tags
            elif word == b"K":
                self.kept[Lane(int(lane))] += tags
                first = float(at) if first is None else first
            else:
                self.refused[Lane(int(lane))] += len(tags)
        return first

    @property
    def accepted(self) -> int:
        return sum(map(len, self.kept.values()))


def tag_of(record: Record) -> int | None:
    """Give what a generator wrote into its record; None for a record that the store made itself."""
    if isinstance(record, Event):
        tag = record.body.get("tag")
        return int(tag) if tag is not None else None
    return None if record.value is None else int(record.value)


def told_by(path: Path, edge_id: str) -> dict[Lane, list[int]]:
    """Read what the centre's log holds of a gateway: tags by lane in the order of the log."""
    found: dict[Lane, list[int]] = {lane: [] for lane in Lane}
    with closing(sqlite3.connect(path)) as connection:
        names: dict[str, dict[int, Series]] = defaultdict(dict)
        query = "SELECT epoch, number, device, point, unit FROM gateway_series AS s JOIN gateway AS g ON g.id = s.gateway_id"
        for epoch, number, *series in connection.execute(query + " WHERE g.edge_id = ?", (edge_id,)):
            names[epoch][number] = Series(*series)
        query = "SELECT b.epoch, b.lane, b.from_seq, b.body FROM batch AS b JOIN gateway AS g ON g.id = b.gateway_id"
        for epoch, lane, from_seq, body in connection.execute(query + " WHERE g.edge_id = ? ORDER BY b.id", (edge_id,)):
            records = decode_batch(bytes(body), names[epoch]).numbered()
            tags = [tag_of(record) for seq, record in records if seq >= from_seq]
            found[Lane(lane)] += [tag for tag in tags if tag is not None]
    return found


def compare(ledger: Ledger, told: dict[Lane, list[int]]) -> list[str]:
    """Say what the centre lacks, has twice, has in another order or has of what nobody stored."""
    found = []
    for lane in Lane:
        kept, tried, there = set(ledger.kept[lane]), set(ledger.tried[lane]), told[lane]
        if lost := kept - set(there):
            found.append(f"{lane.word}: {len(lost)} accepted records are not at the centre, such as {min(lost)}")
        if len(there) != len(set(there)):
            found.append(f"{lane.word}: {len(there) - len(set(there))} records are at the centre twice")
        if strange := set(there) - tried:
            found.append(f"{lane.word}: {len(strange)} records were never stored, such as {min(strange)}")
        if there != sorted(there):
            found.append(f"{lane.word}: the order is another")
    return found


def expansion_faults(path: Path) -> list[str]:
    """Compare what is expanded with the log: each of its records once, and the file whole."""
    with closing(sqlite3.connect(path)) as connection:
        wanted: set[tuple[int, int]] = set()
        parts = connection.execute("SELECT id, lane, from_seq, body, epoch, gateway_id FROM batch").fetchall()
        names: dict[tuple[int, str], dict[int, Series]] = defaultdict(dict)
        for gateway, epoch, number, *series in connection.execute(
            "SELECT gateway_id, epoch, number, device, point, unit FROM gateway_series"
        ):
            names[gateway, epoch][number] = Series(*series)
        for number, _, from_seq, body, epoch, gateway in parts:
            records = decode_batch(bytes(body), names[gateway, epoch]).numbered()
            wanted |= {(number, seq) for seq, _ in records if seq >= from_seq}
        found: list[tuple[int, int]] = []
        for (body,) in connection.execute("SELECT body FROM block"):
            block = unpack(body)
            found += zip(block.batch, block.seq, strict=True)
        found += connection.execute("SELECT batch_id, seq FROM event WHERE batch_id IS NOT NULL").fetchall()
        told = []
        if len(found) != len(set(found)):
            told.append(f"{len(found) - len(set(found))} records are expanded twice")
        if missing := wanted - set(found):
            told.append(f"{len(missing)} records are not expanded")
        if extra := set(found) - wanted:
            told.append(f"{len(extra)} expanded records are not in the log")
        integrity = connection.execute("PRAGMA integrity_check").fetchall()
        return told if integrity == [("ok",)] else [*told, f"the database is damaged: {integrity[:3]}"]


def p99(values: list[float]) -> float | None:
    """Give what 99 of 100 do not exceed."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 3) if ordered else None
