"""Ask a centre what 10,000 meters used in a month, and for a year of one of them, beside the same as plain rows.

The month: each meter has a register, read every hour, and other points with sums of their own. Ours is the
query of the page "Use of meters", from a transaction's begin to a decimal for each meter; the plain one is
GROUP BY over an indexed table of rows, one a reading, in a file of its own with the same settings. Then
some meters get late readings, and both are asked again, before and after those days are joined. The answers
must be the same each time. The year: 35,040 readings to JSON bytes, ours out of blocks, the plain one out of rows.
"""

import argparse
import asyncio
import json
import random
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select

from central_server import schema
from central_server.crypto import Vault
from central_server.db import Database
from central_server.live import Hub
from central_server.migrate import migrate
from central_server.telemetry import block_store
from central_server.telemetry.block import Block, pack
from central_server.telemetry.block_store import DAY_MS
from central_server.telemetry.compaction import compact
from central_server.telemetry.readings import days, month_of
from central_server.telemetry.rollup import QUARTER_MS, coarser, month_start, pack_buckets, quarters
from central_server.telemetry.use import month_uses

Answer = TypeVar("Answer")

_ZONE = ZoneInfo("Asia/Shanghai")
_START = int(datetime(2026, 9, 30, 16, tzinfo=UTC).timestamp()) * 1000  # 1 October at the site
_END = _START + 31 * DAY_MS
_NOW = _END + 10 * DAY_MS
_AT = 7 * 60_000  # after midnight: no reading falls on the month's edge
_YEAR, _ONE = 35_040, 1
_WANTED = select(schema.series.c.id).where(schema.series.c.point == "energyImportTotal")
_GROUP_BY = "SELECT series_id, max(value) - min(value) FROM reading WHERE at > ? AND at <= ? GROUP BY series_id"
_BATCH = {"epoch": "1", "lane": 2, "digest": "", "received_at": 0, "expanded_at": 0, "packed_at": 0, "body": b""}


def _plain(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(
        "CREATE TABLE reading (series_id INTEGER, at INTEGER, value INTEGER, PRIMARY KEY (series_id, at)) WITHOUT ROWID"
    )
    return connection


async def _fill(
    db: Database, plain: sqlite3.Connection, meters: int, points: int, every: int, chance: random.Random
) -> None:
    """Give every meter its days, joined and summed up, and the same as rows."""
    instants = list(range(_START - DAY_MS + _AT, _END + DAY_MS, every))
    start_of = month_start(_ZONE)
    async with db.write() as connection:
        own = {"edge_id": "gw-1", "name": "gw-1", "secret_hash": "x", "created_at": 0, "site_id": 1}
        await connection.execute(insert(schema.site).values(code="s", name="s", zone=_ZONE.key))
        await connection.execute(insert(schema.gateway).values(own))
        for number in (1, 2):
            seqs = {"first_seq": number, "last_seq": number, "from_seq": number}
            await connection.execute(insert(schema.batch).values(gateway_id=1, **seqs, **_BATCH))
        fresh = {"gateway_id": 1, "kind": "electricity", "bus": "", "profile": "", "address": "", "first_seen_at": 0}
        names = [{"id": key, "code": f"em-{key}", "name": f"em-{key}", **fresh} for key in range(1, meters + 1)]
        await connection.execute(insert(schema.device), names)
        await connection.execute(
            insert(schema.series),
            [
                {"device_id": key, "point": f"p{point}" if point else "energyImportTotal", "unit": "kWh"}
                for key in range(1, meters + 1)
                for point in range(points)
            ],
        )
    for first in range(1, meters * points + 1, 1_000 * points):
        async with db.write() as connection:
            for key in range(first, min(first + 1_000 * points, meters * points + 1), points):
                values = [chance.randrange(10**6)]
                for _ in instants[1:]:
                    values.append(values[-1] + chance.randrange(300))
                months = coarser(await _put(connection, key, instants, values), start_of)
                for beside in range(points):
                    await block_store.put_rollups(connection, "month", key + beside, months)
                _insert(plain, key, instants, values)
    plain.commit()


def _insert(plain: sqlite3.Connection, key: int, instants: list[int], values: list[int]) -> None:
    rows = ((key, at, value) for at, value in zip(instants, values, strict=True))
    plain.executemany("INSERT INTO reading VALUES (?, ?, ?)", rows)


async def _put(connection: Any, key: int, instants: list[int], values: list[int]) -> list[Any]:
    """Pack a series' readings by day and sum them up; give the sums."""
    sums: dict[int, list[Any]] = {}
    rows = []
    for day, run in groupby(range(len(instants)), lambda place: instants[place] // DAY_MS):
        places = list(run)
        chosen, count = slice(places[0], places[-1] + 1), len(places)
        seqs = [place + 1 for place in places]
        block = Block(instants[chosen], values[chosen], [-2] * count, [0] * count, [1] * count, seqs)
        sums.setdefault(month_of(day), []).extend(quarters(block))
        rows.append({"series_id": key, "day": day, "part": 0, "body": pack(block)})
    await block_store.add_parts(connection, rows)
    for month, buckets in sums.items():
        await block_store.put_quarters(connection, key, month, pack_buckets(buckets))
    return [bucket for month in sums.values() for bucket in month]


async def _best(ask: Callable[[], Awaitable[Answer]], times: int) -> tuple[float, Answer]:
    """Give the shortest of some times in milliseconds, and the answer."""
    shortest, answer = float("inf"), await ask()
    for _ in range(times):
        began = time.perf_counter()
        answer = await ask()
        shortest = min(shortest, time.perf_counter() - began)
    return round(shortest * 1000, 1), answer


async def _late(db: Database, plain: sqlite3.Connection, keys: list[int], at: int) -> None:
    """Deliver one late reading of some meters, half of a unit above the one before."""
    rows = []
    for key in keys:
        (before,) = plain.execute("SELECT max(value) FROM reading WHERE series_id = ? AND at < ?", (key, at)).fetchone()
        (after,) = plain.execute("SELECT min(value) FROM reading WHERE series_id = ? AND at > ?", (key, at)).fetchone()
        value = (before + after) // 2
        plain.execute("INSERT INTO reading VALUES (?, ?, ?)", (key, at, value))
        body = pack(Block([at], [value], [-2], [0], [2], [key]))
        rows.append({"series_id": key, "day": at // DAY_MS, "part": 2, "body": body})
    plain.commit()
    async with db.write() as connection:
        await block_store.add_parts(connection, rows)


async def _month(
    db: Database, plain: sqlite3.Connection, meters: int, points: int, every: int, times: int
) -> dict[str, Any]:
    async def ours() -> dict[int, Decimal | None]:
        async with db.read() as connection:
            found = await month_uses(connection, _WANTED, _START, _ZONE, _NOW)
            return {key: ends.use for key, ends in found.items()}

    async def rows() -> dict[int, Decimal]:
        answer = plain.execute(_GROUP_BY, (_START - every, _END)).fetchall()
        return {key: Decimal(value).scaleb(-2) for key, value in answer}

    async def both(suffix: str) -> dict[str, Any]:
        own, mine = await _best(ours, times)
        other, theirs = await _best(rows, times)
        if mine != theirs or len(mine) != meters:
            raise SystemExit(f"the answers differ{suffix}")
        return {
            f"month_ms{suffix}": own,
            f"month_rows_ms{suffix}": other,
            f"month_ratio{suffix}": round(other / own, 1),
        }

    found = await both("")
    keys = list(range(1, meters * points + 1, points))
    await _late(db, plain, keys[:100], _START + 15 * DAY_MS)
    await _late(db, plain, keys[100:200], _END - QUARTER_MS)
    found |= await both("_late")
    await compact(db, Hub(), _NOW)
    return found | await both("_joined")


async def _year(db: Database, plain: sqlite3.Connection, times: int, chance: random.Random) -> dict[str, Any]:
    begin = _END + 400 * DAY_MS
    instants = [begin + number * QUARTER_MS for number in range(_YEAR)]
    values = [chance.randrange(1000)]
    for _ in instants[1:]:
        values.append(values[-1] + chance.randrange(40))
    async with db.write() as connection:
        await _put(connection, _ONE, instants, values)
    _insert(plain, _ONE, instants, values)
    plain.commit()
    until = instants[-1] + 1

    async def ours() -> bytes:
        at: list[int] = []
        value: list[int] = []
        async with db.read() as connection:
            async for block in days(connection, _ONE, begin, until, "at", "mantissa"):
                at += block.at
                value += block.mantissa
        return json.dumps([at, value]).encode()

    async def rows() -> bytes:
        found = plain.execute(
            "SELECT at, value FROM reading WHERE series_id = ? AND at >= ? ORDER BY at", (_ONE, begin)
        )
        return json.dumps([list(column) for column in zip(*found, strict=True)]).encode()

    own, mine = await _best(ours, times)
    other, theirs = await _best(rows, times)
    if mine != theirs:
        raise SystemExit("the years differ")
    return {"year_ms": own, "year_rows_ms": other, "year_ratio": round(other / own, 1)}


async def measure(folder: Path, meters: int, points: int, every: int, times: int) -> dict[str, Any]:
    """Fill a centre and a plain table, then ask both."""
    chance = random.Random(7)
    db = Database(f"sqlite:///{folder / 'central.db'}", Vault(bytes(32)))
    await migrate(db)
    plain = _plain(folder / "plain.db")
    await _fill(db, plain, meters, points, every, chance)
    found = {
        "meters": meters,
        "series": meters * points,
        "rows": plain.execute("SELECT count(*) FROM reading").fetchone()[0],
    }
    found |= await _month(db, plain, meters, points, every, times) | await _year(db, plain, times, chance)
    await db.close()
    plain.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meters", type=int, default=10_000, help="meters of the estate (default: 10,000)")
    parser.add_argument("--points", type=int, default=5, help="points of a meter, the register included (default: 5)")
    parser.add_argument("--minutes", type=int, default=60, help="between readings (default: 60)")
    parser.add_argument("--times", type=int, default=15, help="ask so often, the shortest counts (default: 15)")
    parser.add_argument("--json", action="store_true", help="print the result only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(
            measure(Path(folder), options.meters, options.points, options.minutes * 60_000, options.times)
        )
    print(json.dumps(found, indent=None if options.json else 2))


if __name__ == "__main__":
    main()
