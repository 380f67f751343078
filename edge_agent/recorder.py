"""From values to records: each in its lane, committed before anybody sees it."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from drivers.base import PointValue
from edge_agent.alarm import Alarms
from edge_agent.config import Device
from edge_agent.live import milliseconds
from edge_agent.store import RecordRefused, Store, StoreError
from protocols.quantity import Quality
from protocols.sync import Event, Lane, Reading, Series

log = logging.getLogger("edge.recorder")


_MOST_UNTOLD = 10_000  # events


class Recorder:
    """Write readings and alarms to the store.

    A store that fails does not stop polling: readings that could not be written were never
    accepted and are counted; alarms are kept in memory and written as soon as that is possible.
    """

    def __init__(self, store: Store, edge_id: str) -> None:
        self._store = store
        self._alarms = Alarms(edge_id)
        self._gateway = f"gateway:{edge_id}"
        self._cumulative: dict[str, frozenset[str]] = {}  # names of registers by profile
        self._untold: list[Event] = []
        self._telling = asyncio.Lock()
        self._is_mute = False
        self.error: str | None = None
        self.refused = 0

    async def started(self, version: str) -> None:
        """Say that the gateway has started: whatever alarm it had raised before is void."""
        await self._tell(Event("started", self._gateway, _now_ms(), {"version": version}))

    async def store(self, answers: Sequence[tuple[Device, Sequence[PointValue]]]) -> frozenset[str]:
        """Commit answers, registers in the billing lane, the rest in telemetry.

        Shape: the devices of which something was not stored, so that nothing of them is shown.
        """
        lanes: dict[Lane, list[Reading]] = {Lane.BILLING: [], Lane.TELEMETRY: []}
        for device, values in answers:
            registers = self._registers(device)
            for value in values:
                lanes[Lane.BILLING if value.point in registers else Lane.TELEMETRY].append(_reading(device, value))
        # Side by side, so that both lanes share one commit.
        refused = await asyncio.gather(*(self._append(lane, found) for lane, found in lanes.items() if found))
        await self._tell()
        return frozenset(reading.series.device for readings in refused for reading in readings)

    async def commit(self, event: Event) -> bool:
        """Commit an event before it is acted on; False where it is not stored: then nothing may be done."""
        try:
            await self._store.append(Lane.SAFETY, (event,))
        except (RecordRefused, StoreError) as error:
            self._fail(str(error), 1)
            return False
        self._work_again()
        return True

    async def tell(self, event: Event) -> None:
        """Commit an event that has happened already; it waits in memory while the store fails."""
        await self._tell(event)

    async def alarm(self, subject: str, condition: str, *, is_on: bool, detail: Mapping[str, Any]) -> None:
        """Commit an alarm's raising or clearing, if this is one."""
        event = self._alarms.update(subject, condition, is_on=is_on, at=_now_ms(), detail=detail)
        await self._tell(*([] if event is None else [event]))

    def _registers(self, device: Device) -> frozenset[str]:
        if device.profile.name not in self._cumulative:
            names = (point.name for point in device.profile.points if point.is_register)
            self._cumulative[device.profile.name] = frozenset(names)
        return self._cumulative[device.profile.name]

    async def _append(self, lane: Lane, readings: Sequence[Reading]) -> Sequence[Reading]:
        """Commit readings; gives those that were not stored."""
        try:
            await self._store.append(lane, readings)
        except RecordRefused as error:
            if len(readings) > 1:  # the others are not to suffer for one
                parts = [await self._append(lane, [reading]) for reading in readings]
                return [reading for part in parts for reading in part]
            log.error("a reading of %s cannot be stored: %s", readings[0].series.device, error)
            return readings
        except StoreError as error:
            self._fail(str(error), len(readings))
            return readings
        self._work_again()
        return ()

    def _fail(self, reason: str, count: int) -> None:
        self.refused += count
        if reason != self.error:
            log.error("%d records could not be stored: %s", count, reason)
        self.error = reason
        self._note_failing(is_on=True, detail={"error": reason})

    def _work_again(self) -> None:
        if self.error is None:
            return
        lost, self.error, self.refused = self.refused, None, 0
        log.warning("the store works again; %d records were not accepted meanwhile", lost)
        self._note_failing(is_on=False, detail={"not_accepted": lost})

    def _note_failing(self, *, is_on: bool, detail: Mapping[str, Any]) -> None:
        """Have it told with the next events; alarms have room kept for them on a full disk."""
        event = self._alarms.update(self._gateway, "store_failing", is_on=is_on, at=_now_ms(), detail=detail)
        self._untold += [] if event is None else [event]

    async def _tell(self, *events: Event) -> None:
        """Commit events, and before them those that the store did not take."""
        self._untold += events[: _MOST_UNTOLD - len(self._untold)]
        if not self._untold:
            return
        async with self._telling:
            while told := tuple(self._untold):
                try:
                    await self._store.append(Lane.SAFETY, told)
                except RecordRefused as error:
                    log.error("%d events cannot be stored: %s", len(told), error)
                except StoreError as error:
                    if not self._is_mute:
                        log.error("%d events wait for the store: %s", len(told), error)
                    self._is_mute = True
                    return
                self._is_mute = False
                del self._untold[: len(told)]


def _reading(device: Device, value: PointValue) -> Reading:
    quantity = value.quantity
    raw = b"" if quantity.quality is Quality.GOOD else value.raw
    return Reading(
        Series(device.id, value.point, quantity.unit),
        milliseconds(value.taken_at),
        quantity.value,
        quantity.quality,
        raw,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
