"""A gateway to be killed: the real store, the real uplink, and a generator that keeps a ledger beside them.

    T lane first count 0         it is about to store these tags
    K lane first count instant   the store has accepted them
    R lane first count 0         the store has refused them

The ledger is a file of its own, written with one call a line: it outlives a kill.
"""

import asyncio
import os
import random
import sys
import time
from decimal import Decimal
from pathlib import Path

from edge_agent.credential import Secret
from edge_agent.identity import Signer
from edge_agent.store import Store, StoreDamaged, StoreError
from edge_agent.sync import Policy
from edge_agent.uplink import UplinkClient
from protocols.quantity import Quality
from protocols.sync import Event, Lane, Reading, Record, Series
from scripts.chaos.nursery import when
from scripts.chaos.rig import key_of

EDGE = "gw-1"
POLICY = Policy(limit=2000, status_s=1, pace_s=0.03, backoff_s=0.03, backoff_most_s=0.3, refused_s=1)
_SERIES = [Series(f"em-{number}", "energyImportTotal", "kWh") for number in range(7)]
_SIZES = {Lane.SAFETY: (1, 1), Lane.CONTROL: (1, 3), Lane.BILLING: (1, 40), Lane.TELEMETRY: (1, 80)}
TAGS_A_LIFE = 1_000_000


def record(lane: Lane, tag: int) -> Record:
    at = time.time_ns() // 1_000_000
    if lane in (Lane.SAFETY, Lane.CONTROL):
        return Event("note", "device:em-1", at, {"tag": tag})
    return Reading(_SERIES[tag % len(_SERIES)], at, Decimal(tag), Quality.GOOD)


class Generator:
    """Stores records without an end and writes down what became of them."""

    def __init__(self, store: Store, ledger: Path, life: int, rest_s: float, most: int = 1_000_000_000) -> None:
        """Prepare it; while a lane has ``most`` records pending, nothing is added to it."""
        self._store, self._most = store, most
        self._chance = random.Random(life)
        self._next = dict.fromkeys(Lane, life * TAGS_A_LIFE)
        self._rest_s = rest_s
        self._descriptor = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def keep_on(self, lane: Lane) -> None:
        while True:
            if self._store.lanes()[lane].pending < self._most:
                await self.store(lane, self._chance.randint(*_SIZES[lane]))
            await asyncio.sleep(self._chance.random() * 2 * self._rest_s)

    async def store(self, lane: Lane, count: int) -> bool:
        first = self._next[lane]
        self._next[lane] += count
        self._note("T", lane, first, count)
        try:
            await self._store.append(lane, [record(lane, tag) for tag in range(first, first + count)])
        except StoreDamaged:
            raise
        except StoreError:
            self._note("R", lane, first, count)
            return False
        self._note("K", lane, first, count)
        return True

    def _note(self, word: str, lane: Lane, first: int, count: int) -> None:
        at = time.monotonic() if word != "T" else 0
        os.write(self._descriptor, f"{word} {int(lane)} {first} {count} {at}\n".encode())


def uplink(store: Store, url: str, secret: str, edge_id: str = EDGE, timeout_s: float = 10) -> UplinkClient:
    key = key_of(edge_id)
    signer = Signer(key.public_key().public_bytes_raw().hex(), key.sign)
    return UplinkClient(
        url, Secret(edge_id, secret), store, lambda: {"edge_id": edge_id}, signer, policy=POLICY, timeout_s=timeout_s
    )


async def _live(path: Path, url: str, secret: str, ledger: Path, life: int, rest_s: float) -> None:
    async with await Store.open(path, EDGE, window_s=0.005) as store, asyncio.TaskGroup() as tasks:
        generator = Generator(store, ledger, life, rest_s)
        for lane in Lane:
            tasks.create_task(generator.keep_on(lane))
        tasks.create_task(uplink(store, url, secret).run())


async def _drain(path: Path, url: str, secret: str) -> None:
    async with await Store.open(path, EDGE) as store:
        sending = asyncio.create_task(uplink(store, url, secret).run())
        await when(lambda: not store.leg().is_past and not any(state.pending for state in store.lanes().values()))
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


def live(path: str, url: str, secret: str, ledger: str, life: str, rest_s: str = "0.01") -> None:
    """Store and send until killed."""
    asyncio.run(_live(Path(path), url, secret, Path(ledger), int(life), float(rest_s)))


def drain(path: str, url: str, secret: str) -> None:
    """Send all that is left, and end."""
    asyncio.run(_drain(Path(path), url, secret))


if __name__ == "__main__":
    {"live": live, "drain": drain}[sys.argv[1]](*sys.argv[2:])
