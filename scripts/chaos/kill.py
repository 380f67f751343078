"""Kill gateway and centre with SIGKILL again and again under load, and compare what was accepted with what arrived.

The centre is the real ``central run``. The gateway is the real store and the real uplink with a generator in
place of the devices, because the whole agent takes too long to start a thousand times. Most starts are forked from a
process that has done its imports; each twentieth of the gateway and each tenth of the centre is cold.
"""

import argparse
import asyncio
import os
import random
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from scripts.chaos.gateway import EDGE
from scripts.chaos.nursery import Nursery, Process, cold, nursery_of, until
from scripts.chaos.rig import Centre, Ledger, compare, conclude, expansion_faults, p99, told_by

_COLD_CENTRE = 10
_BUSY = 2.0  # processes that want each core; beyond it a start is as slow as its neighbours let it be
_FIRST_S = 30


class Run:
    """One campaign in a folder."""

    def __init__(self, folder: Path, seed: int, nursery: Nursery, cold_each: int) -> None:
        self.cold_each = cold_each
        self.chance = random.Random(seed)
        self.folder = folder
        self.nursery = nursery
        self.centre = Centre(folder / "centre", nursery)
        self.store = folder / "edge" / "edge.db"
        self.store.parent.mkdir()
        self.ledger = Ledger()
        self.faults: Counter[str] = Counter()
        self.starts: dict[str, list[float]] = {"forked": [], "cold": []}
        self.secret = ""

    def edge(self, life: int) -> None:
        """Start a gateway, let it store and send for a moment, kill it."""
        is_cold = life % self.cold_each == 0
        ledger = self.folder / f"ledger-{life}"
        words = (str(self.store), self.centre.url, self.secret, str(ledger), str(life))
        log = self.folder / "edge.log"
        began = time.monotonic()
        process = (
            cold("scripts.chaos.gateway", "live", *words, log=log)
            if is_cold
            else self.nursery.fork("scripts.chaos.gateway:live", *words, log=log)
        )
        if self.chance.random() < 0.05:  # also while it opens its store
            time.sleep(self.chance.random() * 0.06)
            self.faults["edge_killed_starting"] += 1
        else:
            self._until_stored(process, ledger)
            time.sleep(self.chance.random() * 0.25)
        process.end()
        self.faults["edge_killed"] += 1
        first = self.ledger.read(ledger)
        ledger.unlink(missing_ok=True)
        if first is not None:
            self.starts["cold" if is_cold else "forked"].append(first - began)

    def _until_stored(self, process: Process, ledger: Path) -> None:
        def has_stored() -> bool:
            if not process.is_alive():
                raise RuntimeError("the gateway has ended by itself; see its log")
            return ledger.exists() and b"K" in ledger.read_bytes()[:4096]

        until(has_stored, _FIRST_S, "that the gateway stores something")

    def kill_centre(self, number: int) -> None:
        self.centre.wait_ready()
        time.sleep(self.chance.random() * 0.05)
        assert self.centre.process is not None
        self.centre.process.end()
        self.faults["centre_killed"] += 1
        self.centre.start(is_cold=number % _COLD_CENTRE == 0)

    def drain(self) -> None:
        self.centre.wait_ready()
        log = self.folder / "edge.log"
        process = self.nursery.fork(
            "scripts.chaos.gateway:drain", str(self.store), self.centre.url, self.secret, log=log
        )
        process.wait(300)
        self.centre.wait_expanded()
        assert self.centre.process is not None
        self.centre.process.end(signal.SIGTERM)


def campaign(edge: int, centre: int, seed: int, cold_each: int = 20, nursery: Nursery | None = None) -> dict[str, Any]:
    """Kill so often; give what came of it."""
    started = time.monotonic()
    modules = ("scripts.chaos.gateway", "central_server.cli")
    with tempfile.TemporaryDirectory() as name, nursery_of(nursery, *modules) as mother:
        run = Run(Path(name), seed, mother, cold_each)
        run.secret = asyncio.run(run.centre.make([EDGE]))[EDGE]
        run.centre.start()
        run.centre.wait_ready()
        killed = 0
        for life in range(1, edge + 1):
            run.edge(life)
            if killed < centre and life * centre >= (killed + 1) * edge:
                killed += 1
                run.kill_centre(killed)
        run.drain()
        told = told_by(run.centre.path, EDGE)
        failed = compare(run.ledger, told) + expansion_faults(run.centre.path) + run.centre.verify()
        slow, load = p99(run.starts["cold"]), os.getloadavg()[0] / (os.cpu_count() or 1)
        if slow is not None and slow > 3 and load < _BUSY:
            failed.append(f"a cold start takes {slow} s to the first accepted sample, 3 s are allowed")
    return {
        "cycles": edge + centre,
        "failed": failed,
        "accepted": run.ledger.accepted,
        "at_centre": sum(map(len, told.values())),
        "faults": dict(run.faults),
        "first_sample_p99_s": {"cold": slow, "forked": p99(run.starts["forked"])},
        "cold_starts": len(run.starts["cold"]),
        "load_per_core": round(load, 1),
        "seconds": round(time.monotonic() - started, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edge", type=int, default=1000, help="kills of the gateway (default: 1000)")
    parser.add_argument("--centre", type=int, default=200, help="kills of the centre among them (default: 200)")
    parser.add_argument("--cold", type=int, default=20, help="each so many starts is a cold one (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn at random (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the last line only, which is JSON anyway")
    options = parser.parse_args()
    conclude(campaign(options.edge, options.centre, options.seed, options.cold))


if __name__ == "__main__":
    main()
