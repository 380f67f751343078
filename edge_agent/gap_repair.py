"""Reading back what meters kept of a gap: one day after each answered poll, so that the line stays fair."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal

from drivers.base import Driver, History, PointValue
from drivers.errors import BusDown, DeviceError, DeviceOffline
from edge_agent.config import Device
from edge_agent.gap import marked, missed_days
from edge_agent.live import iso
from edge_agent.recorder import Recorder
from edge_agent.store import StoreError
from protocols.quantity import Quality
from protocols.sync import Event

log = logging.getLogger("edge.gap")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_TRIES = 3  # for one day; then the day is left out


@dataclass(slots=True)
class _Gap:
    """A gap that is being read back.

    Shape: ``bounds`` by register: the last value believed before what is left of the gap, the first one after it.
    """

    since: str
    until: str
    days: list[date]
    bounds: dict[str, tuple[Decimal, Decimal]]
    told: dict[str, int] = field(default_factory=lambda: {"read": 0, "suspect": 0, "missing": 0})
    tries: int = 0

    def to_note(self) -> str:
        days = [day.isoformat() for day in self.days]
        bounds = {point: list(map(str, pair)) for point, pair in self.bounds.items()}
        return json.dumps([self.since, self.until, days, bounds, self.told])

    @classmethod
    def from_note(cls, note: str) -> "_Gap":
        since, until, days, bounds, told = json.loads(note)
        pairs = {point: (Decimal(before), Decimal(after)) for point, (before, after) in bounds.items()}
        return cls(since, until, list(map(date.fromisoformat, days)), pairs, told)


class GapRepair:
    """The gaps of one gateway's meters; what is left of one is kept in the store."""

    def __init__(self, recorder: Recorder, zone: tzinfo) -> None:
        self._recorder = recorder
        self._zone = zone
        self._gaps: dict[str, _Gap] = {}

    def load(self) -> None:
        """Go on with what a restart has interrupted."""
        for device, note in self._recorder.gap_notes.items():
            try:
                gap = _Gap.from_note(note)
            except (ValueError, ArithmeticError, TypeError):
                log.error("%s: the note of a gap %r cannot be read; the gap is left", device, note)
                continue
            if gap.days:
                self._gaps[device] = gap

    async def note(self, device: Device, driver: Driver, values: Sequence[PointValue]) -> None:
        """Look whether fresh values end a gap in which days have ended; called before they are stored."""
        if not isinstance(driver, History) or device.id in self._gaps:
            return
        believed = self._recorder.believed(device.id)
        fresh = {
            value.point: value.quantity.value
            for value in values
            if value.point in believed and value.quantity.value is not None and value.quantity.quality is Quality.GOOD
        }
        if not fresh:
            return
        since = max(_EPOCH + timedelta(milliseconds=believed[point].at) for point in fresh)
        until = min(value.taken_at for value in values)
        days = missed_days(since, until, self._zone)
        # At midnight itself a poll a minute late is no gap: the reads around it tell enough.
        if not days or (until - since).total_seconds() <= max(3 * device.period_s, 900):
            return
        bounds = {point: (believed[point].value, number) for point, number in fresh.items()}
        self._gaps[device.id] = _Gap(iso(since), iso(until), days, bounds)
        log.info("%s: %d days ended while it was not read; its own records are asked for", device.id, len(days))
        await self._keep(device)

    async def next(self, device: Device, driver: Driver) -> list[PointValue]:
        """Read back one day of a device's gap; nothing where there is none."""
        gap = self._gaps.get(device.id)
        if gap is None or not isinstance(driver, History):
            return []
        try:
            found = await driver.read_history(gap.days[:1], self._zone)
        except (DeviceOffline, BusDown) as error:
            gap.tries += 1
            if gap.tries < _MOST_TRIES:
                return []
            log.warning("%s: %s cannot be read back: %s", device.id, gap.days[0], error)
            found = []
        except DeviceError as error:
            log.info("%s: the meter has nothing of %s: %s", device.id, gap.days[0], error.reason)
            found = []
        gap.tries = 0
        del gap.days[0]
        values = self._judged(gap, found)
        await self._keep(device)
        if not gap.days:
            await self._finish(device, gap)
        return values

    def _judged(self, gap: _Gap, found: Sequence[PointValue]) -> list[PointValue]:
        told: list[PointValue] = []
        for point, (before, after) in list(gap.bounds.items()):
            values = marked([value for value in found if value.point == point], before, after)
            good = [value for value in values if value.quantity.quality is Quality.FROZEN]
            if good and good[-1].quantity.value is not None:
                gap.bounds[point] = (good[-1].quantity.value, after)
            told += values
        gap.told["missing" if not told else "read"] += 1
        gap.told["suspect"] += any(value.quantity.quality is Quality.SUSPECT for value in told)
        return told

    async def _finish(self, device: Device, gap: _Gap) -> None:
        del self._gaps[device.id]
        body = {"since": gap.since, "until": gap.until, **gap.told}
        await self._recorder.tell(Event("gap_repaired", f"device:{device.id}", time.time_ns() // 1_000_000, body))

    async def _keep(self, device: Device) -> None:
        try:
            await self._recorder.keep_gap(device.id, self._gaps[device.id].to_note())
        except StoreError as error:
            log.error("%s: the gap cannot be noted, a restart would forget it: %s", device.id, error)
