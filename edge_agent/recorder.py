"""From values to records: each in its lane, committed before anybody sees it."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from drivers.base import PointValue
from edge_agent.alarm import Alarms
from edge_agent.config import Device
from edge_agent.store import Store, StoreError
from protocols.quantity import Quality
from protocols.sync import Event, Lane, Reading, Record, Series

log = logging.getLogger("edge.recorder")


class Recorder:
    """Write readings and alarms to the store.

    A store that fails does not stop polling: what could not be written was never accepted, is
    counted, logged, and raised as an alarm once the store works again.
    """

    def __init__(self, store: Store, edge_id: str) -> None:
        self._store = store
        self._alarms = Alarms(edge_id)
        self._edge_id = edge_id
        self.error: str | None = None
        self.refused = 0
        self._cumulative: dict[str, frozenset[str]] = {}  # names of registers by profile

    async def started(self, version: str) -> None:
        """Say that the gateway has started: whatever alarm it had raised before is void."""
        event = Event("started", f"gateway:{self._edge_id}", _now_ms(), {"version": version})
        await self._append(Lane.SAFETY, [event])

    async def store(self, answers: Sequence[tuple[Device, Sequence[PointValue]]]) -> bool:
        """Commit answers: registers in the billing lane, the rest in telemetry; False if that failed."""
        lanes: dict[Lane, list[Record]] = {Lane.BILLING: [], Lane.TELEMETRY: []}
        for device, values in answers:
            registers = self._registers(device)
            for value in values:
                lanes[Lane.BILLING if value.point in registers else Lane.TELEMETRY].append(_reading(device, value))
        # Side by side, so that both lanes share one commit.
        stored = await asyncio.gather(*(self._append(lane, records) for lane, records in lanes.items() if records))
        return all(stored)

    def _registers(self, device: Device) -> frozenset[str]:
        if device.profile.name not in self._cumulative:
            names = (point.name for point in device.profile.points if point.is_register)
            self._cumulative[device.profile.name] = frozenset(names)
        return self._cumulative[device.profile.name]

    async def alarm(self, subject: str, condition: str, *, is_on: bool, detail: Mapping[str, Any]) -> None:
        """Commit an alarm's raising or clearing, if this is one."""
        event = self._alarms.update(subject, condition, is_on=is_on, at=_now_ms(), detail=detail)
        if event is not None:
            await self._append(Lane.SAFETY, [event])

    async def _append(self, lane: Lane, records: Sequence[Record]) -> bool:
        try:
            await self._store.append(lane, records)
        except (StoreError, ValueError) as error:
            self.refused += len(records)
            if str(error) != self.error:
                log.error("%d records could not be stored: %s", len(records), error)
            self.error = str(error)
            return False
        if self.error is not None:
            lost, self.error, self.refused = self.refused, None, 0
            log.warning("the store works again; %d records were not accepted meanwhile", lost)
            detail = {"not_accepted": lost}
            for is_on in (True, False):
                await self.alarm(f"gateway:{self._edge_id}", "store_failing", is_on=is_on, detail=detail)
        return True


def _reading(device: Device, value: PointValue) -> Reading:
    quantity = value.quantity
    taken_at = round(value.taken_at.timestamp() * 1000)
    raw = b"" if quantity.quality is Quality.GOOD else value.raw
    return Reading(Series(device.id, value.point, quantity.unit), taken_at, quantity.value, quantity.quality, raw)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
