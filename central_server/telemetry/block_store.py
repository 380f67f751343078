"""The SQL of packed readings: parts and days of each series, and the rollups of whole days."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Table, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.schema import batch, block, device, gateway, quarter, rollup, series, site
from central_server.telemetry.rollup import Bucket

DAY_MS = 86_400_000
_own = block.c
_OLD = select(_own.series_id).where(_own.part != 0, _own.part < 0)


class Parted(NamedTuple):
    """A series' day that has parts, and the time zone of its site."""

    series_id: int
    day: int
    zone: str


async def add_parts(connection: AsyncConnection, rows: list[dict[str, Any]]) -> None:
    """Add parts; one that is there already is written anew: the same batch packs to the same bytes."""
    if rows:
        await connection.execute(_upsert(connection.dialect.name, block, ("series_id", "day", "part")), rows)


async def bodies(connection: AsyncConnection, series_id: int, first: int, last: int) -> list[tuple[int, int, bytes]]:
    """Give (day, part, body) of a series' days, in order."""
    query = (
        select(_own.day, _own.part, _own.body)
        .where(_own.series_id == series_id, _own.day >= first, _own.day <= last)
        .order_by(_own.day, _own.part)
    )
    return [(row[0], row[1], row[2]) for row in await connection.execute(query)]


async def day_before(connection: AsyncConnection, series_id: int, first: int, last: int) -> int | None:
    """Give the last day of a stretch that has readings."""
    query = select(func.max(_own.day)).where(_own.series_id == series_id, _own.day >= first, _own.day <= last)
    found: int | None = await connection.scalar(query)
    return found


async def day_after(connection: AsyncConnection, series_id: int, first: int, last: int | None) -> int | None:
    """Give the first day of a stretch that has readings; the stretch is open where ``last`` is None."""
    query = select(func.min(_own.day)).where(_own.series_id == series_id, _own.day >= first)
    found: int | None = await connection.scalar(query if last is None else query.where(_own.day <= last))
    return found


async def parted_days(connection: AsyncConnection, before: int, most: int, limit: int) -> list[Parted]:
    """List days with parts that are over, or that have more parts than ``most``."""
    query = (
        select(_own.series_id, _own.day, site.c.zone)
        .select_from(
            block.join(series, series.c.id == _own.series_id)
            .join(device, device.c.id == series.c.device_id)
            .join(gateway, gateway.c.id == device.c.gateway_id)
            .join(site, site.c.id == gateway.c.site_id)
        )
        .where(_own.part != 0)
        .group_by(_own.day, _own.series_id, site.c.zone)
        .having((_own.day < before) | (func.count() > most))
        .order_by(_own.day, _own.series_id)
        .limit(limit)
    )
    return [Parted(*row) for row in await connection.execute(query)]


async def days_with_parts(connection: AsyncConnection, series_id: int, first: int, last: int) -> set[int]:
    """Give the days of a stretch that are not joined, and so have no rollups that count."""
    query = select(_own.day).where(_own.part != 0, _own.series_id == series_id, _own.day >= first, _own.day <= last)
    return {row[0] for row in await connection.execute(query.distinct())}


async def replace_parts(
    connection: AsyncConnection, series_id: int, day: int, parts: Sequence[int], body: bytes
) -> None:
    """Put one block in the place of parts."""
    day_of = (_own.series_id == series_id, _own.day == day)
    await connection.execute(delete(block).where(*day_of, _own.part.in_(parts)))
    await connection.execute(insert(block).values(series_id=series_id, day=day, part=0, body=body))


async def quarter_bodies(connection: AsyncConnection, series_id: int, months: Iterable[int]) -> dict[int, bytes]:
    """Give the packed quarters of a series by month."""
    query = select(quarter.c.month, quarter.c.body).where(
        quarter.c.series_id == series_id, quarter.c.month.in_(list(months))
    )
    return {row[0]: row[1] for row in await connection.execute(query)}


async def put_quarters(connection: AsyncConnection, series_id: int, month: int, body: bytes) -> None:
    row = {"series_id": series_id, "month": month, "body": body}
    await connection.execute(_upsert(connection.dialect.name, quarter, ("series_id", "month")), [row])


async def put_rollups(connection: AsyncConnection, span: str, series_id: int, buckets: Iterable[Bucket]) -> None:
    rows = [
        {
            "span": span,
            "start": it.start,
            "series_id": series_id,
            "count": it.size,
            "exponent": it.exponent,
            "first_at": it.first_at,
            "first": str(it.first),
            "last_at": it.last_at,
            "last": str(it.last),
            "bad": it.bad,
            "low": str(it.low),
            "high": str(it.high),
            "total": str(it.total),
        }
        for it in buckets
    ]
    if rows:
        await connection.execute(_upsert(connection.dialect.name, rollup, ("span", "start", "series_id")), rows)


async def age(connection: AsyncConnection, series_ids: Any) -> int:
    """Put what was packed of some series among the old, where it is still told until all is packed anew; give how many.

    Shape: a series that has something old is left alone, it is being packed anew.
    """
    of_those = (_own.series_id.in_(series_ids), _own.series_id.not_in(_OLD), _own.part >= 0)
    return (await connection.execute(update(block).where(*of_those).values(part=-1 - _own.part))).rowcount


async def has_old(connection: AsyncConnection) -> bool:
    """Tell whether there is anything old."""
    return (await connection.execute(_OLD.limit(1))).first() is not None


async def is_repacking(connection: AsyncConnection) -> bool:
    """Tell whether batches that were expanded before are still to be packed anew."""
    own = batch.c
    query = select(own.id).where(own.packed_at.is_(None), own.error.is_(None), own.expanded_at.is_not(None))
    return (await connection.execute(query.limit(1))).first() is not None


async def drop_old(connection: AsyncConnection) -> None:
    """Delete what is old, and the sums made of it; days that are packed anew count by their parts until joined."""
    for table in (quarter, rollup):
        await connection.execute(delete(table).where(table.c.series_id.in_(_OLD)))
    await connection.execute(delete(block).where(_own.part != 0, _own.part < 0))


@cache
def _upsert(dialect: str, table: Table, key: tuple[str, ...]) -> Any:
    statement = (sqlite_insert if dialect == "sqlite" else postgresql_insert)(table)
    rest = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in key}
    return statement.on_conflict_do_update(index_elements=list(key), set_=rest)
