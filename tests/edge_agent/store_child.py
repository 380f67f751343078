"""A process with a store, for tests that kill it or take its disk away: python store_child.py MODE PATH."""

import asyncio
import json
import os
import random
import resource
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from edge_agent.store import Store, StoreError, StoreFull, peek_records, read_lanes
from protocols.sync import Event, Lane, Reading, Record, Series

POWER = Series("em-1", "powerTotal", "W")


def say(**line: Any) -> None:
    os.write(1, json.dumps(line).encode() + b"\n")


def record(lane: Lane, tag: int) -> Record:
    return (
        Event("alarm", "device:em-1", tag, {"tag": tag}) if lane is Lane.SAFETY else Reading(POWER, tag, Decimal(tag))
    )


async def keep_storing(path: Path) -> None:
    """Append and acknowledge for ever, telling only what the store has promised."""
    chance = random.Random()
    store = await Store.open(path, "gw-1", window_s=0.002)

    async def store_lane(lane: Lane) -> None:
        while True:
            tags = [chance.getrandbits(40) for _ in range(chance.choice((1, 7, 150)))]
            last = await store.append(lane, [record(lane, tag) for tag in tags])
            say(lane=int(lane), last=last, tags=tags)

    async def acknowledge(lane: Lane) -> None:
        while True:
            await asyncio.sleep(0.01)
            state = store.lanes()[lane]
            if state.pending > 5:
                seq = state.acked_seq + state.pending // 2
                say(lane=int(lane), acking=seq)
                await store.ack(lane, seq)

    async with asyncio.TaskGroup() as tasks:
        for lane in (Lane.SAFETY, Lane.BILLING, Lane.TELEMETRY):
            tasks.create_task(store_lane(lane))
        tasks.create_task(acknowledge(Lane.TELEMETRY))


async def fill(store: Store) -> tuple[int, str]:
    count = 0
    while True:
        try:
            count = await store.append(Lane.TELEMETRY, [record(Lane.TELEMETRY, count + i) for i in range(500)])
        except StoreError as error:
            return count, type(error).__name__


async def fill_the_disk(path: Path) -> None:
    """Fill a disk to the last byte, then do what must still work."""
    store = await Store.open(path, "gw-1", window_s=0)
    count, error = await fill(store)
    alarms = [await store.append(Lane.SAFETY, [record(Lane.SAFETY, tag)]) for tag in range(100)]
    refused = await asyncio.gather(store.append(Lane.BILLING, [record(Lane.BILLING, 1)]), return_exceptions=True)
    peeked = await store.peek(Lane.TELEMETRY, 0, 10)
    say(
        stored=count,
        error=error,
        alarms=alarms[-1],
        readings_refused=isinstance(refused[0], StoreFull),
        peeked=len(peeked.records),
    )
    await store.ack(Lane.TELEMETRY, count)
    seq = await store.append(Lane.TELEMETRY, [record(Lane.TELEMETRY, 1)])
    await store.close()
    say(after_ack=seq, expected=count + 1, pending=read_lanes(path)[Lane.TELEMETRY].pending)


async def die_on_a_full_disk(path: Path) -> None:
    store = await Store.open(path, "gw-1", window_s=0)
    count, _ = await fill(store)
    say(stored=count)
    os.kill(os.getpid(), 9)


async def open_again(path: Path) -> None:
    async with await Store.open(path, "gw-1") as store:
        say(
            stored=store.lanes()[Lane.TELEMETRY].next_seq - 1,
            alarm=await store.append(Lane.SAFETY, [record(Lane.SAFETY, 1)]),
        )


async def limit_the_file(path: Path) -> None:
    """Have every write beyond a size fail, then lift the limit."""
    store = await Store.open(path, "gw-1", window_s=0, reserve_bytes=4096)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
    # Closing the file after a fault writes the WAL back, which may make room once or twice.
    promised, errors = zip(*[await fill(store) for _ in range(4)], strict=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    seq = await store.append(Lane.TELEMETRY, [record(Lane.TELEMETRY, 1)] * 500)
    await store.close()
    say(stored=max(promised), errors=errors, after=seq, pending=read_lanes(path)[Lane.TELEMETRY].pending)


async def meet_disk_errors(path: Path) -> None:
    """Store on a disk that fails now and then, and compare what was promised with what is there."""
    store = await Store.open(path, "gw-1", window_s=0)
    promised: dict[int, int] = {}
    refused = 0
    for tag in range(60):
        try:
            promised[await store.append(Lane.SAFETY, [record(Lane.SAFETY, tag)])] = tag
        except StoreError:
            refused += 1
    await store.close()
    kept = {seq: each.at for seq, each in peek_records(path, Lane.SAFETY, 1000) if isinstance(each, Event)}
    say(promised=len(promised), refused=refused, same=kept == promised)


MODES = {
    "meet-disk-errors": meet_disk_errors,
    "keep-storing": keep_storing,
    "fill-the-disk": fill_the_disk,
    "die-on-a-full-disk": die_on_a_full_disk,
    "open-again": open_again,
    "limit-the-file": limit_the_file,
}

if __name__ == "__main__":
    asyncio.run(MODES[sys.argv[1]](Path(sys.argv[2])))
