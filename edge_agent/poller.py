"""Two tasks a line: one asks what is due, the other stores the answers and then shows them.

Storing waits for a commit that others share; the line goes on meanwhile. What has been asked
and is not stored yet was never accepted, and nobody has seen it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from drivers.base import Driver, PointValue
from drivers.bus.owner import Bus, BusState
from drivers.errors import BusDown, DeviceError, DeviceOffline
from edge_agent.gap_repair import GapRepair
from edge_agent.live import DeviceLive
from edge_agent.recorder import Recorder
from edge_agent.schedule import Poll, Probe, Schedule, Wait

log = logging.getLogger("edge.poller")

# Told at once of what a device has answered, beside the storing of it.
Watch = Callable[[Sequence[PointValue]], Awaitable[None]]

_MOST_UNSTORED = 64  # answers; a store that cannot keep up slows the asking down


class Poller:
    """Poll the devices of one bus; its owner task runs beside this one."""

    def __init__(
        self,
        bus: Bus,
        drivers: Mapping[str, Driver],
        live: Mapping[str, DeviceLive],
        recorder: Recorder,
        probe_s: float,
        watches: Mapping[str, Watch] = MappingProxyType({}),
        gaps: GapRepair | None = None,
    ) -> None:
        self.bus = bus
        self._drivers = drivers
        self._live = {device: live[device] for device in drivers}
        self._recorder = recorder
        self._probe_s = probe_s
        self._watches = watches
        self._gaps = gaps
        self._rounds: dict[str, float] = {}
        self._periods: dict[str, float] = {}
        self._answers: asyncio.Queue[tuple[DeviceLive, Sequence[PointValue]]] = asyncio.Queue(_MOST_UNSTORED)

    async def run(self) -> None:
        """Poll and store until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ask(), name=f"ask {self.bus.id}")
            tasks.create_task(self._store(), name=f"store {self.bus.id}")

    async def _store(self) -> None:
        """Store what has been answered, all that waits at once, and show it then."""
        while True:
            waiting = [await self._answers.get()]
            while not self._answers.empty():
                waiting.append(self._answers.get_nowait())
            stored = await self._recorder.store([(live.device, values) for live, values in waiting])
            for (live, _), values in zip(waiting, stored, strict=True):
                live.show(values)

    async def _ask(self) -> None:
        periods = [(device, live.device.period_s) for device, live in self._live.items()]
        schedule = Schedule(periods, self._probe_s, time.time())
        while True:
            now = time.monotonic()
            health = {device: live.health(now) for device, live in self._live.items()}
            match schedule.next(time.time(), health):
                case Wait(seconds):
                    await asyncio.sleep(seconds)
                case Poll(device, slack_s):
                    await self._shielded(self._poll(device, slack_s), device)
                case Probe(device):
                    await self._shielded(self._probe(device), device)
            await self._note_bus()

    async def _shielded(self, work: Coroutine[Any, Any, None], device: str) -> None:
        """Let a fault of this program in one device's code cost that device only."""
        try:
            await work
        except Exception:  # the device task's boundary
            log.exception("%s: a fault in this program", device)
            await self._silent(self._live[device], DeviceOffline("a fault in this program; the log has it"))

    async def _poll(self, device: str, slack_s: float) -> None:
        live, driver = self._live[device], self._drivers[device]
        self._note_period(device)
        try:
            values = await self._read(driver, live, slack_s)
        except DeviceOffline as error:
            await self._silent(live, error)
        except DeviceError as error:
            await self._answered(live, error.partial, error.reason)
        except BusDown as error:
            live.line_down(error.reason)
            await asyncio.sleep(min(1.0, live.device.period_s))
        else:
            if self._gaps is not None:
                await self._gaps.note(live.device, driver, values)
            await self._answered(live, values)
            if self._gaps is not None and (frozen := await self._gaps.next(live.device, driver)):
                await self._answers.put((live, frozen))

    async def _read(self, driver: Driver, live: DeviceLive, slack_s: float) -> list[PointValue]:
        """Read a device; once more where it was well a moment ago and the line has the time."""
        points = live.device.points
        try:
            return await driver.read(points)
        except DeviceOffline as error:
            if live.failures or error.partial or slack_s < 3 * self._probe_s:
                raise
        return await driver.read(points)

    async def _probe(self, device: str) -> None:
        live, driver = self._live[device], self._drivers[device]
        if not live.breaker.allow(time.monotonic()):
            return
        try:
            values = await driver.probe()
        except DeviceOffline as error:
            await self._silent(live, error)
        except BusDown as error:
            live.line_down(error.reason)
        else:
            await self._answered(live, values)

    async def _answered(self, live: DeviceLive, values: Sequence[PointValue], error: str | None = None) -> None:
        if live.state == "offline":
            log.info("%s answers again", live.device.id)
        live.answered(time.monotonic(), error)
        if (watch := self._watches.get(live.device.id)) is not None and values:
            await watch(values)  # before the storing, which may have to wait for its turn
        await self._answers.put((live, values))
        await self._alarm(live)

    async def _silent(self, live: DeviceLive, error: DeviceOffline) -> None:
        if error.partial:
            await self._answers.put((live, error.partial))
        was = live.state
        live.silent(error.reason, time.monotonic())
        if live.state == "offline" and was != "offline":
            log.warning("%s is offline: %s", live.device.id, error.reason)
        await self._alarm(live)

    async def _alarm(self, live: DeviceLive) -> None:
        detail = {"error": live.error}
        is_offline = live.state == "offline"
        await self._recorder.alarm(f"device:{live.device.id}", "device_offline", is_on=is_offline, detail=detail)

    async def _note_bus(self) -> None:
        is_down = self.bus.state is BusState.DOWN and self.bus.error is not None
        await self._recorder.alarm(f"bus:{self.bus.id}", "bus_down", is_on=is_down, detail={"error": self.bus.error})

    def _note_period(self, device: str) -> None:
        now = time.monotonic()
        if device in self._rounds:
            self._periods[device] = now - self._rounds[device]
        self._rounds[device] = now

    def as_json(self) -> dict[str, Any]:
        """Describe the bus as ``edge status`` does; the period is the mean of the devices that answer."""
        measured = [
            self._periods[key] for key, live in self._live.items() if key in self._periods and live.state == "ok"
        ]
        nominal = [live.device.period_s for live in self._live.values() if live.state == "ok"]
        trips = self.bus.round_trips
        return {
            "id": self.bus.id,
            "kind": self.bus.kind,
            "state": self.bus.state.value,
            "utilisation": round(self.bus.utilisation, 3),
            "period_ms": round(1000 * sum(measured) / len(measured)) if measured else None,
            "nominal_ms": round(1000 * sum(nominal) / len(nominal)) if nominal else None,
            "answers": trips.answers,
            "failures": trips.failures,
            "stale": trips.stale,
            "error": self.bus.error,
        }
