"""What a gateway shows of its newest values while its readings are behind: to the pages, and into ``latest``.

It is for the eye only. A value goes to whoever is looking at once, and into ``latest`` a moment later with
those of other gateways, without a batch behind it; the reading itself takes its place when it comes.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.clock import now_ms
from central_server.db import Database
from central_server.live import Hub
from central_server.schema import device, latest, series
from central_server.sync.store import GatewayRow
from central_server.telemetry.expansion import value_item
from central_server.telemetry.store import SeriesKey
from protocols.quantity import to_scaled
from protocols.sync import Reading, Series

log = logging.getLogger("central.snapshots")

_GATHER_S = 0.5
_AHEAD_MS = 5 * 60 * 1000  # a clock further ahead than this is wrong
_LOOK_AGAIN_MS = 10_000


class Snapshots:
    """Takes snapshots in; ``run`` writes them down."""

    def __init__(self, db: Database, hub: Hub, now: Callable[[], int] = now_ms) -> None:
        self._db = db
        self._hub = hub
        self._now = now
        self._known: dict[int, dict[Series, SeriesKey]] = {}
        self._looked_at: dict[int, int] = {}
        self._shown: dict[int, int] = {}
        self._waiting: dict[int, dict[str, Any]] = {}
        self._wake = asyncio.Event()

    async def take(self, gateway: GatewayRow, readings: Sequence[Reading]) -> None:
        """Show what is newer than what was shown; series that no batch has brought yet are passed over."""
        keys = await self._keys(gateway.id, readings)
        items = []
        for record in readings:
            key = keys.get(record.series)
            if key is None or record.taken_at > self._now() + _AHEAD_MS:
                continue
            if record.taken_at <= self._shown.get(key.series_id, record.taken_at - 1):
                continue
            mantissa, exponent = (None, None) if record.value is None else to_scaled(record.value)
            row = {
                "series_id": key.series_id,
                "taken_at": record.taken_at,
                "mantissa": mantissa,
                "exponent": exponent,
                "quality": int(record.quality),
                "batch_id": None,
            }
            self._shown[key.series_id] = record.taken_at
            self._waiting[key.series_id] = row
            items.append(value_item(key, record.series, row))
        if items:
            self._hub.publish({"type": "values", "items": items}, site_id=gateway.site_id)
            self._wake.set()

    async def run(self) -> None:
        """Write what was shown until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(_GATHER_S)
            try:
                await self.write_down()
            except (SQLAlchemyError, OSError):  # the next snapshot brings newer values
                log.exception("the newest values could not be written down")

    async def write_down(self) -> None:
        """Move ``latest`` to what was shown, never back."""
        rows, self._waiting = list(self._waiting.values()), {}
        if rows:
            async with self._db.write() as connection:
                await connection.execute(_moving(connection, self._now()), rows)

    async def _keys(self, gateway_id: int, readings: Sequence[Reading]) -> dict[Series, SeriesKey]:
        known = self._known.get(gateway_id, {})
        is_due = self._now() - self._looked_at.get(gateway_id, -_LOOK_AGAIN_MS) >= _LOOK_AGAIN_MS
        if is_due and any(record.series not in known for record in readings):
            self._looked_at[gateway_id] = self._now()
            known = await self._db.look(partial(_series_of, gateway_id=gateway_id))
            self._known[gateway_id] = known
        return known


async def _series_of(connection: AsyncConnection, gateway_id: int) -> dict[Series, SeriesKey]:
    query = (
        select(device.c.code, series.c.point, series.c.unit, series.c.id, device.c.id)
        .join(device, device.c.id == series.c.device_id)
        .where(device.c.gateway_id == gateway_id)
    )
    return {Series(row[0], row[1], row[2]): SeriesKey(row[3], row[4]) for row in await connection.execute(query)}


def _moving(connection: AsyncConnection, now: int) -> Any:
    """Put newer values in the place of older ones, and of one that a wrong clock put into the future."""
    statement = (sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert)(latest)
    columns = ("taken_at", "mantissa", "exponent", "quality", "batch_id")
    return statement.on_conflict_do_update(
        index_elements=["series_id"],
        set_={name: statement.excluded[name] for name in columns},
        where=or_(statement.excluded.taken_at > latest.c.taken_at, latest.c.taken_at > now + _AHEAD_MS),
    )
