"""Join the parts of days that are over into one block each, and sum them up.

A day whose parts are not joined has no rollups that count: whoever asks sums it up from its readings.
So late data changes what is told at once, and the joined day afterwards, to the same.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.db import Database
from central_server.live import Hub
from central_server.scheduler import Job
from central_server.telemetry import block_store
from central_server.telemetry.block import merged, pack, unpack
from central_server.telemetry.block_store import DAY_MS, Parted
from central_server.telemetry.readings import month_of
from central_server.telemetry.rollup import (
    QUARTER_MS,
    Bucket,
    coarser,
    day_start,
    month_start,
    next_month,
    pack_buckets,
    quarters,
    unpack_buckets,
)

_LISTED = 200  # days
_TOGETHER = 20  # of them in a transaction: the door waits for it
_MOST_PARTS = 200
_LATE_MS = 3_600_000  # a day that is over may have more to come for as long


async def compact(db: Database, hub: Hub, now_ms: int) -> None:
    """Join what is to be joined by now."""
    before = (now_ms - _LATE_MS) // DAY_MS
    while await compact_some(db, before):
        pass


async def compact_some(db: Database, before: int) -> int:
    """Join some of the days before a day, and those of very many parts; give how many.

    Shape: none while readings are packed anew, see rebuild; what was packed before goes when all are.
    """
    has_old, days = await db.look(partial(_listed, before=before))
    for start in range(0, max(len(days), has_old), _TOGETHER):
        began = time.monotonic()
        if not await db.keep(partial(_join_all, days=days[start : start + _TOGETHER])):
            return 0
        await asyncio.sleep(time.monotonic() - began)  # and as long for whoever is at the door
    return len(days)


async def _listed(connection: AsyncConnection, before: int) -> tuple[bool, list[Parted]]:
    days = await block_store.parted_days(connection, before, _MOST_PARTS, _LISTED)
    return await block_store.has_old(connection), days


async def _join_all(connection: AsyncConnection, days: Sequence[Parted]) -> bool:
    if await block_store.is_repacking(connection):
        return False
    if await block_store.has_old(connection):
        await block_store.drop_old(connection)
    for day in days:
        await _join(connection, day)
    return True


async def _join(connection: AsyncConnection, parted: Parted) -> None:
    series_id, day, zone = parted
    found = await block_store.bodies(connection, series_id, day, day)
    if not found:  # gone since it was listed
        return
    whole = merged(unpack(body) for _, _, body in found)
    await block_store.replace_parts(connection, series_id, day, [part for _, part, _ in found], pack(whole))
    month = month_of(day)
    known = (await block_store.quarter_bodies(connection, series_id, [month])).get(month)
    others = [it for it in unpack_buckets(known) if it.start // DAY_MS != day] if known else []
    await block_store.put_quarters(connection, series_id, month, pack_buckets(sorted(others + quarters(whole))))
    await _sum_up(connection, series_id, day, ZoneInfo(zone))


async def _sum_up(connection: AsyncConnection, series_id: int, day: int, zone: ZoneInfo) -> None:
    """Write anew the days and months of the site's time that a day of UTC touches."""
    ends = (day * DAY_MS, (day + 1) * DAY_MS - QUARTER_MS)
    day_of, start_of_month = day_start(zone), month_start(zone)
    first, last = start_of_month(ends[0]), next_month(start_of_month(ends[1]), zone)
    months = range(month_of(first // DAY_MS), month_of((last - 1) // DAY_MS) + 1)
    joined: list[Bucket] = []
    for body in (await block_store.quarter_bodies(connection, series_id, months)).values():
        joined += (it for it in unpack_buckets(body) if first <= it.start < last)
    joined.sort()
    local_days = {day_of(end) for end in ends}
    touched = [it for it in joined if day_of(it.start) in local_days]
    await block_store.put_rollups(connection, "day", series_id, coarser(touched, day_of))
    await block_store.put_rollups(connection, "month", series_id, coarser(joined, start_of_month))


JOBS = (Job("blocks", 60, compact),)
