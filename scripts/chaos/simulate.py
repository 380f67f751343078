"""Run gateways and a centre through everything that goes wrong, from a seed, in simulated time.

What is the product's own: the store with its SQLite file, its recovery, its epochs and its quota, the uplink with
every decision (``edge_agent``), the batches with chain and signature, the centre's decisions and what it expands
(``central_server.sync.intake``, ``telemetry.parts``). What is simulated: the network (loss, duplication, reordering,
answers lost, partitions, a centre that is busy), kills, power cuts that tear the last commit, full disks, wall clocks
that jump, disks that are put back to an older copy, records that the centre cannot read or cannot believe.

After a time of faults nothing fails any more, and everything has to drain. Then: the centre has each accepted record
exactly once and in its order, or a tombstone there tells of it, and the log's chain is whole. Only what a disk that was
put back held alone may be missing.
"""

import argparse
import contextlib
import json
import logging
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from pathlib import Path

from central_server.sync.proof import chain_faults
from edge_agent.machine_clock import Clocks
from edge_agent.store_file import StoreError
from edge_agent.transport import Link, Reply, Silence
from protocols.quantity import Quality
from protocols.sync import PATH_BATCHES, Event, Lane, Reading, Record, Series
from scripts.chaos.simulated_centre import UNREADABLE, Centre, Forked
from scripts.chaos.simulated_edge import SIGNER, Edge, finished, machine, used_by_new
from scripts.chaos.simulated_truth import Truth, Violation

_STEPS = 100
_LIVENESS_STEPS = 4000
_START_MS = 1_767_225_600_000
_NO_DATE_MS = 5_000_000_000_000  # the year 2128: no meter has kept that
_YEAR_MS = 31_536_000_000


class World:
    """One run: what happens when is drawn from the seed and from nothing else."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = random.Random(seed)
        self.now = 0.0
        self.jumped_ms = 0
        self.boots = 0
        self.number = 0
        self.faults: Counter[str] = Counter()
        self.loss = self.chance.choice([0.0, 0.05, 0.3]) * self.chance.random() ** 0.5
        self.duplication = self.chance.choice([0.0, 0.5]) * self.chance.random() ** 0.5
        self.has_poison = self.chance.random() < 0.25
        self.is_tight = self.chance.random() < 0.2
        self.is_faulty = True
        self.is_cut = False
        self.in_flight: list[bytes] = []
        self.truth = Truth()
        self.centre = Centre(SIGNER.public, can_read_all=not self.has_poison)
        used = used_by_new()  # made before this run's dice are the product's: it is made once for many runs
        quota = used + self.chance.randrange(8, 60) * 1024 if self.is_tight else None
        with machine(self.chance, lambda: self.now, self.wall_ms):
            self.edge = Edge(folder, self.chance, self.truth, self.look, self, self.rest, quota)

    def wall_ms(self) -> int:
        return max(0, _START_MS + self.mono_ms() + self.jumped_ms)

    def mono_ms(self) -> int:
        return int(self.now * 1000)

    def look(self) -> Clocks:
        return Clocks(f"boot-{self.boots}", self.wall_ms(), self.mono_ms())

    def rest(self, seconds: float) -> None:
        self.now += min(seconds, 5.0)

    async def run(self) -> None:
        with machine(self.chance, lambda: self.now, self.wall_ms):
            try:
                await self._run()
            finally:
                self.edge.close()
        self._check()

    async def _run(self) -> None:
        for _ in range(_STEPS):
            await self._store()
            await self._misfortune()
            await self.edge.client.step()
            if self.chance.random() < 0.1:
                await self.edge.shed()
        self.edge.fill(is_full=False)
        self.is_faulty = False
        for _ in range(_LIVENESS_STEPS):
            if await self.edge.is_drained():
                return
            await self.edge.client.step()
        raise Violation(f"the backlog did not drain: {self.edge.store.lanes()}, {self.edge.client.state().error}")

    async def _store(self) -> None:
        for _ in range(self.chance.randrange(3)):
            lane = Lane.TELEMETRY if self.is_tight and self.chance.random() < 0.5 else self.chance.choice(list(Lane))
            is_stored = await self.edge.accept(lane, self._records(lane))
            self.faults["disk_refused"] += self.edge.is_full and not is_stored

    def _records(self, lane: Lane) -> list[Record]:
        count = 1 if lane in (Lane.SAFETY, Lane.CONTROL) else self.chance.randrange(1, 30)
        return [self._record(lane, place) for place in range(count)]

    def _record(self, lane: Lane, place: int) -> Record:
        self.number += 1
        at = self.wall_ms() + place
        is_poison = self.has_poison and self.chance.random() < 0.01
        if lane in (Lane.SAFETY, Lane.CONTROL):
            return Event(UNREADABLE if is_poison else "alarm", f"device:{self.number}", at, {"n": self.number})
        value = Decimal(self.number) / 100
        series = Series(f"em-{self.number % 7}", "energyImportTotal", "kWh")
        if is_poison and self.chance.random() < 0.5:
            self.truth.impossible.add(self.number)
            return Reading(series, _NO_DATE_MS, value, Quality.FROZEN)
        return Reading(series._replace(device=UNREADABLE) if is_poison else series, at, value, Quality.GOOD)

    async def _misfortune(self) -> None:
        draw = self.chance.random()
        for limit, name in (
            (0.02, "kill_edge"),
            (0.035, "power_cut"),
            (0.05, "clock_jump"),
            (0.07, "disk_full"),
            (0.10, "disk_freed"),
            (0.12, "partition"),
            (0.14 if self.is_tight else 0.17, "healed"),
            (0.186, "backup"),
            (0.189, "put_back"),
        ):
            if draw < limit:
                await getattr(self, f"_{name}")()
                self.faults[name] += name not in ("power_cut", "put_back")
                return

    async def _kill_edge(self) -> None:
        self.edge.kill()

    async def _power_cut(self) -> None:
        lane = self.chance.choice(list(Lane))
        self.boots += 1
        is_torn = await self.edge.cut_power(lane, self._records(lane))
        self.faults["power_cut_torn" if is_torn else "power_cut"] += 1

    async def _clock_jump(self) -> None:
        true = _START_MS + self.mono_ms()
        self.jumped_ms = self.chance.choice([-true, self.jumped_ms - 3_600_000, self.jumped_ms + _YEAR_MS, 0])

    async def _disk_full(self) -> None:
        self.edge.fill(is_full=True)

    async def _disk_freed(self) -> None:
        self.edge.fill(is_full=False)

    async def _partition(self) -> None:
        self.is_cut = True

    async def _healed(self) -> None:
        self.is_cut = False

    async def _backup(self) -> None:
        self.edge.back_up()

    async def _put_back(self) -> None:
        """Put an older copy of the gateway's disk back; the centre keeps what it has."""
        if not self.edge.backups:
            return
        numbers = (self.truth.number_at(told.epoch, told.lane, told.seq) for told in self.centre.told())
        is_whole = self.chance.random() < 0.5
        epoch = self.edge.store.epoch
        self.edge.put_back(frozenset(number for number in numbers if number is not None), is_whole=is_whole)
        self.faults["folder_put_back" if is_whole else "database_put_back"] += 1
        self.faults["new_epoch"] += self.edge.store.epoch != epoch

    # The network: what the uplink's transport and link are.

    def generation(self) -> object:
        return 0

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Link]:
        yield self

    async def renew(self, link: Link) -> None:
        """Nothing ends here."""

    async def rules(self, have: str | None) -> Reply:
        raise Silence("there are none")

    async def config(self) -> Reply:
        raise Silence("there is none")

    async def post(self, path: str, body: bytes, *, lane: Lane | None = None) -> Reply:
        self.now += self.chance.random() * 0.2
        if self.is_faulty and self._is_lost():
            raise Silence("lost on the way")
        if path != PATH_BATCHES:
            return Reply(200, json.dumps({"server_time": _START_MS + self.mono_ms()}).encode())
        return self._carry(body) if self.is_faulty else self.centre.deliver(body)

    def _is_lost(self) -> bool:
        is_lost = self.is_cut or self.chance.random() < self.loss
        self.faults["lost_in_partition" if self.is_cut else "lost"] += is_lost
        return is_lost

    def _carry(self, body: bytes) -> Reply:
        """Carry a batch to the centre and its answer back, or not."""
        if self.chance.random() < 0.05:
            self._change(body)
            raise Silence("garbage")
        if self.in_flight and self.chance.random() < 0.3:  # what an older connection has held back
            self.faults["reordered"] += 1
            self.centre.deliver(self.in_flight.pop(self.chance.randrange(len(self.in_flight))))
        if self.chance.random() < 0.03:
            self.faults["busy"] += 1
            return self.chance.choice([Reply(503, b"", "1"), Reply(413, b"")])
        reply = self.centre.deliver(body)
        if self.chance.random() < self.duplication:
            self.faults["duplicated"] += 1
            self.centre.deliver(body)
        if self.chance.random() < 0.1:
            self.in_flight.append(body)
        if self.chance.random() < 0.05:  # the centre is killed after its commit, or the answer is cut
            self.faults["answer_lost"] += 1
            raise Silence("the answer was lost")
        return reply

    def _change(self, body: bytes) -> None:
        self.faults["changed"] += 1
        wrong = bytearray(body)
        wrong[self.chance.randrange(len(body))] ^= 1 << self.chance.randrange(8)
        if self.centre.deliver(bytes(wrong)).status not in (400, 403):
            raise Violation("the centre took a changed batch")

    def _check(self) -> None:
        self.faults += self.truth.check(self.centre.told())
        if faults := chain_faults((header, from_seq) for header, from_seq, _ in self.centre.log):
            raise Violation(f"the chain: {faults[0]}")


def simulate(seed: int) -> tuple[str | None, int, Counter[str]]:
    """Run one seed; give what it broke (None for nothing), how much was accepted and what went wrong on the way."""
    logging.disable(logging.CRITICAL)
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=base) as name:
        world = World(seed, Path(name))
        try:
            finished(world.run())
        except (Violation, Forked, StoreError, sqlite3.Error) as error:
            return f"{type(error).__name__}: {error}", world.truth.count, +world.faults
        return None, world.truth.count, +world.faults


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
    failed, accepted, faults, hit = [], 0, Counter[str](), Counter[str]()
    with ProcessPoolExecutor(options.jobs) as pool:
        for seed, (broken, count, met) in zip(seeds, pool.map(simulate, seeds, chunksize=8), strict=True):
            accepted += count
            faults += met
            hit.update(met.keys())
            if broken is not None:
                failed.append(seed)
                print(f"seed {seed}: {broken}", file=sys.stderr, flush=True)
            elif not options.json and (seed + 1) % 500 == 0:
                print(f"{seed + 1} seeds, {accepted} records", flush=True)
    seconds = round(time.monotonic() - started, 1)
    told = {"seeds": len(seeds), "failed": failed, "accepted": accepted, "faults": dict(sorted(faults.items()))}
    print(json.dumps({**told, "seeds_hit": dict(sorted(hit.items())), "seconds": seconds}))
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
