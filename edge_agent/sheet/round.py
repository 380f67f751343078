"""Read every device of a gateway once, as an engineer walking past the meters would."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from drivers.bus.settings import BusSettings
from drivers.errors import BusDown, ProfileError
from drivers.factory import create_bus, create_driver
from edge_agent.agent import read_device
from edge_agent.config import Device, Settings
from edge_agent.control import ControlClient, ControlError, NotRunning
from edge_agent.sheet.model import Reading

_PATIENCE_S = 60.0


async def read_all(settings: Settings, *, is_running: bool, seen: Callable[[Device], None]) -> dict[str, Reading]:
    """Read all devices, line beside line; a device that fails has its sentence and stops nobody.

    Shape: through the running gateway where ``is_running``, else on lines of our own; ``seen`` is told
    of each device when it is done.
    """
    found: dict[str, Reading] = {}
    async with asyncio.TaskGroup() as tasks:
        for line in settings.buses:
            devices = [device for device in settings.devices if device.bus == line.id]
            if devices and is_running:
                tasks.create_task(_through_gateway(settings, devices, found, seen))
            elif devices:
                tasks.create_task(_directly(line, devices, found, seen))
    return found


async def _through_gateway(
    settings: Settings, devices: list[Device], found: dict[str, Reading], seen: Callable[[Device], None]
) -> None:
    client = ControlClient(settings.socket_path)
    for device in devices:
        begun = time.perf_counter()
        try:
            answer: dict[str, Any] = await client.ask("read", device=device.id, points=None)
        except (ControlError, NotRunning) as error:
            answer = {"values": [], "error": str(error)}
        found[device.id] = _reading(answer, begun)
        seen(device)


async def _directly(
    line: BusSettings, devices: list[Device], found: dict[str, Reading], seen: Callable[[Device], None]
) -> None:
    bus = create_bus(line)
    drivers = {}
    for device in devices:
        try:
            drivers[device.id] = create_driver(device.profile, bus, device.address, device.options)
        except ProfileError as error:
            found[device.id] = Reading((), str(error), 0.0)
            seen(device)
    async with bus:
        await asyncio.sleep(0)
        for device in devices:
            if device.id not in drivers:
                continue
            begun = time.perf_counter()
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    answer = await read_device(drivers[device.id], device.profile, device.points)
            except TimeoutError:
                answer = {"values": [], "error": f"it was not read within {_PATIENCE_S:g} s. Check it with edge probe."}
            except BusDown as error:
                answer = {"values": [], "error": error.reason}
            found[device.id] = _reading(answer, begun)
            seen(device)


def _reading(answer: dict[str, Any], begun: float) -> Reading:
    return Reading(answer["values"], answer["error"], (time.perf_counter() - begun) * 1000)
