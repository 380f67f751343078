"""The SQL of readings: what the expansion writes and what pages read."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Integer, bindparam, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.schema import batch, device, event, gateway, latest, manual_read, series
from protocols.sync import Event, Lane, Series

_AHEAD_MS = 5 * 60 * 1000  # a clock further ahead than this is wrong


class PendingBatch(NamedTuple):
    """A batch of the log that is to be expanded."""

    id: int
    gateway_id: int
    edge_id: str
    site_id: int
    epoch: int
    from_seq: int
    body: bytes
    lane: int
    is_expanded: bool  # its events were taken in before, only its readings are to be packed


class SeriesKey(NamedTuple):
    """A series' row and that of its device."""

    series_id: int
    device_id: int


class LatestRow(NamedTuple):
    """The last value of a series."""

    series_id: int
    device_id: int
    point: str
    unit: str
    taken_at: int
    mantissa: int | None
    exponent: int | None
    quality: int


def insert_ignoring(connection: AsyncConnection, table: Any) -> Any:
    """Insert rows, passing over those whose unique key is there already."""
    kind = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    return kind(table).on_conflict_do_nothing()


_batch = batch.c
_WAITS = _batch.packed_at.is_(None), _batch.error.is_(None)
# What is asked for every batch is put together once.
_PENDING = (
    select(_batch.id, _batch.gateway_id, gateway.c.edge_id, gateway.c.site_id, _batch.epoch, _batch.from_seq)
    .add_columns(_batch.body, _batch.lane, _batch.expanded_at.is_not(None))
    .join(gateway, gateway.c.id == _batch.gateway_id)
    .where(*_WAITS)
    .order_by(_batch.lane, _batch.id)
    .limit(bindparam("most", type_=Integer))
)
_ALIKE = _PENDING.where(
    _batch.lane == bindparam("of_lane"),
    _batch.gateway_id == bindparam("of_gateway"),
    _batch.epoch == bindparam("of_epoch"),
)
_URGENT = select(_batch.id).where(*_WAITS, _batch.lane <= int(Lane.CONTROL)).limit(1)
_EXPANDED = update(batch).where(_batch.id == bindparam("of_batch"), _batch.packed_at.is_(None))
_EXPANDED = _EXPANDED.values(expanded_at=bindparam("done_at"), packed_at=bindparam("done_at"))


async def pending_batches(connection: AsyncConnection, limit: int) -> list[PendingBatch]:
    """Give what is neither expanded nor set aside: alarms before bills before telemetry, then the oldest.

    Shape: all of one lane and store, so that they can be taken in together.
    """
    first = (await connection.execute(_PENDING, {"most": 1})).one_or_none()
    if first is None:
        return []
    alike = {"of_lane": first.lane, "of_gateway": first.gateway_id, "of_epoch": first.epoch, "most": limit}
    return [
        PendingBatch(row[0], row[1], row[2], row[3], int(row[4]), row[5], row[6], row[7], bool(row[8]))
        for row in await connection.execute(_ALIKE, alike)
    ]


async def has_urgent(connection: AsyncConnection) -> bool:
    """Tell whether an alarm or a result waits to be expanded."""
    return (await connection.execute(_URGENT)).first() is not None


async def mark_expanded(connection: AsyncConnection, batch_id: int, at: int) -> bool:
    """Claim a batch as expanded and packed; False if it was already."""
    return (await connection.execute(_EXPANDED, {"of_batch": batch_id, "done_at": at})).rowcount == 1


async def mark_failed(connection: AsyncConnection, batch_id: int, error: str) -> None:
    await connection.execute(update(batch).where(batch.c.id == batch_id).values(error=error[:2000]))


async def device_ids(connection: AsyncConnection, gateway_id: int, codes: Iterable[str], at: int) -> dict[str, int]:
    """Give the ids of a gateway's devices by code, making rows for those not heard of before."""
    wanted = set(codes)
    query = select(device.c.code, device.c.id).where(device.c.gateway_id == gateway_id)
    known = await _codes(connection, query)
    if missing := sorted(wanted - known.keys()):
        fresh = {"name": "", "kind": "", "bus": "", "profile": "", "address": "", "first_seen_at": at}
        rows = [{"gateway_id": gateway_id, "code": code, **fresh, "name": code} for code in missing]
        await connection.execute(insert_ignoring(connection, device), rows)
        known = await _codes(connection, query)
    return {code: known[code] for code in wanted}


async def _codes(connection: AsyncConnection, query: Any) -> dict[str, int]:
    return {row[0]: row[1] for row in await connection.execute(query)}


async def series_keys(
    connection: AsyncConnection, gateway_id: int, wanted: Sequence[Series], at: int
) -> dict[Series, SeriesKey]:
    """Give the keys of all of a gateway's series, making rows for new ones."""
    devices = await device_ids(connection, gateway_id, {name.device for name in wanted}, at)
    query = (
        select(device.c.code, series.c.point, series.c.unit, series.c.id, device.c.id)
        .join(device, device.c.id == series.c.device_id)
        .where(device.c.gateway_id == gateway_id)
    )

    async def known() -> dict[Series, SeriesKey]:
        return {Series(row[0], row[1], row[2]): SeriesKey(row[3], row[4]) for row in await connection.execute(query)}

    found = await known()
    if missing := [name for name in wanted if name not in found]:
        rows = [{"device_id": devices[name.device], "point": name.point, "unit": name.unit} for name in missing]
        await connection.execute(insert_ignoring(connection, series), rows)
        found = await known()
    return found


_BY_HAND = (
    select(manual_read.c.batch_id, series.c.id, series.c.device_id)
    .join(series, series.c.id == manual_read.c.series_id)
    .where(manual_read.c.batch_id.in_(bindparam("batches", expanding=True)))
)


async def keys_read_by_hand(connection: AsyncConnection, batch_ids: Sequence[int]) -> dict[int, SeriesKey]:
    """Give whose register it was, for those batches that a person's reading is in."""
    rows = await connection.execute(_BY_HAND, {"batches": list(batch_ids)})
    return {row[0]: SeriesKey(row[1], row[2]) for row in rows}


async def move_latest(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]], now: int) -> set[int]:
    """Keep the newest value of each series and name those that moved.

    A late reading never takes the place of a newer one, except of one that a wrong clock put into the future.
    """
    if not rows:
        return set()
    done = await connection.execute(
        _moving(connection.dialect.name), [{**row, "ahead": now + _AHEAD_MS} for row in rows]
    )
    return {row[0] for row in done}


@cache
def _moving(dialect: str) -> Any:
    statement = (sqlite_insert if dialect == "sqlite" else postgresql_insert)(latest)
    columns = ("taken_at", "mantissa", "exponent", "quality", "batch_id")
    statement = statement.values({name: bindparam(name) for name in ("series_id", *columns)})
    statement = statement.on_conflict_do_update(
        index_elements=["series_id"],
        set_={name: statement.excluded[name] for name in columns},
        where=or_(statement.excluded.taken_at >= latest.c.taken_at, latest.c.taken_at > bindparam("ahead")),
    )
    return statement.returning(latest.c.series_id)


async def add_events(
    connection: AsyncConnection, gateway_id: int, batch_id: int, events: Sequence[tuple[int, Event]]
) -> None:
    rows = [
        {
            "gateway_id": gateway_id,
            "batch_id": batch_id,
            "seq": seq,
            "kind": found.kind[:64],
            "subject": found.subject[:128],
            "at": found.at,
            "body": json.dumps(found.body, ensure_ascii=False),
        }
        for seq, found in events
    ]
    if rows:
        await connection.execute(insert(event), rows)


async def latest_of(connection: AsyncConnection, device_id: int | None = None) -> list[LatestRow]:
    """Give the last value of every series, of one device or of all."""
    query = (
        select(latest.c.series_id, series.c.device_id, series.c.point, series.c.unit)
        .add_columns(latest.c.taken_at, latest.c.mantissa, latest.c.exponent, latest.c.quality)
        .join(series, series.c.id == latest.c.series_id)
        .order_by(series.c.device_id, series.c.id)
    )
    if device_id is not None:
        query = query.where(series.c.device_id == device_id)
    return [LatestRow(*row) for row in await connection.execute(query)]
