"""A lift gateway, read by the neutral map."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from drivers.base import WriteOrder
from drivers.bus.exchange import ModbusWrite
from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.settings import TcpSettings
from drivers.elevator.modbus import ModbusElevator
from drivers.errors import DeviceRefused, DriverError, ProfileError
from drivers.factory import create_driver
from drivers.profile import Writable, load_profile, parse_profile, profile_directory
from protocols.modbus import WRITE_COIL, WRITE_REGISTER
from tests.drivers.modbus_server import Unit, modbus_server

WORDS = {0: 0xFFFF, 1: 4, 2: 1, 3: 1, 4: 0, 5: 1, 6: 37}


async def test_a_car_in_the_basement_says_where_it_is_and_what_it_does() -> None:
    async with (
        modbus_server({1: Unit(input_words=WORDS)}) as port,
        ModbusTcpBus(TcpSettings("lift-1", "127.0.0.1", port, 0.2)) as bus,
    ):
        driver = create_driver(load_profile("elevator/modbus-gateway"), bus, "1")
        assert isinstance(driver, ModbusElevator)
        assert await driver.read_car() == (-1, "down", "open", "normal", "off", "yes", 37)
        values = {value.point: value.quantity.value for value in await driver.read()}
        assert values == {
            "currentFloor": -1, "direction": 4, "doorState": 1, "carMode": 1, "passengerAlarm": 0, "inDoorZone": 1,
            "faultCode": 37,
        }  # fmt: skip
        assert bus.round_trips.answers == 2


async def test_a_code_without_a_word_is_kept_as_a_code_and_told_as_nothing() -> None:
    async with (
        modbus_server({1: Unit(input_words={**WORDS, 3: 99})}) as port,
        ModbusTcpBus(TcpSettings("lift-1", "127.0.0.1", port, 0.2)) as bus,
    ):
        driver = create_driver(load_profile("elevator/modbus-gateway"), bus, "1")
        assert isinstance(driver, ModbusElevator)
        assert (await driver.read_car()).mode is None
        (mode,) = await driver.read(["carMode"])
        assert mode.quantity.value == 99


def test_nothing_can_move_a_lift() -> None:
    words = ("write", "call", "move", "recall", "open", "close")
    assert [name for name in dir(ModbusElevator) if name.startswith(words)] == ["write"], "of every driver, and refuses"


async def test_a_write_to_a_lift_is_refused_before_it_reaches_the_bus_even_if_a_profile_slipped_through() -> None:
    profile = load_profile("elevator/modbus-gateway")
    points = tuple(replace(point, write=Writable(Decimal(0), Decimal(99))) for point in profile.points)
    order = WriteOrder("site engineer", datetime.now(UTC) + timedelta(minutes=1))
    async with (
        modbus_server({1: Unit(input_words=WORDS)}) as port,
        ModbusTcpBus(TcpSettings("lift-1", "127.0.0.1", port, 0.2)) as bus,
    ):
        driver = create_driver(replace(profile, points=points), bus, "1")
        for point in points:
            with pytest.raises(DeviceRefused, match="never written"):
                await driver.write(point.name, Decimal(1), order)
        assert bus.round_trips.answers + bus.round_trips.failures == 0, "nothing went out"


async def test_no_write_leaves_the_bus_of_a_lift() -> None:
    async with (
        modbus_server({1: Unit(input_words=WORDS)}) as port,
        ModbusTcpBus(TcpSettings("lift-1", "127.0.0.1", port, 0.2)) as bus,
    ):
        create_driver(load_profile("elevator/modbus-gateway"), bus, "1")
        for function, address in ((WRITE_COIL, 0), (WRITE_REGISTER, 0)):
            with pytest.raises(DriverError, match="not permitted"):
                await bus.execute(ModbusWrite(1, function, address, 1))
        assert bus.round_trips.answers + bus.round_trips.failures == 0, "nothing went out"


@pytest.mark.parametrize("table", ["relay", "card"])
def test_a_lift_profile_with_a_write_path_is_refused(table: str) -> None:
    path = profile_directory() / "elevator/modbus-gateway.toml"
    places = {"relay": "coil = 0\npulse_register = 0", "card": "counter = 0\nbits = 1\nnumber = 2"}[table]
    text = path.read_text(encoding="utf-8").replace("[modbus]", f"[{table}]\n{places}\n\n[modbus]")
    with pytest.raises(ProfileError, match=f"a device of kind 'lift' has no .{table}."):
        parse_profile(text, "elevator/mine", "mine.toml")
    with pytest.raises(ProfileError, match="unknown key 'write'"):
        parse_profile(text.replace(f"[{table}]\n{places}", "[write]\ncoil = 0"), "elevator/mine", "mine.toml")
