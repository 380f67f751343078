"""Fill a store with 30 days that the centre did not hear of, then start, drain and salvage it.

500 points every minute, 200 registers every quarter of an hour and an event every two minutes make 22.2
million records. They go through the gateway's own store, in groups as its lines give them. Starting is
the command ``edge run`` with no device, from its call until it says that it is ready, beside the same with
a store of a minute. Draining is what the uplink does but for the network: read, pack, sign, delete.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.outbox import Outbox
from edge_agent.store import Store
from protocols.sync import Event, Lane, Reading, Record, Series, batch_digest, encode_batch

_POINTS, _REGISTERS = 500, 200
_MINUTES_A_DAY, _QUARTER, _EVENT_EVERY = 1440, 15, 2
_START_MS = 1_767_225_600_000
_MINUTE_MS = 60_000
_BATCH = 5000
_READY = "ready:"
_LONGEST_S = 900.0
_CONFIG = '[edge]\nid = "gw-1"\ndata = "{data}"\n'


def _minutes(count: int, chance: random.Random) -> Iterator[list[tuple[Lane, list[Record]]]]:
    """Give what is stored in each minute: values that wander, registers that grow."""
    series = [Series(f"em-{number // 5}", f"point{number % 5}", "W") for number in range(_POINTS)]
    registers = [Series(f"em-{number}", "energyImportTotal", "kWh") for number in range(_REGISTERS)]
    values = [chance.randrange(1000, 400_000) for _ in series]
    counts = [chance.randrange(10**6, 10**7) for _ in registers]
    for minute in range(count):
        at = _START_MS + minute * _MINUTE_MS
        for number in range(_POINTS):
            values[number] += chance.randrange(-200, 201)
        told: list[Record] = [
            Reading(name, at + 97 * number, Decimal(value).scaleb(-1))
            for number, (name, value) in enumerate(zip(series, values, strict=True))
        ]
        lanes = [(Lane.TELEMETRY, told)]
        if minute % _QUARTER == 0:
            counts = [value + chance.randrange(40) for value in counts]
            read: list[Record] = [
                Reading(name, at, Decimal(value).scaleb(-2)) for name, value in zip(registers, counts, strict=True)
            ]
            lanes.append((Lane.BILLING, read))
        if minute % _EVENT_EVERY == 0:
            lanes.append((Lane.SAFETY, [Event("access", "door:front", at, {"card": minute, "granted": True})]))
        yield lanes


async def _fill(path: Path, minutes: int, group: int) -> tuple[int, float]:
    """Store so many minutes; give the records and the seconds it took."""
    rows = 0
    started = time.monotonic()
    async with await Store.open(path, "gw-1", window_s=0) as store:
        for minute, lanes in enumerate(_minutes(minutes, random.Random(7))):
            for lane, records in lanes:
                for at in range(0, len(records), group):
                    await store.append(lane, records[at : at + group])
                rows += len(records)
            if minute % 2000 == 0:
                print(f"{rows} records, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return rows, time.monotonic() - started


def _seconds_to_start(folder: Path) -> float:
    """Give the seconds from the call of ``edge run`` until it is ready; the records of the store are all there."""
    config = folder / "edge.toml"
    config.write_text(_CONFIG.format(data=folder / "data"))
    command = [sys.executable, "-m", "edge_agent", "--config", str(config), "run"]
    started = time.monotonic()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as gateway:
        assert gateway.stderr is not None
        lines: list[str] = []
        for line in gateway.stderr:
            lines.append(line)
            if _READY in line or time.monotonic() - started > _LONGEST_S:
                break
        seconds = time.monotonic() - started
        gateway.terminate()
    if not any(_READY in line for line in lines):
        raise SystemExit("the gateway did not start:\n" + "".join(lines))
    return seconds


def _best_start(folder: Path, times: int = 3) -> float:
    return round(min(_seconds_to_start(folder) for _ in range(times)), 2)


async def _drain(path: Path, most: int) -> tuple[int, float, int]:
    """Send so many records to nobody; give how many, the seconds and the bytes."""
    key = Ed25519PrivateKey.generate()
    rows = size = 0
    started = time.monotonic()
    async with await Store.open(path, "gw-1") as store:
        outbox = Outbox(store)
        for lane in (Lane.BILLING, Lane.TELEMETRY):
            while rows < most and (state := outbox.lanes()[lane]).pending:
                batch = await outbox.batch(lane, state.acked_seq, _BATCH, state.chain)
                if batch is None:
                    break
                body = await asyncio.to_thread(encode_batch, batch, key.sign, outbox.dictionary(_POINTS))
                await store.ack(lane, batch.last_seq, batch_digest(body))
                rows += len(batch.records)
                size += len(body)
    return rows, time.monotonic() - started, size


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("edge.db*") if not file.name.endswith(".reserve"))


def measure(folder: Path, days: float, group: int, drained: int) -> dict[str, Any]:
    """Do it all in a folder of its own."""
    small, large = folder / "small", folder / "large"
    for each in (small, large):
        (each / "data").mkdir(parents=True)
    asyncio.run(_fill(small / "data" / "edge.db", 1, group))
    path = large / "data" / "edge.db"
    rows, seconds = asyncio.run(_fill(path, round(days * _MINUTES_A_DAY), group))
    size = _bytes(path.parent)
    found: dict[str, Any] = {
        "days": days,
        "rows": rows,
        "group": group,
        "stored_rows_per_s": round(rows / seconds),
        "bytes": size,
        "bytes_per_row": round(size / rows, 1),
        "bytes_of_30_days": round(size / days * 30),
        "start_s": _best_start(large),
        "start_small_s": _best_start(small),
    }
    path.with_name("edge.db.unsound").write_text("for the measurement")
    found["salvage_start_s"] = round(_seconds_to_start(large), 1)
    for kept in path.parent.glob("edge.db.damaged-*"):
        kept.unlink()
    count, seconds, sent = asyncio.run(_drain(path, drained))
    arrival = rows / (days * 86_400)
    return {
        **found,
        "drained_rows": count,
        "drained_rows_per_s": round(count / seconds),
        "drained_bytes_per_row": round(sent / max(1, count), 2),
        "arriving_rows_per_s": round(arrival, 1),
        "drain_ratio": round(count / seconds / arrival),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=30.0, help="how long the centre was away (default: 30)")
    parser.add_argument("--group", type=int, default=100, help="records to a commit (default: 100)")
    parser.add_argument("--drain", type=int, default=2_000_000, help="how many records to drain (default: 2,000,000)")
    parser.add_argument("--folder", type=Path, help="where the store lies meanwhile (default: a temporary folder)")
    parser.add_argument("--json", action="store_true", help="print the result only")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        print(
            json.dumps(measure(folder, options.days, options.group, options.drain), indent=None if options.json else 2)
        )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
