"""Run gateways and a centre through everything that goes wrong, from a seed, in simulated time.

What is the product's own: the uplink's decisions (``edge_agent.sync``), the store with its SQLite file
(``edge_agent.writer``, on memory), the batches with chain and signature, and the centre's decisions
(``central_server.sync.intake``). What is simulated: the network (loss, duplication, reordering,
answers lost, partitions, a centre that is busy), kills of both sides, power cuts that tear the last
commit, full disks, and wall clocks that jump.

After a time of faults nothing fails any more, and everything has to drain. Then: the centre has each
accepted record exactly once and in its order, nothing that was never stored, and the log's chain is whole.
"""

import argparse
import contextlib
import json
import logging
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from central_server.sync import intake
from central_server.sync.proof import chain_faults
from edge_agent.answer import Acked, Answer, Broken, Busy, Gap, Heard, Refused, TooLarge, Unnamed, Unreachable
from edge_agent.reserve import Reserve
from edge_agent.row import from_rows
from edge_agent.store_file import StoreError, connect, load_identity, select_records
from edge_agent.sync import Policy, Rest, SendBatch, SendLive, SendStatus, SetAside, Uplink
from edge_agent.writer import Ack, Append, Writer
from protocols.errors import ProtocolError
from protocols.quantity import Quality
from protocols.sync import (
    Batch,
    Dictionary,
    Event,
    Header,
    Lane,
    Reading,
    Record,
    Series,
    batch_digest,
    batch_header,
    decode_batch,
    encode_batch,
)

_KEY = Ed25519PrivateKey.from_private_bytes(b"simulated gateway's signing key!")
_PUBLIC = _KEY.public_key().public_bytes_raw().hex()
_POLICY = Policy(limit=60)
_STEPS = 140
_LIVENESS_STEPS = 4000
_START_MS = 1_767_225_600_000


class Violation(AssertionError):
    """The promise was broken."""


@dataclass(slots=True)
class Centre:
    """The centre's durable state, changed only as ``intake`` decides, and all at once."""

    marks: dict[tuple[int, Lane], int] = field(default_factory=dict)
    epochs: list[int] = field(default_factory=list)
    names: dict[int, list[Series]] = field(default_factory=dict)
    log: list[tuple[Header, int, bytes]] = field(default_factory=list)

    def deliver(self, body: bytes) -> Answer:
        try:
            header = batch_header(body)
        except ProtocolError as error:
            return Broken(error.detail)
        if not header.is_signed_by(_PUBLIC):
            return Refused("not signed")
        lane = (header.epoch, header.lane)
        beside = [
            (from_seq, known.digest, other)
            for known, from_seq, other in self.log
            if (known.epoch, known.lane) == lane and from_seq <= header.last_seq and known.last_seq >= header.first_seq
        ]
        names = self.names.setdefault(header.epoch, [])
        if intake.contradicts(header, body, beside, self.series(header.epoch)):
            return Refused("fork")
        newest = self.epochs[-1] if self.epochs else None
        match intake.decide(header, intake.Lane(self.marks.get(lane, 0), newest, header.epoch in self.epochs)):
            case intake.Repeated(mark):
                return Acked(mark, self._head(lane), len(names))
            case intake.Missing(expected):
                return Gap(expected)
            case intake.Fenced():
                return Refused("fenced")
            case intake.Taken(from_seq, is_new_store):
                match intake.learn(header, len(names), names[header.names_base :]):
                    case intake.Unnamed(have):
                        return Unnamed(have)
                    case intake.Renamed():
                        return Refused("fork")
                    case intake.Learnt(_, fresh):
                        names += fresh
                if is_new_store:
                    self.epochs.append(header.epoch)
                self.marks[lane] = header.last_seq
                self.log.append((header, from_seq, body))
                return Acked(header.last_seq, header.digest, len(names))

    def series(self, epoch: int) -> dict[int, Series]:
        return dict(enumerate(self.names.get(epoch, ()), 1))

    def _head(self, lane: tuple[int, Lane]) -> str:
        return next(known.digest for known, _, _ in reversed(self.log) if (known.epoch, known.lane) == lane)

    def records(self, lane: Lane) -> list[Record]:
        """Expand the log as the product does: of each batch what is above the mark it met."""
        found: list[Record] = []
        for header, from_seq, body in self.log:
            if header.lane is lane:
                batch = decode_batch(body, self.series(header.epoch))
                found += [record for seq, record in batch.numbered() if seq >= from_seq]
        return found


class Edge:
    """A gateway: the real store on a real file, and the real uplink; killed and cut as the seed says."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self._chance = chance
        self._folder = folder
        self._lives = 0
        self.path = folder / "0" / "edge.db"
        self.path.parent.mkdir()
        with contextlib.closing(connect(self.path, "gw-1")) as new:  # a seed has to replay byte for byte
            new.execute("UPDATE store SET epoch = ?, created_at = 0", (str(chance.getrandbits(64)),))
        self._start()
        self.accepted: dict[Lane, list[Record]] = {lane: [] for lane in Lane}
        self.doubted: list[tuple[Lane, list[Record]]] = []

    def _start(self) -> None:
        connection = connect(self.path, "gw-1")
        self.connection = connection
        self.epoch = load_identity(connection).epoch
        reserve = Reserve(self.path.with_name("reserve"), 1)
        reserve.hold()
        self.writer = Writer(self.path, "gw-1", connection, reserve, 0.0)
        self.uplink = Uplink(_POLICY, self._chance.random)

    def accept(self, lane: Lane, records: list[Record]) -> None:
        """Store records; what the store refuses was not accepted."""
        request = Append(lane, records)
        self.writer._serve([request])  # noqa: SLF001 - the thread around it is what is simulated here
        if request.done.exception() is None:
            self.accepted[lane] += records

    def settle(self) -> None:
        for lane, seq, chain in self.uplink.unsettled(self.writer.lanes):
            request = Ack(lane, seq, chain)
            self.writer._serve([request])  # noqa: SLF001
            request.done.exception()

    def batch(self, action: SendBatch) -> tuple[int, int, bytes]:
        rows = select_records(self.connection, action.lane, action.after_seq, action.limit)
        records = tuple(from_rows(rows))
        if not records:
            raise Violation(f"the {action.lane.word} lane has nothing after {action.after_seq}, against its counts")
        batch = Batch("gw-1", self.epoch, action.lane, rows[0][0], records, action.prev)
        body = encode_batch(batch, _KEY.sign, Dictionary(self.writer.series(), action.names))
        return rows[0][0], rows[-1][0], body

    def fill(self, *, is_full: bool) -> None:
        """Let the file grow no further, or again; what SQLite then says is SQLite's own."""
        pages = self.connection.execute("PRAGMA page_count").fetchone()[0]
        self.connection.execute(f"PRAGMA max_page_count = {pages if is_full else 1_000_000}")

    def kill(self) -> None:
        """End the process at once: the files stay as they are, nothing is closed."""
        self._revive(self._copy())

    def cut_power(self, lane: Lane, records: list[Record]) -> None:
        """Cut the power while a commit is being written: of what it wrote, a part has reached the disk.

        The records were never accepted. Whether they are there afterwards is for nobody to know.
        """
        before = self._copy()
        wal = before.with_name("edge.db-wal")
        durable = wal.read_bytes() if wal.exists() else b""
        request = Append(lane, records)
        self.writer._serve([request])  # noqa: SLF001
        ours = self.path.with_name("edge.db-wal")
        after = ours.read_bytes() if ours.exists() else b""
        if after[: len(durable)] == durable:
            part = after[len(durable) :]
            torn = bytearray(part[: self._chance.randrange(len(part) + 1)])
            for _ in range(self._chance.randrange(3)):  # sectors that were still to be written
                if torn:
                    at = self._chance.randrange(len(torn)) // 512 * 512
                    torn[at : at + 512] = bytes(len(torn[at : at + 512]))
            wal.write_bytes(durable + torn)
        self.doubted.append((lane, records))
        self._revive(before)

    def _copy(self) -> Path:
        self._lives += 1
        folder = self._folder / str(self._lives)
        folder.mkdir()
        for name in ("edge.db", "edge.db-wal"):
            if (self.path.parent / name).exists():
                shutil.copyfile(self.path.parent / name, folder / name)
        return folder / "edge.db"

    def _revive(self, path: Path) -> None:
        before = self.path.parent
        self.connection.close()
        self.path = path
        self._start()
        shutil.rmtree(before)
        self._admit_doubted()

    def _admit_doubted(self) -> None:
        """Take records in doubt for accepted where they are in the file: the centre will get them."""
        for lane, records in self.doubted:
            there = set(map(_key_of, from_rows(select_records(self.connection, lane, 0, 1_000_000))))
            if _key_of(records[0]) in there:
                self.accepted[lane] += records
        self.doubted.clear()


def _key_of(record: Record) -> Any:
    if isinstance(record, Event):
        return (record.kind, record.subject, record.at, json.dumps(record.body, sort_keys=True))
    return (record.series, record.taken_at, record.value, record.quality)


class World:
    """One run: what happens when is drawn from the seed and from nothing else."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = random.Random(seed)
        self.now = 0.0
        self.wall_ms = _START_MS
        self.number = 0
        self.faults: Counter[str] = Counter()
        self.loss = self.chance.choice([0.0, 0.05, 0.3]) * self.chance.random() * 2
        self.duplication = self.chance.choice([0.0, 0.5]) * self.chance.random()
        self.is_cut = False
        self.in_flight: list[bytes] = []
        self.centre = Centre()
        self.edge = Edge(folder, self.chance)

    def run(self) -> None:
        for _ in range(_STEPS):
            self._store()
            self._misfortune()
            self._send(is_faulty=True)
        self.edge.fill(is_full=False)
        for _ in range(_LIVENESS_STEPS):
            self.edge.settle()
            if all(state.pending == 0 for state in self.edge.writer.lanes.values()):
                break
            self._send(is_faulty=False)
        else:
            raise Violation(f"the backlog did not drain: {self.edge.writer.lanes}, {self.edge.uplink.error}")
        self._check()

    def _store(self) -> None:
        for _ in range(self.chance.randrange(3)):
            lane = self.chance.choice(list(Lane))
            self.edge.accept(lane, self._records(lane))

    def _records(self, lane: Lane) -> list[Record]:
        count = 1 if lane in (Lane.SAFETY, Lane.CONTROL) else self.chance.randrange(1, 30)
        return [self._record(lane) for _ in range(count)]

    def _record(self, lane: Lane) -> Record:
        self.number += 1
        self.wall_ms += self.chance.randrange(1000)
        if lane in (Lane.SAFETY, Lane.CONTROL):
            return Event("alarm", f"device:{self.number}", self.wall_ms, {"n": self.number})
        series = Series(f"em-{self.number % 7}", "energyImportTotal", "kWh")
        return Reading(series, self.wall_ms, Decimal(self.number) / 100, Quality.GOOD)

    def _misfortune(self) -> None:
        draw = self.chance.random()
        for limit, name in (
            (0.02, "kill_edge"),
            (0.035, "power_cut"),
            (0.05, "clock_jump"),
            (0.07, "disk_full"),
            (0.10, "disk_freed"),
            (0.12, "partition"),
            (0.17, "healed"),
        ):
            if draw < limit:
                self.faults[name] += 1
                getattr(self, f"_{name}")()
                return

    def _kill_edge(self) -> None:
        self.edge.kill()

    def _power_cut(self) -> None:
        lane = self.chance.choice(list(Lane))
        self.edge.cut_power(lane, self._records(lane))

    def _clock_jump(self) -> None:
        self.wall_ms = self.chance.choice([0, self.wall_ms - 3_600_000, self.wall_ms + 31_536_000_000, _START_MS])

    def _disk_full(self) -> None:
        self.edge.fill(is_full=True)

    def _disk_freed(self) -> None:
        self.edge.fill(is_full=False)

    def _partition(self) -> None:
        self.is_cut = True

    def _healed(self) -> None:
        self.is_cut = False

    def _send(self, *, is_faulty: bool) -> None:
        self.edge.settle()
        lanes = self.edge.writer.lanes
        action = self.edge.uplink.next(lanes, self.now)
        self.now += self.chance.random() * 0.2
        match action:
            case Rest(seconds):
                self.now += min(seconds, 5.0)
            case SendStatus():
                answer: Answer = Unreachable("lost") if is_faulty and self._is_lost() else Heard(1)
                self.edge.uplink.status_answered(answer, self.now)
            case SendLive():
                self.edge.uplink.live_answered(Heard(1), self.now)
            case SetAside(lane):  # the centre here was only in a mood, so the record has its tries again
                self.edge.uplink.set_aside(lane, self.now)
            case SendBatch(lane):
                first, last, body = self.edge.batch(action)
                answer = self._carry(body) if is_faulty else self.centre.deliver(body)
                if isinstance(answer, Refused):
                    raise Violation(f"the centre refuses its own gateway: {answer.reason}")
                digest = batch_digest(body)
                self.edge.uplink.batch_answered(first, last, lane, lanes[lane], answer, self.now, digest)

    def _is_lost(self) -> bool:
        is_lost = self.is_cut or self.chance.random() < self.loss
        self.faults["lost"] += is_lost
        return is_lost

    def _carry(self, body: bytes) -> Answer:
        """Carry a batch to the centre and its answer back, or not."""
        if self._is_lost():
            return Unreachable("lost on the way")
        if self.chance.random() < 0.05:
            self.faults["changed"] += 1
            at = self.chance.randrange(len(body))
            wrong = bytearray(body)
            wrong[at] ^= 1 << self.chance.randrange(8)
            answer = self.centre.deliver(bytes(wrong))
            if not isinstance(answer, Broken | Refused):
                raise Violation("the centre took a changed batch")
            return Unreachable("garbage")
        for late in self._late():
            self.faults["replayed"] += 1
            self.centre.deliver(late)
        answer = (
            self.chance.choice([Busy(1, "busy"), TooLarge()])
            if self.chance.random() < 0.03
            else self.centre.deliver(body)
        )
        if self.chance.random() < self.duplication:
            self.faults["duplicated"] += 1
            self.centre.deliver(body)
        if self.chance.random() < 0.1:
            self.in_flight.append(body)
        if self.chance.random() < 0.05:  # the centre is killed after its commit, or the answer is cut
            self.faults["answer_lost"] += 1
            return Unreachable("the answer was lost")
        return answer

    def _late(self) -> Iterator[bytes]:
        """Give what an older connection has held back."""
        if self.in_flight and self.chance.random() < 0.3:
            yield self.in_flight.pop(self.chance.randrange(len(self.in_flight)))

    def _check(self) -> None:
        for lane in Lane:
            told = list(map(_key_of, self.centre.records(lane)))
            accepted = list(map(_key_of, self.edge.accepted[lane]))
            if Counter(told) != Counter(accepted):
                lost, more = Counter(accepted) - Counter(told), Counter(told) - Counter(accepted)
                raise Violation(
                    f"{lane.word}: {sum(lost.values())} lost, {sum(more.values())} too many: {list(more)[:2]}"
                )
            if told != accepted:
                raise Violation(f"{lane.word}: the order is another")
        if faults := chain_faults((header, from_seq) for header, from_seq, _ in self.centre.log):
            raise Violation(f"the chain: {faults[0]}")

    @property
    def accepted(self) -> int:
        return sum(map(len, self.edge.accepted.values()))


def simulate(seed: int) -> tuple[str | None, int, Counter[str]]:
    """Run one seed; give what it broke (None for nothing), how much was accepted and what went wrong on the way."""
    logging.disable(logging.CRITICAL)
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=base) as name:
        world = World(seed, Path(name))
        try:
            world.run()
        except (Violation, StoreError, sqlite3.Error) as error:
            return f"{type(error).__name__}: {error}", world.accepted, world.faults
        finally:
            world.edge.connection.close()
        return None, world.accepted, world.faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=300, help="how many runs (default: 300)")
    parser.add_argument("--seed", type=int, help="one run only, to look at")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    options = parser.parse_args()
    started = time.monotonic()
    seeds = (
        range(options.first, options.first + options.seeds)
        if options.seed is None
        else range(options.seed, options.seed + 1)
    )
    failed, accepted, faults = [], 0, Counter[str]()
    with ProcessPoolExecutor(options.jobs) as pool:
        for seed, (broken, count, met) in zip(seeds, pool.map(simulate, seeds, chunksize=8), strict=True):
            accepted += count
            faults += met
            if broken is not None:
                failed.append(seed)
                print(f"seed {seed}: {broken}", file=sys.stderr, flush=True)
            elif not options.json and (seed + 1) % 500 == 0:
                print(f"{seed + 1} seeds, {accepted} records", flush=True)
    seconds = round(time.monotonic() - started, 1)
    told = {"seeds": len(seeds), "failed": failed, "accepted": accepted, "faults": dict(faults), "seconds": seconds}
    print(json.dumps(told))
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
