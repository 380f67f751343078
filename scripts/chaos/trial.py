"""Kill a gateway with SIGKILL at random moments of a change of its settings, and see what it runs by after each start.

Good settings and such that make its line dead are applied in turn to a real gateway with a simulated site; the trial is
shortened. After a kill the gateway has to start without a hand, run by a revision that is good, and never take a dead
one for good; what a book on disk says must be what runs.
"""

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from edge_agent.config_revision import Revisions
from edge_agent.config_trial import Book, Phase, State
from edge_agent.control import ControlError
from scripts.chaos.rig import conclude
from tests.edge_agent.site import Site, open_site

CHILD = str(Path(__file__).parents[2] / "tests" / "edge_agent" / "config_child.py")
_WINDOW_S = 2.0
_START_S = 30.0


class Run:
    """One campaign at one simulated site."""

    def __init__(self, site: Site, seed: int) -> None:
        self.site = site
        self.chance = random.Random(seed)
        self.base = (site.folder / "edge.toml").read_text()
        self.failed: list[str] = []
        self.seen: Counter[str] = Counter()
        self.slowest_s = 0.0
        self.gateway: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the gateway and wait until it answers at its socket."""
        began = time.monotonic()
        with (self.site.folder / "run.log").open("ab") as log:
            self.gateway = await asyncio.create_subprocess_exec(
                sys.executable, CHILD, "edge.toml", str(_WINDOW_S), cwd=self.site.folder, stdout=log, stderr=log
            )
        self.site.running.append(self.gateway)
        async with asyncio.timeout(_START_S):
            while not await self._is_up():
                if self.gateway.returncode is not None:
                    raise RuntimeError(f"the gateway has ended by itself; see {self.site.folder / 'run.log'}")
                await asyncio.sleep(0.05)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    async def _is_up(self) -> bool:
        try:
            status = await self.site.ask()
        except (OSError, ControlError, ValueError):
            return False
        return any(row["last_ok_at"] for row in status["devices"]) or self.book.phase is Phase.TRIAL

    @property
    def book(self) -> Book:
        found = Revisions(self.site.folder / "data", self.site.folder / "edge.toml").book()
        assert found is not None, "a gateway that has started has a book"
        return found

    async def cycle(self, number: int) -> None:
        """Apply something, kill it some time later, start it, and look."""
        is_dead = self.chance.random() < 0.6
        text = f"{self.base}\n# {number}\n"
        if is_dead:
            text = re.sub(r"\nport = \d+", "\nport = 9", text) + "# dead\n"
        try:
            await self.site.ask("config", action="apply", text=text, name=f"{number}.toml", by="chaos")
        except (OSError, ControlError, ValueError) as error:
            if "is on trial" not in str(error):  # the one before has not ended yet
                self.failed.append(f"{number}: not applied: {error}")
        await asyncio.sleep(self.chance.random() * 1.3 * _WINDOW_S)
        before = self.book
        assert self.gateway is not None
        self.gateway.kill()
        await self.gateway.wait()
        self.seen[f"killed_{before.phase.value}"] += 1
        await self.start()
        self._look(number, before)

    def _look(self, number: int, before: Book) -> None:
        book = self.book
        good = book.get(book.good)
        assert good is not None
        text = Revisions(self.site.folder / "data", self.site.folder / "edge.toml").text(good)
        if "# dead" in text:
            self.failed.append(f"{number}: revision {good.number}, which is dead, is taken for good")
        if before.phase is Phase.TRIAL:
            ended = book.get(before.newest.number)
            state = None if ended is None else ended.state
            self.seen[f"trial_{state.value if state else 'forgotten'}"] += 1
            # Between the look at the book and the kill a good trial may have ended well.
            if state not in (State.REVERTED, State.CONFIRMED) or (
                state is State.CONFIRMED and book.good != before.newest.number
            ):
                self.failed.append(f"{number}: a trial that was cut off is {state}")


async def campaign(kills: int, seed: int) -> dict[str, Any]:
    """Kill so often; give what came of it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        async with open_site(Path(name)) as site:
            run = Run(site, seed)
            await run.start()
            for number in range(kills):
                await run.cycle(number)
    return {
        "kills": kills,
        "failed": run.failed,
        "faults": dict(run.seen),
        "slowest_start_s": round(run.slowest_s, 2),
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="how often the gateway is killed (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn at random (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the last line only, which is JSON anyway")
    options = parser.parse_args()
    conclude(asyncio.run(campaign(options.kills, options.seed)))


if __name__ == "__main__":
    main()
