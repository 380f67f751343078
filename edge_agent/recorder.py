"""From values to records: each in its lane, committed before anybody sees it."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from drivers.base import PointValue
from drivers.profile import Point
from edge_agent.alarm import Alarms
from edge_agent.config import Device
from edge_agent.guard import Believed, to_note
from edge_agent.guard_keeper import GuardKeeper, Judged, Key
from edge_agent.live import milliseconds
from edge_agent.outage import outage_between, to_event
from edge_agent.outage_log import last_reads
from edge_agent.store import RecordRefused, Store, StoreError
from protocols.quantity import Quality
from protocols.sync import Event, Lane, Reading, Series

log = logging.getLogger("edge.recorder")


_MOST_UNTOLD = 10_000  # events
_GAP = ""  # the note of a device's gap stands beside those of its points


class Recorder:
    """Write readings and alarms to the store.

    A store that fails does not stop polling: readings that could not be written were never
    accepted and are counted; alarms are kept in memory and written as soon as that is possible.
    """

    def __init__(self, store: Store, edge_id: str) -> None:
        self._store = store
        self._alarms = Alarms(edge_id)
        self._gateway = f"gateway:{edge_id}"
        self._cumulative: dict[str, Mapping[str, Point]] = {}  # registers by profile
        self._guard = GuardKeeper(self._alarms)
        self._untold: list[Event] = []
        self._telling = asyncio.Lock()
        self._is_mute = False
        self._reads: dict[str, int] = {}
        self._works_since = _now_ms()
        self.gap_notes: dict[str, str] = {}
        self.error: str | None = None
        self.refused = 0

    async def started(self, version: str) -> None:
        """Remember what the guard knew, and say that the gateway has started: any alarm raised before is void."""
        try:
            notes = await self._store.notes()
            registers = {key: note for key, note in notes.items() if key[1] != _GAP}
            self._guard.load(registers)
            self._reads = last_reads(registers)
            self.gap_notes = {device: note for (device, point), note in notes.items() if point == _GAP}
        except StoreError as error:
            log.error("what the counter guard knew cannot be read: %s", error)
        await self._tell(Event("started", self._gateway, _now_ms(), {"version": version}))

    async def store(self, answers: Sequence[tuple[Device, Sequence[PointValue]]]) -> list[tuple[PointValue, ...]]:
        """Commit answers, registers in the billing lane as the guard judges them, the rest in telemetry.

        Shape: for each answer what may be shown of it, nothing where something of its device was not stored.
        """
        lanes: dict[Lane, list[Reading]] = {Lane.BILLING: [], Lane.TELEMETRY: []}
        shown: list[tuple[PointValue, ...]] = []
        judged: dict[Key, Judged] = {}
        for device, values in answers:
            registers = self._registers(device)
            told: list[PointValue] = []
            for value in values:
                register = registers.get(value.point)
                kept = value if register is None else self._guard.judge(device, register, value, judged)
                lanes[Lane.TELEMETRY if register is None else Lane.BILLING].append(_reading(device, kept))
                told.append(kept)
            shown.append(tuple(told))
        # Side by side, so that both lanes share one commit.
        notes = {key: to_note(found.state) for key, found in judged.items()}
        refused = await asyncio.gather(
            *(
                self._append(lane, found, notes if lane is Lane.BILLING else {})
                for lane, found in lanes.items()
                if found
            )
        )
        lost = frozenset(reading.series.device for readings in refused for reading in readings)
        await self._tell(*self._guard.take({key: found for key, found in judged.items() if key[0] not in lost}))
        await self._note_outages([(device, values) for device, values in answers if device.id not in lost])
        return [() if device.id in lost else told for (device, _), told in zip(answers, shown, strict=True)]

    async def _note_outages(self, stored: Sequence[tuple[Device, Sequence[PointValue]]]) -> None:
        """Tell where a meter was not read for a while, and why, now that it is read again."""
        told: list[Event] = []
        for device, values in stored:
            registers = self._registers(device)
            fresh = [
                milliseconds(value.taken_at)
                for value in values
                if value.point in registers and value.quantity.quality is not Quality.FROZEN
            ]
            if not fresh:
                continue
            since, until = self._reads.get(device.id), max(fresh)
            self._reads[device.id] = until
            if since is not None and (
                found := outage_between(device.id, since, until, device.period_s, self._works_since)
            ):
                told.append(to_event(found))
        for event in told:
            await self.commit(event, Lane.CONTROL)

    async def commit(self, event: Event, lane: Lane = Lane.SAFETY) -> bool:
        """Commit an event before it is acted on; False where it is not stored: then nothing may be done."""
        try:
            await self._store.append(lane, (event,))
        except (RecordRefused, StoreError) as error:
            self._fail(str(error), 1)
            return False
        self._work_again()
        return True

    async def tell(self, event: Event) -> None:
        """Commit an event that has happened already; it waits in memory while the store fails."""
        await self._tell(event)

    def believed(self, device: str) -> dict[str, Believed]:
        """Give what is believed of a device's registers."""
        return self._guard.believed(device)

    async def keep_gap(self, device: str, note: str) -> None:
        """Keep what is left of a gap over a restart. Raises: StoreError."""
        await self._store.append(Lane.CONTROL, (), {(device, _GAP): note})

    def doubts(self) -> list[dict[str, Any]]:
        """Describe the registers that are not believed, as ``edge guard`` does."""
        return self._guard.as_json()

    async def accept(self, device: str, point: str, operator: str) -> bool:
        """Take a register in doubt for right from now on, because a person says so; False where there is no doubt.

        Raises: StoreError: then nothing has changed.
        """
        found = self._guard.accept(device, point, operator)
        if found is None:
            return False
        judged, told = found
        await self._store.append(Lane.SAFETY, (told,), {(device, point): to_note(judged.state)})
        await self._tell(*self._guard.take({(device, point): judged}))
        return True

    async def alarm(self, subject: str, condition: str, *, is_on: bool, detail: Mapping[str, Any]) -> None:
        """Commit an alarm's raising or clearing, if this is one."""
        event = self._alarms.update(subject, condition, is_on=is_on, at=_now_ms(), detail=detail)
        await self._tell(*([] if event is None else [event]))

    def _registers(self, device: Device) -> Mapping[str, Point]:
        if device.profile.name not in self._cumulative:
            registers = {point.name: point for point in device.profile.points if point.is_register}
            self._cumulative[device.profile.name] = registers
        return self._cumulative[device.profile.name]

    async def _append(self, lane: Lane, readings: Sequence[Reading], notes: Mapping[Key, str]) -> Sequence[Reading]:
        """Commit readings and what the guard knows after them; gives those that were not stored."""
        try:
            await self._store.append(lane, readings, notes)
        except RecordRefused as error:
            if len(readings) > 1:  # the others are not to suffer for one
                parts = [await self._append(lane, [reading], _notes_of(reading, notes)) for reading in readings]
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
        self._works_since = _now_ms()
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


def _notes_of(reading: Reading, notes: Mapping[Key, str]) -> dict[Key, str]:
    key = reading.series[:2]
    return {key: notes[key]} if key in notes else {}


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
