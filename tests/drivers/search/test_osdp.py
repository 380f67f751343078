"""Finding OSDP devices on a line, with and without sessions that go on meanwhile."""

import asyncio
import secrets
from pathlib import Path

import pytest

from drivers.bus.osdp import OsdpBus
from drivers.bus.osdp_device import DeviceModel
from drivers.bus.owner import Bus
from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import OsdpSettings, SerialSettings
from drivers.search import Progress, Scope, Sighting
from drivers.search.osdp import search
from drivers.sim.osdp import SimulatedOsdpLine

SCOPE = Scope(addresses=("0", "5", "6", "7", "126"), timeout_s=0.1)


async def found_on(bus: Bus, scope: Scope = SCOPE) -> tuple[list[Sighting], list[Progress]]:
    told = [it async for it in search(bus, scope)]
    return [it for it in told if isinstance(it, Sighting)], [it for it in told if isinstance(it, Progress)]


async def test_every_device_is_found_with_who_it_is() -> None:
    with SimulatedOsdpLine([DeviceModel(5, secrets.token_bytes(16)), DeviceModel(126, None)]) as line:
        async with SerialBus(SerialSettings("x", line.path, 9600, 8, "N", 1, timeout_s=0.1)) as bus:
            sightings, progress = await found_on(bus)
    assert [(it.protocol, it.address, it.profile_hint) for it in sightings] == [
        ("osdp", "5", "access/generic-osdp"),
        ("osdp", "126", "access/generic-osdp"),
    ]
    assert "model 1, version 1, serial 00000001" in sightings[0].detail
    assert (progress[0].done, progress[-1].done, progress[-1].total) == (0, 5, 5)


async def test_a_search_disturbs_no_session(tmp_path: Path) -> None:
    key = secrets.token_bytes(16)
    path = tmp_path / "reader.key"
    path.touch(mode=0o600)
    path.write_text(key.hex())
    with SimulatedOsdpLine([DeviceModel(5, key), DeviceModel(7, None)]) as line:
        bus = OsdpBus(OsdpSettings("doors", line.path))
        reader = bus.add_reader(5, path)
        async with bus, asyncio.timeout(10):
            while not reader.is_secure:
                await asyncio.sleep(0.02)
            sightings, _ = await found_on(bus, Scope(addresses=("0", "6", "7"), timeout_s=0.1))
            assert [it.address for it in sightings] == ["7"]
            line.show_card(5, 26, 1)
            while reader.counter != 1:
                await asyncio.sleep(0.02)
            assert reader.is_secure
            assert bus.check_reader(5) is reader


async def test_an_address_that_osdp_does_not_have_is_refused() -> None:
    with SimulatedOsdpLine([]) as line:
        async with SerialBus(SerialSettings("x", line.path, 9600, 8, "N", 1)) as bus:
            with pytest.raises(ValueError, match="from 0 to 126"):
                await found_on(bus, Scope(addresses=("127",)))
