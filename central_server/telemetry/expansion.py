"""Expand the batch log: readings, latest values, events and alarms, once for each batch.

A batch is acknowledged before it is expanded, so whatever happens here can be done again from
the log. One transaction expands one batch and marks it; a crash in between leaves it to do.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy.exc import InterfaceError, OperationalError

from central_server.access import decisions
from central_server.alarms import store as alarm_store
from central_server.clock import now_ms
from central_server.db import Database
from central_server.live import Hub
from central_server.sync.names import names_of
from central_server.telemetry import store
from central_server.telemetry.store import PendingBatch, SeriesKey
from central_server.workorders import service as workorders
from protocols.errors import ProtocolError
from protocols.quantity import from_scaled, to_scaled
from protocols.sync import Event, Reading, Series, decode_batch

log = logging.getLogger("central.expansion")

_RETRY_S = 5.0
_LOOK_S = 10.0
# The database is away or full: not the batch's fault, and worth another try.
_PASSING = (OperationalError, InterfaceError)


class Expander:
    """Expand what is in the log, by lane and age, whenever it is woken."""

    def __init__(self, db: Database, hub: Hub, now: Callable[[], int] = now_ms) -> None:
        self._db = db
        self._hub = hub
        self._now = now
        self._wake = asyncio.Event()
        self._known: dict[int, dict[Series, SeriesKey]] = {}

    def wake(self) -> None:
        """Say that the log has grown."""
        self._wake.set()

    async def run(self) -> None:
        """Expand until cancelled, beginning with what an earlier process left."""
        while True:
            self._wake.clear()
            try:
                while await self.expand_next():
                    pass
            except Exception:  # this loop must outlive whatever befalls the database
                log.exception("expansion failed; tried again in %.0f s", _RETRY_S)
                await asyncio.sleep(_RETRY_S)
                continue
            with suppress(TimeoutError):  # an import by hand puts batches into the log and cannot wake us
                async with asyncio.timeout(_LOOK_S):
                    await self._wake.wait()

    async def expand_next(self) -> bool:
        """Expand the next batch; False if there is none."""
        async with self._db.read() as connection:
            pending = await store.next_batch(connection)
            if pending is None:
                return False
            names = await names_of(connection, pending.gateway_id, pending.epoch)
        try:
            readings, events = await asyncio.to_thread(_counting, pending, names)
            await self._expand(pending, readings, events)
        except _PASSING:
            raise
        except ProtocolError as error:
            await self._give_up(pending, f"{error.kind}: {error.detail}")
        except Exception as error:  # one poisonous batch must not stand in the way of all behind it
            log.exception("batch %d cannot be expanded", pending.id)
            await self._give_up(pending, f"{type(error).__name__}: {error}")
        return True

    async def _expand(
        self, pending: PendingBatch, readings: list[tuple[int, Reading]], events: list[tuple[int, Event]]
    ) -> None:
        async with self._db.write() as connection:
            now = self._now()
            if not await store.mark_expanded(connection, pending.id, now):
                return
            wanted = list(dict.fromkeys(record.series for _, record in readings))
            keys = self._known.get(pending.gateway_id, {})
            if any(name not in keys for name in wanted):
                keys = await store.series_keys(connection, pending.gateway_id, wanted, now)
            rows = [_row(keys[record.series].series_id, pending.id, seq, record) for seq, record in readings]
            await store.add_readings(connection, rows)
            newest = _newest(rows)
            moved = await store.move_latest(connection, list(newest.values()), now)
            await store.add_events(connection, pending.gateway_id, pending.id, events)
            changed, ordered, entered = False, False, False
            for _, event in events:
                if await alarm_store.apply_event(connection, pending.gateway_id, pending.edge_id, event):
                    changed = True
                    order = await workorders.open_for_event(connection, pending.gateway_id, pending.edge_id, event)
                    ordered |= order is not None
                entered |= await decisions.take_in(
                    connection, pending.gateway_id, pending.edge_id, pending.site_id, event
                )
        # Ids are believed only now: until the commit another transaction could be given the same.
        self._known[pending.gateway_id] = keys
        items = [
            value_item(keys[name], name, newest[keys[name].series_id])
            for name in wanted
            if keys[name].series_id in moved
        ]
        if items:
            self._hub.publish({"type": "values", "items": items}, site_id=pending.site_id)
        if changed:
            self._hub.publish({"type": "alarms"}, site_id=pending.site_id)
        if entered:
            self._hub.publish({"type": "doors"}, site_id=pending.site_id)
        if ordered:
            self._hub.publish({"type": "orders"}, site_id=pending.site_id)

    async def _give_up(self, pending: PendingBatch, reason: str) -> None:
        log.error("batch %d of gateway %s is set aside: %s", pending.id, pending.edge_id, reason)
        async with self._db.write() as connection:
            await store.mark_failed(connection, pending.id, reason)


def _counting(
    pending: PendingBatch, names: Mapping[int, Series]
) -> tuple[list[tuple[int, Reading]], list[tuple[int, Event]]]:
    """Unpack the records of a batch that count, each with its number; those below were in an earlier one."""
    batch = decode_batch(pending.body, names)
    records = [(seq, record) for seq, record in batch.stamped() if seq >= pending.from_seq]
    readings = [(seq, record) for seq, record in records if isinstance(record, Reading)]
    return readings, [(seq, record) for seq, record in records if isinstance(record, Event)]


def value_item(key: SeriesKey, name: Series, row: Mapping[str, Any]) -> dict[str, Any]:
    """Shape one live value for the stream."""
    mantissa = row["mantissa"]
    value = None if mantissa is None else format(from_scaled(mantissa, row["exponent"]), "f")
    return {
        "series": key.series_id,
        "device": key.device_id,
        "point": name.point,
        "unit": name.unit,
        "value": value,
        "quality": row["quality"],
        "at": row["taken_at"],
    }


def _row(series_id: int, batch_id: int, seq: int, record: Reading) -> dict[str, Any]:
    mantissa, exponent = (None, None) if record.value is None else to_scaled(record.value)
    return {
        "series_id": series_id,
        "taken_at": record.taken_at,
        "mantissa": mantissa,
        "exponent": exponent,
        "quality": int(record.quality),
        "batch_id": batch_id,
        "seq": seq,
    }


def _newest(rows: Iterable[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    newest: dict[int, dict[str, Any]] = {}
    for row in rows:
        known = newest.get(row["series_id"])
        if known is None or row["taken_at"] >= known["taken_at"]:
            newest[row["series_id"]] = row
    return {key: {name: value for name, value in row.items() if name != "seq"} for key, row in newest.items()}
