"""Damage a store and open it as a gateway that restarts: it must start, tell no wrong record and hide no loss.

A store with records in all lanes is made once, part of it in its log. Each run changes a copy as its seed
says: bits flipped, sectors zeroed or filled with garbage, pages exchanged, the file or its log cut or gone.
Then the store is opened and emptied as the uplink does, and compared with what had been accepted.
"""

import argparse
import asyncio
import json
import logging
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

from edge_agent.store import Store, StoreDamaged
from protocols.quantity import Quality
from protocols.sync import Event, Lane, Reading, Record, Series

_START_MS = 1_767_225_600_000
_FILES = ("edge.db", "edge.db-wal", "edge.db.marks")
_SECTOR = 512
_PAGE = 4096
_MOST_OPENINGS = 4

Ledger = dict[tuple[Lane, int], Record]


@dataclass(frozen=True, slots=True)
class Template:
    """A store's files, what was accepted into it, and up to where it was acknowledged."""

    files: dict[str, bytes]
    epoch: int
    ledger: Ledger
    acked: dict[Lane, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a damaged store; ``broken`` says which promise was, None for none."""

    fault: str
    saved: int = 0
    lost: int = 0
    broken: str | None = None


def damage(seed: int) -> Outcome:
    """Run one seed."""
    logging.disable(logging.CRITICAL)
    chance = random.Random(seed)
    template = _template()
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=base) as name:
        path = Path(name) / "edge.db"
        for file, content in template.files.items():
            path.with_name(file).write_bytes(content)
        fault = _spoil(path, chance)
        try:
            return asyncio.run(_look(path, template, fault))
        except Exception as error:  # noqa: BLE001 - whatever it is, the gateway did not start by itself
            return Outcome(fault, broken=f"{fault}: {type(error).__name__}: {error}")


@cache
def _template() -> Template:
    with tempfile.TemporaryDirectory() as name:
        return asyncio.run(_make(Path(name) / "edge.db"))


async def _make(path: Path) -> Template:
    chance = random.Random(1)
    ledger: Ledger = {}
    async with await Store.open(path, "gw-1", window_s=0, reserve_bytes=4096) as store:
        for turn in range(60):
            lane = chance.choice(list(Lane))
            records = [_record(lane, chance) for _ in range(chance.choice([1, 5, 40, 120]))]
            last = await store.append(lane, records, {(f"em-{turn % 5}", "energy"): f"note {turn}"})
            ledger |= {(lane, last - len(records) + 1 + at): record for at, record in enumerate(records)}
            if turn == 30:
                with closing(sqlite3.connect(path)) as other:
                    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if turn % 20 == 7:
                await store.ack(lane, last - len(records) // 2, "ab" * 32)
        # Without it a copy would be known as one, and not as what a restart finds.
        with closing(sqlite3.connect(path)) as other:
            other.execute("UPDATE store SET origin = ''")
            other.commit()
        acked = {lane: state.acked_seq for lane, state in store.lanes().items()}
        files = {file: path.with_name(file).read_bytes() for file in _FILES}
        return Template(files, store.epoch, ledger, acked)


def _record(lane: Lane, chance: random.Random) -> Record:
    at = _START_MS + chance.randrange(10**9)
    if lane in (Lane.SAFETY, Lane.CONTROL):
        text = "x" * chance.choice([3, 30, 300, 9000])
        return Event("alarm", f"device:{at}", at, {"text": text, "n": at})
    series = Series(f"em-{chance.randrange(5)}", "energyImportTotal", "kWh")
    if chance.random() < 0.1:
        return Reading(series, at, None, Quality.INVALID, chance.randbytes(8))
    return Reading(series, at, Decimal(chance.randrange(10**8)) / 100, Quality.GOOD)


def _spoil(path: Path, chance: random.Random) -> str:
    """Damage one of the files, now and then with the marks gone; say how."""
    file = path.with_name(
        chance.choice(["edge.db", "edge.db", "edge.db", "edge.db-wal", "edge.db-wal", "edge.db.marks"])
    )
    content = bytearray(file.read_bytes())
    at = chance.randrange(len(content))
    kind = chance.choice(["flip", "flip", "flip", "flips", "zero", "garbage", "cut", "swap", "head", "gone"])
    if kind == "flip":
        content[at] ^= 1 << chance.randrange(8)
    elif kind == "flips":
        for _ in range(20):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    elif kind == "zero":
        begin, size = at // _SECTOR * _SECTOR, chance.choice([_SECTOR, _PAGE, 4 * _PAGE])
        content[begin : begin + size] = bytes(len(content[begin : begin + size]))
    elif kind == "garbage":
        size = min(chance.choice([8, 100, _PAGE]), len(content) - at)
        content[at : at + size] = chance.randbytes(size)
    elif kind == "cut":
        del content[at:]
    elif kind == "swap" and len(content) > 3 * _PAGE:
        one, two = (chance.randrange(1, len(content) // _PAGE - 1) * _PAGE for _ in range(2))
        content[one : one + _PAGE], content[two : two + _PAGE] = content[two : two + _PAGE], content[one : one + _PAGE]
    elif kind == "head":
        content[chance.randrange(100)] ^= 1 << chance.randrange(8)
    if kind == "gone":
        file.unlink()
    else:
        file.write_bytes(content)
    is_blind = file.suffix != ".marks" and chance.random() < 0.1
    if is_blind:
        path.with_name("edge.db.marks").unlink()
    return f"{kind} {file.name} at {at}{' without marks' if is_blind else ''}"


async def _look(path: Path, template: Template, fault: str) -> Outcome:
    told: dict[tuple[int, Lane, int], Record] = {}
    for _ in range(_MOST_OPENINGS):
        try:
            async with await Store.open(path, "gw-1", window_s=0, reserve_bytes=4096) as store:
                await _empty(store, told)
                await store.append(Lane.SAFETY, [Event("alarm", "device:1", 1, {})])
                break
        except StoreDamaged:
            continue  # as the service does: close, open again
    else:
        return Outcome(fault, broken=f"{fault}: it is found damaged again and again")
    return _judge(template, told, fault)


async def _empty(store: Store, told: dict[tuple[int, Lane, int], Record]) -> None:
    """Take everything out as the uplink does, the older epochs first."""
    while True:
        leg = store.leg()
        lanes = leg.lanes(store.lanes())
        for lane, state in lanes.items():
            after = state.acked_seq
            while after < state.next_seq - 1:
                peek = await store.peek(lane, after, 500)
                found = [(seq, record) for seq, record in peek.numbered() if seq < state.next_seq]
                for seq, record in found:
                    if told.setdefault((leg.epoch, lane, seq), record) != record:
                        raise AssertionError(f"{seq} of {lane.word} is told in two ways")
                after = found[-1][0] if found else state.next_seq - 1
            await store.ack(lane, state.next_seq - 1)
        if not leg.is_past:
            return


def _judge(template: Template, told: dict[tuple[int, Lane, int], Record], fault: str) -> Outcome:
    stones = [record.body for record in told.values() if isinstance(record, Event) and record.kind == "tombstone"]
    buried = {(Lane(stone["lane"]), seq) for stone in stones for seq in range(stone["from_seq"], stone["to_seq"] + 1)}
    own = {(lane, seq): record for (epoch, lane, seq), record in told.items() if epoch == template.epoch}
    saved = 0
    for key, record in own.items():
        if template.ledger.get(key) != record:
            return Outcome(fault, broken=f"{fault}: record {key} is not what was accepted")
        saved += key[1] > template.acked[key[0]]
    accepted = {key for key in template.ledger if key[1] > template.acked[key[0]]}
    lost = accepted - own.keys()
    if (hidden := lost - buried) and "without marks" not in fault:  # nobody then knows how far the store was
        return Outcome(fault, saved, len(lost), f"{fault}: {len(hidden)} records are lost in silence")
    return Outcome(fault, saved, len(lost))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2000, help="how many damaged stores (default: 2000)")
    parser.add_argument("--seed", type=int, help="one only, to look at")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    options = parser.parse_args()
    started = time.monotonic()
    first, count = (options.first, options.seeds) if options.seed is None else (options.seed, 1)
    failed: list[int] = []
    kinds: Counter[str] = Counter()
    saved = lost = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        seeds = range(first, first + count)
        for seed, outcome in zip(seeds, pool.map(damage, seeds, chunksize=8), strict=True):
            kinds[" ".join(outcome.fault.split()[:2])] += 1
            saved += outcome.saved
            lost += outcome.lost
            if outcome.broken is not None:
                failed.append(seed)
                print(f"seed {seed}: {outcome.broken}", file=sys.stderr, flush=True)
    told = {"seeds": count, "failed": failed, "saved": saved, "lost_and_told": lost, "faults": dict(kinds)}
    print(json.dumps({**told, "seconds": round(time.monotonic() - started, 1)}))
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
