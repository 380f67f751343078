"""When a gateway's clock was wrong, as its batches tell: whose stamps were put right, and whose nobody could."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import case, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.schema import clock_stretch
from central_server.telemetry.store import insert_ignoring
from protocols.quantity import Quality
from protocols.sync import ClockSpan, SeriesColumn

_NO_VALUE = 0x80


class ClockStretch(NamedTuple):
    """Readings from ``first_at`` to ``last_at`` of a clock that was wrong.

    Units: milliseconds UTC, put right where that was possible; ``shift_ms`` was added, None where nobody knows.
    """

    boot: str
    offset_ms: int
    shift_ms: int | None
    first_at: int
    last_at: int


def stretches_of(clocks: Sequence[ClockSpan], columns: Iterable[SeriesColumn]) -> list[ClockStretch]:
    """Find the stretches of a batch in which the clock was wrong; ``columns`` are stamped right."""
    if all(span.shift_ms == 0 for span in clocks):
        return []
    stamps = [
        (seq, at)
        for column in columns
        for seq, at, quality in zip(column.seqs, column.at, column.qualities, strict=True)
        if quality & ~_NO_VALUE != Quality.FROZEN  # the meter's own instant
    ]
    found = []
    for span, after in pairwise([*clocks, None]):
        if span is None or span.shift_ms == 0:
            continue
        ats = [at for seq, at in stamps if span.first_seq <= seq and (after is None or seq < after.first_seq)]
        if ats:
            found.append(ClockStretch(span.boot, span.offset_ms, span.shift_ms, min(ats), max(ats)))
    return found


async def note(connection: AsyncConnection, gateway_id: int, found: Iterable[ClockStretch]) -> None:
    """Keep them, each stretch of a clock as one; to tell the same again changes nothing."""
    own = clock_stretch.c
    for each in found:
        key = {"gateway_id": gateway_id, "boot": each.boot, "offset_ms": each.offset_ms}
        key["is_known"] = each.shift_ms is not None
        ends = {"shift_ms": each.shift_ms, "first_at": each.first_at, "last_at": each.last_at}
        done = await connection.execute(insert_ignoring(connection, clock_stretch), {**key, **ends})
        if done.rowcount:
            continue
        wider = {
            "shift_ms": each.shift_ms,
            "first_at": case((own.first_at < each.first_at, own.first_at), else_=each.first_at),
            "last_at": case((own.last_at > each.last_at, own.last_at), else_=each.last_at),
        }
        where = [own[name] == value for name, value in key.items()]
        await connection.execute(clock_stretch.update().where(*where).values(wider))


async def between(connection: AsyncConnection, gateway_id: int, from_ms: int, to_ms: int) -> list[ClockStretch]:
    """Give a gateway's stretches of a wrong clock that touch [from_ms, to_ms)."""
    own = clock_stretch.c
    query = select(own.boot, own.offset_ms, own.shift_ms, own.first_at, own.last_at)
    query = query.where(own.gateway_id == gateway_id, own.first_at < to_ms, own.last_at >= from_ms)
    return [ClockStretch(*row) for row in await connection.execute(query.order_by(own.first_at))]
