"""Expand the batch log: blocks of readings, latest values, events and alarms, once for each batch.

A batch is acknowledged before it is expanded, so whatever happens here can be done again from
the log. One transaction expands some batches of a lane and marks them; a crash in between leaves
them to do.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.access import decisions
from central_server.alarms import store as alarm_store
from central_server.clock import now_ms
from central_server.commands import store as command_store
from central_server.configs import store as config_store
from central_server.db import Database
from central_server.live import Hub
from central_server.sync import quarantine
from central_server.sync.names import names_of
from central_server.telemetry import block_store, clock_stretch, store
from central_server.telemetry.block import NO_VALUE
from central_server.telemetry.parts import Opened, open_batch, parts_of
from central_server.telemetry.store import PendingBatch, SeriesKey
from central_server.workorders import service as workorders
from protocols.errors import ProtocolError
from protocols.quantity import from_scaled
from protocols.sync import Series, SeriesColumn

log = logging.getLogger("central.expansion")

_RETRY_S = 5.0
_LOOK_S = 10.0
# Gateways that come all at once deliver without a pause; after one second of rest the next burst begins.
_PAUSE_S, _BURST_S, _QUIET_S = 0.02, 2.0, 1.0
_TOGETHER = 8  # batches; more would keep the door waiting for the database
# The database is away or full: not the batch's fault, and worth another try.
_PASSING = (OperationalError, InterfaceError, OSError)


class _Work(NamedTuple):
    """Batches of one store's lane, what their numbers of series stand for, and whose register was read by hand."""

    group: list[PendingBatch]
    names: dict[int, Series]
    by_hand: dict[int, SeriesKey]


class _Open(NamedTuple):
    """A batch unpacked; ``own`` is the series of a reading by hand."""

    pending: PendingBatch
    found: Opened
    own: SeriesKey | None


class _Packed(NamedTuple):
    """A batch ready to be written down."""

    pending: PendingBatch
    found: Opened
    keys: Mapping[Series, SeriesKey]
    parts: list[dict[str, Any]]


class _Told(NamedTuple):
    """What batches have changed: the newest reading by series, which of them moved, and what else people look at."""

    newest: dict[int, dict[str, Any]]
    moved: set[int]
    kinds: set[str]


class Expander:
    """Expand what is in the log, by lane and age, whenever it is woken; ``is_pressed`` is while deliveries are under way."""

    def __init__(
        self,
        db: Database,
        hub: Hub,
        now: Callable[[], int] = now_ms,
        is_pressed: Callable[[], bool] = lambda: False,
    ) -> None:
        self._db = db
        self._hub = hub
        self._now = now
        self._is_pressed = is_pressed
        self._wake = asyncio.Event()
        self._woken_at = self._burst_since = -_BURST_S
        self._known: dict[int, dict[Series, SeriesKey]] = {}

    def wake(self) -> None:
        """Say that the log has grown."""
        now = time.monotonic()
        if now - self._woken_at > _QUIET_S:
            self._burst_since = now
        self._woken_at = now
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
        """Expand the next batches; False if there are none."""
        await self._let_in()
        work = await self._db.look(_next_work)
        if work is None:
            return False
        pending = work.group
        for group in [pending] if len(pending) == 1 else [pending, *([it] for it in pending)]:
            if await self._expand_safely(work._replace(group=group)) and group is pending:
                break
        return True

    async def _let_in(self) -> None:
        """Leave the time to the door while gateways come back with what they have kept: first the Ack, then this.

        Not for alarms, and not for long. A delivery under way counts, too: one that a slow disk holds up would else
        meet an expansion, which holds up the next.
        """
        while (
            self._is_pressed() or time.monotonic() - self._woken_at < _PAUSE_S
        ) and time.monotonic() - self._burst_since < _BURST_S:
            if await self._db.look(store.has_urgent):
                return
            await asyncio.sleep(_PAUSE_S)

    async def _expand_safely(self, work: _Work) -> bool:
        """Expand batches, all or none; one that cannot be expanded by itself is set aside."""
        group = work.group
        try:
            await self._expand(work)
        except _PASSING:
            raise
        except ProtocolError as error:
            if len(group) > 1:
                return False
            await self._give_up(group[0], error.kind, f"{error.kind}: {error.detail}")
        except Exception as error:  # one poisonous batch must not stand in the way of all behind it
            if len(group) > 1:
                return False
            log.exception("batch %d cannot be expanded", group[0].id)
            await self._give_up(group[0], "fault", f"{type(error).__name__}: {error}")
        return True

    async def _expand(self, work: _Work) -> None:
        first = work.group[0]
        opened = await asyncio.to_thread(_open_all, work)
        wanted = list(dict.fromkeys(column.series for each in opened if not each.own for column in each.found.columns))
        keys = self._known.get(first.gateway_id, {})
        if any(name not in keys for name in wanted):
            keys, told = await self._db.keep(partial(_take_in_new, opened=opened, wanted=wanted, now=self._now()))
            # Ids are believed only now: until the commit another transaction could be given the same.
            self._known[first.gateway_id] = keys
        else:  # packed before the transaction: whoever delivers meanwhile does not wait for it
            packed = await asyncio.to_thread(_pack_all, opened, keys)
            told = await self._db.keep(partial(_take_in, group=packed, now=self._now()))
        items = [
            value_item(keys[name], name, told.newest[keys[name].series_id])
            for name in wanted
            if keys[name].series_id in told.moved
        ]
        if items:
            self._hub.publish({"type": "values", "items": items}, site_id=first.site_id)
        for kind in sorted(told.kinds):
            self._hub.publish({"type": kind}, site_id=first.site_id)

    async def _give_up(self, pending: PendingBatch, kind: str, reason: str) -> None:
        log.error("batch %d of gateway %s is set aside: %s", pending.id, pending.edge_id, reason)
        async with self._db.write() as connection:
            await store.mark_failed(connection, pending.id, reason)
            await quarantine.note(connection, pending.gateway_id, pending.id, quarantine.WHOLE, kind, reason)


async def _next_work(connection: AsyncConnection) -> _Work | None:
    group = await store.pending_batches(connection, _TOGETHER)
    if not group:
        return None
    names = await names_of(connection, group[0].gateway_id, group[0].epoch)
    by_hand = await store.keys_read_by_hand(connection, [pending.id for pending in group])
    return _Work(group, names, by_hand)


def _open_all(work: _Work) -> list[_Open]:
    return [
        _Open(pending, open_batch(pending.body, pending.from_seq, work.names), work.by_hand.get(pending.id))
        for pending in work.group
    ]


def _pack_all(opened: Sequence[_Open], keys: Mapping[Series, SeriesKey]) -> list[_Packed]:
    packed = []
    for pending, found, own in opened:
        mine = keys if own is None else {column.series: own for column in found.columns}
        packed.append(_Packed(pending, found, mine, parts_of(found.columns, mine, pending.id)))
    return packed


async def _take_in_new(
    connection: AsyncConnection, opened: Sequence[_Open], wanted: Sequence[Series], now: int
) -> tuple[dict[Series, SeriesKey], _Told]:
    """Take in batches with series that nobody has met; these come to be with them, or not at all."""
    keys = await store.series_keys(connection, opened[0].pending.gateway_id, wanted, now)
    return keys, await _take_in(connection, _pack_all(opened, keys), now)


async def _take_in(connection: AsyncConnection, group: Sequence[_Packed], now: int) -> _Told:
    """Write down what batches bring, each once, and mark them."""
    newest: dict[int, dict[str, Any]] = {}
    kinds: set[str] = set()
    for pending, found, keys, parts in group:
        if not await store.mark_expanded(connection, pending.id, now):
            continue
        gateway_id, edge_id = pending.gateway_id, pending.edge_id
        await block_store.add_parts(connection, parts)
        await clock_stretch.note(connection, gateway_id, found.stretches)
        if pending.is_expanded:
            continue
        _keep_newest(newest, found.columns, keys, pending.id)
        for each in found.refused:
            await quarantine.note(connection, gateway_id, pending.id, *each)
        await store.add_events(connection, gateway_id, pending.id, found.events)
        for _, event in found.events:
            if await alarm_store.apply_event(connection, gateway_id, edge_id, event):
                kinds.add("alarms")
                if await workorders.open_for_event(connection, gateway_id, edge_id, event) is not None:
                    kinds.add("orders")
            if await decisions.take_in(connection, gateway_id, edge_id, pending.site_id, event):
                kinds.add("doors")
            if await command_store.take_in(connection, gateway_id, edge_id, event):
                kinds.add("commands")
            await config_store.take_in(connection, gateway_id, edge_id, event)
    return _Told(newest, await store.move_latest(connection, list(newest.values()), now), kinds)


def _keep_newest(
    newest: dict[int, dict[str, Any]], columns: Sequence[SeriesColumn], keys: Mapping[Series, SeriesKey], batch_id: int
) -> None:
    """Note the newest reading of each series, of two of one instant the later."""
    for column in columns:
        series_id = keys[column.series].series_id
        at = max(column.at)
        known = newest.get(series_id)
        if known is not None and at < known["taken_at"]:
            continue
        place = len(column.at) - 1 - column.at[::-1].index(at)
        quality = column.qualities[place]
        has_value = not quality & NO_VALUE
        newest[series_id] = {
            "series_id": series_id,
            "taken_at": at,
            "mantissa": column.mantissas[place] if has_value else None,
            "exponent": column.exponent if has_value else None,
            "quality": quality & ~NO_VALUE,
            "batch_id": batch_id,
        }


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
