"""Readings as the centre's blocks hold them, one by one, for tests that look or put."""

import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import schema
from central_server.db import Database
from central_server.telemetry import block_store
from central_server.telemetry.block import NO_VALUE, Block, merged, pack, unpack
from central_server.telemetry.block_store import DAY_MS


class Kept(NamedTuple):
    batch_id: int
    seq: int
    series_id: int
    taken_at: int
    mantissa: int | None
    exponent: int | None
    quality: int


def unpacked(rows: Any) -> list[Kept]:
    """Give every reading of (series, body) rows, by batch and number."""
    found = []
    for series_id, body in rows:
        block = unpack(body)
        for at, mantissa, exponent, quality, batch, seq in zip(
            block.at, block.mantissa, block.exponent, block.quality, block.batch, block.seq, strict=True
        ):
            scaled = (None, None) if quality & NO_VALUE else (mantissa, exponent)
            found.append(Kept(batch, seq, series_id, at, *scaled, quality & ~NO_VALUE))
    return sorted(found)


async def kept_readings(db: Database) -> list[Kept]:
    async with db.read() as connection:
        return unpacked(await connection.execute(select(schema.block.c.series_id, schema.block.c.body)))


def kept_in_file(path: Path) -> list[Kept]:
    connection = sqlite3.connect(path)
    found = unpacked(connection.execute("SELECT series_id, body FROM block").fetchall())
    connection.close()
    return found


async def put_reading(
    connection: AsyncConnection,
    *,
    series_id: int,
    taken_at: int,
    mantissa: int | None,
    exponent: int | None,
    quality: int,
    batch_id: int,
    seq: int,
) -> None:
    """Add one reading to what its batch has of the day."""
    day = taken_at // DAY_MS
    had = [
        unpack(body) for _, part, body in await block_store.bodies(connection, series_id, day, day) if part == batch_id
    ]
    mine = Block(
        [taken_at],
        [mantissa or 0],
        [exponent or 0],
        [quality | (NO_VALUE if mantissa is None else 0)],
        [batch_id],
        [seq],
    )
    row = {"series_id": series_id, "day": day, "part": batch_id, "body": pack(merged([*had, mine]))}
    await block_store.add_parts(connection, [row])
