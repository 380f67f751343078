"""Expand the batch log: readings, latest values, events and alarms, once for each batch.

A batch is acknowledged before it is expanded, so whatever happens here can be done again from
the log. One transaction expands one batch and marks it; a crash in between leaves it to do.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from central_server.alarms import store as alarm_store
from central_server.clock import now_ms
from central_server.db import Database
from central_server.live import Hub
from central_server.telemetry import store
from protocols.errors import ProtocolError
from protocols.quantity import from_scaled, to_scaled
from protocols.sync import Event, Reading, Series, decode_batch

log = logging.getLogger("central.expansion")

_RETRY_S = 5.0


class Expander:
    """Expand what is in the log, from the oldest on, whenever it is woken."""

    def __init__(self, db: Database, hub: Hub, now: Callable[[], int] = now_ms) -> None:
        self._db = db
        self._hub = hub
        self._now = now
        self._wake = asyncio.Event()

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
            except Exception:
                log.exception("expansion failed; tried again in %.0f s", _RETRY_S)
                await asyncio.sleep(_RETRY_S)
                continue
            await self._wake.wait()

    async def expand_next(self) -> bool:
        """Expand the oldest batch; False if there is none."""
        async with self._db.read() as connection:
            pending = await store.next_batch(connection)
        if pending is None:
            return False
        try:
            batch = await asyncio.to_thread(decode_batch, pending.body)
        except ProtocolError as error:
            log.error("batch %d cannot be expanded: %s", pending.id, error.detail)
            async with self._db.write() as connection:
                await store.mark_failed(connection, pending.id, f"{error.kind}: {error.detail}")
            return True
        skip = pending.from_seq - batch.first_seq
        records = list(enumerate(batch.records[skip:], start=pending.from_seq))
        readings = [(seq, record) for seq, record in records if isinstance(record, Reading)]
        events = [(seq, record) for seq, record in records if isinstance(record, Event)]
        async with self._db.write() as connection:
            now = self._now()
            if not await store.mark_expanded(connection, pending.id, now):
                return True
            wanted = list(dict.fromkeys(record.series for _, record in readings))
            ids = await store.series_ids(connection, pending.gateway_id, wanted, now) if wanted else {}
            rows = [_row(ids[record.series], pending.id, seq, record) for seq, record in readings]
            await store.add_readings(connection, rows)
            newest = _newest(rows)
            await store.move_latest(connection, newest)
            await store.add_events(connection, pending.gateway_id, pending.id, events)
            changed = False
            for _, event in events:
                if event.kind == "alarm":
                    changed |= await alarm_store.apply_event(connection, pending.gateway_id, event)
            codes = await store.device_ids(connection, pending.gateway_id, {name.device for name in wanted}, now)
        self._publish(ids, codes, newest, is_alarm=changed)
        return True

    def _publish(
        self, ids: dict[Series, int], codes: dict[str, int], newest: dict[int, dict[str, Any]], *, is_alarm: bool
    ) -> None:
        items = [value_item(key, codes[name.device], name, newest[key]) for name, key in ids.items() if key in newest]
        if items:
            self._hub.publish({"type": "values", "items": items})
        if is_alarm:
            self._hub.publish({"type": "alarms"})


def value_item(series_id: int, device_id: int, name: Series, row: dict[str, Any]) -> dict[str, Any]:
    """Shape one live value for the stream."""
    mantissa = row["mantissa"]
    value = None if mantissa is None else format(from_scaled(mantissa, row["exponent"]), "f")
    return {
        "series": series_id,
        "device": device_id,
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


def _newest(rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    newest: dict[int, dict[str, Any]] = {}
    for row in rows:
        known = newest.get(row["series_id"])
        if known is None or row["taken_at"] >= known["taken_at"]:
            newest[row["series_id"]] = {key: value for key, value in row.items() if key != "seq"}
    return newest
