"""A reading that a person took from a meter's face: kept as any other, with where it came from.

It stands in the log of batches under the site's own gateway "manual-<site id>", which no box speaks
for, and in the series of the meter it was read from. So a bill finds it, and its trace says who
told: gateway "manual-1", batch and digest.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.schema import gateway, lane_mark, manual_read
from central_server.sync import store as log_store
from central_server.telemetry import block_store, store
from central_server.telemetry.block import Block, pack
from central_server.telemetry.block_store import DAY_MS
from central_server.telemetry.readings import EARLIEST_DAY, first_believed, last_believed
from protocols.quantity import BELIEVED, Quality, to_scaled
from protocols.sync import Batch, Lane, Reading, Series, batch_header, encode_batch

_EPOCH = 1  # nobody restarts a person
_BELIEVED = tuple(quality.value for quality in BELIEVED)


@dataclass(frozen=True, slots=True)
class Meter:
    """A register of a meter, as an installation names it."""

    edge_id: str
    device_code: str
    point: str
    unit: str


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What a register showed before and after an instant, where that is known."""

    before: Decimal | None
    after: Decimal | None


def manual_gateway(site_id: int) -> str:
    """Name the gateway of what people read at a site; an installation may name it for a meter without a line."""
    return f"manual-{site_id}"


async def series_of(connection: AsyncConnection, site_id: int, meter: Meter, now: int) -> int | None:
    """Give the series of a meter; None where its gateway is not known."""
    if meter.edge_id == manual_gateway(site_id):
        gateway_id: int | None = await _own_gateway(connection, site_id, now)
    else:
        query = select(gateway.c.id).where(gateway.c.edge_id == meter.edge_id, gateway.c.site_id == site_id)
        gateway_id = await connection.scalar(query)
    if gateway_id is None:
        return None
    name = Series(meter.device_code, meter.point, meter.unit)
    return (await store.series_keys(connection, gateway_id, [name], now))[name].series_id


async def neighbours(connection: AsyncConnection, series_id: int, at: int) -> Neighbours:
    """Give the believed values on both sides of an instant."""
    before = await last_believed(connection, series_id, EARLIEST_DAY * DAY_MS, at)
    after = await first_believed(connection, series_id, at + 1)
    return Neighbours(before and before.value, after and after.value)


async def note_reading(
    connection: AsyncConnection, site_id: int, meter: Meter, series_id: int, value: Decimal, taken_at: int, now: int
) -> None:
    """Put a reading into the log and expand it at once."""
    gateway_id = await _own_gateway(connection, site_id, now)
    record = Reading(Series(meter.device_code, meter.point, meter.unit), taken_at, value, Quality.GOOD)
    own = lane_mark.c
    mark = select(own.high_seq).where(
        own.gateway_id == gateway_id, own.epoch == str(_EPOCH), own.lane == int(Lane.BILLING)
    )
    before: int | None = await connection.scalar(mark)
    first = (before or 0) + 1
    body = encode_batch(Batch(manual_gateway(site_id), _EPOCH, Lane.BILLING, first, (record,)))
    header = batch_header(body)
    await log_store.move_mark(connection, gateway_id, header, before)
    batch_id = await log_store.append_batch(connection, gateway_id, header, body, first, now)
    await connection.execute(insert(manual_read).values(batch_id=batch_id, series_id=series_id))
    await store.mark_expanded(connection, batch_id, now)
    mantissa, exponent = to_scaled(value)
    part = Block([taken_at], [mantissa], [exponent], [int(Quality.GOOD)], [batch_id], [first])
    row: dict[str, Any] = {"series_id": series_id, "day": taken_at // DAY_MS, "part": batch_id, "body": pack(part)}
    await block_store.add_parts(connection, [row])
    row = {"series_id": series_id, "taken_at": taken_at, "mantissa": mantissa, "exponent": exponent}
    await store.move_latest(connection, [row | {"quality": int(Quality.GOOD), "batch_id": batch_id}], now)


async def _own_gateway(connection: AsyncConnection, site_id: int, now: int) -> int:
    """Give the site's gateway of people's readings; revoked from its beginning, so that no box can be it."""
    query = select(gateway.c.id).where(gateway.c.edge_id == manual_gateway(site_id))
    found = await connection.scalar(query)
    if found is None:
        values = {"edge_id": manual_gateway(site_id), "site_id": site_id, "name": manual_gateway(site_id)}
        values |= {"secret_hash": "", "created_at": now, "revoked_at": now}
        await connection.execute(insert(gateway).values(**values))
        found = await connection.scalar(query)
    return int(found or 0)
