"""The desk of a simulated site: what is asked there has happened, and is in the journal."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from drivers.access.modbus import ModbusDoor
from drivers.bus.exchange import ModbusWrite
from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.settings import TcpSettings
from drivers.elevator.modbus import ModbusElevator
from drivers.errors import DeviceRefused
from drivers.factory import create_driver
from drivers.profile import load_profile
from drivers.sim.control import ask
from drivers.sim.errors import SimError
from tests.drivers.sim.served import running, site_from

SITE = """\
[site]
journal = "journal.jsonl"
[[line]]
id = "io"
kind = "modbus-tcp"
port = 0
[[device]]
id = "door-1"
line = "io"
profile = "access/modbus-door"
address = "1"
[[device]]
id = "lift-1"
line = "io"
profile = "elevator/modbus-gateway"
address = "2"
"""


async def test_a_card_is_in_the_journal_before_the_door_tells_of_it(tmp_path: Path) -> None:
    desk = tmp_path / "sim.sock"

    async def do(*words: str) -> dict[str, Any]:
        return await asyncio.to_thread(ask, desk, words)

    for counter in (1, 2):  # the second time after a restart: the counter goes on
        async with (
            running(site_from(SITE, tmp_path), control=desk) as site,
            ModbusTcpBus(TcpSettings("io", "127.0.0.1", site.port("io"), 1.0)) as bus,
        ):
            door = create_driver(load_profile("access/modbus-door"), bus, "1")
            lift = create_driver(load_profile("elevator/modbus-gateway"), bus, "2")
            assert isinstance(door, ModbusDoor)
            assert isinstance(lift, ModbusElevator)
            told = await do("present", "door-1", "64:8000000000000001")
            assert (told["ok"], told["counter"]) == (True, counter)
            entry = [it for it in site.journal if it.get("what") == "card"][-1]
            assert (entry["door"], entry["counter"], entry["number"]) == ("door-1", counter, "8000000000000001")
            card = await door.read_card()
            assert card is not None
            assert card[:3] == (counter, 64, 1 << 63 | 1)
            await door.open_door(700)
            assert [it["pulse_ms"] for it in site.journal if it.get("what") == "relay"] == [700] * counter
            assert (await door.read_door()).lock == "unlocked"
            await do("fire", "door-1", "on")
            assert (await door.read_door()).fire == "fire"
            await do("lift", "lift-1", "fault", "37")
            assert (await lift.read_car()).fault_code == 37
            await do("lift", "lift-1", "entrap")
            car = await lift.read_car()
            assert (car.passenger_alarm, car.in_door_zone, car.fault_code) == ("on", "no", 0)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("present", "door-9", "26:1"), "There is no door 'door-9'"),
        (("present", "lift-1", "26:1"), "There is no door 'lift-1'"),
        (("present", "door-1", "8:1ff"), "is not a card of 8 bits"),
        (("present", "door-1", "1ff"), "not understood"),
        (("lift", "lift-1", "fault", "0"), "not understood"),
        (("dance",), "not understood"),
    ],
)
async def test_what_cannot_happen_is_refused_with_the_reason(tmp_path: Path, words: tuple[str, ...], why: str) -> None:
    async with running(site_from(SITE, tmp_path), control=tmp_path / "sim.sock"):
        told = await asyncio.to_thread(ask, tmp_path / "sim.sock", words)
    assert told["ok"] is False
    assert why in told["error"]
    with pytest.raises(SimError, match="No simulated site answers"):
        ask(tmp_path / "sim.sock", words)


async def test_only_the_relay_of_a_simulated_door_is_written(tmp_path: Path) -> None:
    async with (
        running(site_from(SITE, tmp_path)) as site,
        ModbusTcpBus(TcpSettings("io", "127.0.0.1", site.port("io"), 1.0)) as bus,
    ):
        for unit, address, value in ((1, 1, 1), (1, 0, 0), (2, 0, 1)):
            bus.permit(unit, 5, address, range(2))
            with pytest.raises(DeviceRefused):
                await bus.execute(ModbusWrite(unit, 5, address, value))
        assert site.journal == []
