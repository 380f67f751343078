"""A door on an I/O module: contacts, a reader and a relay."""

from dataclasses import replace

import pytest

from drivers.access.modbus import ModbusDoor
from drivers.base import CardRead
from drivers.bus.exchange import ModbusRead, ModbusWrite
from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.settings import TcpSettings
from drivers.errors import DeviceRefused, DriverError
from drivers.factory import create_driver
from drivers.profile import load_profile
from protocols.modbus import WRITE_COIL, WRITE_REGISTER
from tests.drivers.modbus_server import Unit, modbus_server

PROFILE = load_profile("access/modbus-door")
CARD = {0: 65_535, 1: 26, 2: 0, 3: 0, 4: 0xB4, 5: 0x0288}


async def test_a_door_says_whether_it_is_open_locked_and_whole() -> None:
    unit = Unit(discretes=[True, False, True, False, True] + [False] * 3)
    async with (
        modbus_server({1: unit}) as port,
        ModbusTcpBus(TcpSettings("door-1", "127.0.0.1", port, 0.2)) as bus,
    ):
        driver = create_driver(PROFILE, bus, "1")
        assert isinstance(driver, ModbusDoor)
        assert (await driver.read_door())[:5] == ("open", "locked", "tampered", "normal", "pressed")
        values = {value.point: value.quantity.value for value in await driver.read()}
        assert values == {"doorState": 1, "lockState": 0, "tamper": 1, "fire": 0, "exitButton": 1}
        assert bus.round_trips.answers == 2


async def test_a_card_is_read_in_one_exchange_and_the_relay_is_pulsed_for_its_time() -> None:
    async with (
        modbus_server({1: Unit(input_words=CARD, holding_words={0: 0})}) as port,
        ModbusTcpBus(TcpSettings("door-1", "127.0.0.1", port, 0.2)) as bus,
    ):
        driver = create_driver(PROFILE, bus, "1")
        assert isinstance(driver, ModbusDoor)
        assert await driver.read_card() == CardRead(65_535, 26, 0xB40288)
        assert bus.round_trips.answers == 1
        await driver.open_door(1_500)
        pulse = await bus.execute(ModbusRead(1, 3, 0, 1))
        coil = await bus.execute(ModbusRead(1, 1, 0, 1))
        assert (pulse.payload, coil.payload) == ((1_500).to_bytes(2, "big"), b"\x01")


async def test_nothing_beside_the_relay_is_ever_written() -> None:
    async with (
        modbus_server({1: Unit(holding_words={0: 0})}) as port,
        ModbusTcpBus(TcpSettings("door-1", "127.0.0.1", port, 0.2)) as bus,
    ):
        driver = create_driver(PROFILE, bus, "1")
        for function, address, value in (
            (WRITE_COIL, 1, 1),
            (WRITE_COIL, 0, 0),
            (WRITE_REGISTER, 1, 3_000),
            (WRITE_REGISTER, 0, 60_001),
        ):
            with pytest.raises(DriverError, match="not permitted"):
                await bus.execute(ModbusWrite(1, function, address, value))
        with pytest.raises(DriverError, match="not permitted"):
            await bus.execute(ModbusWrite(2, WRITE_COIL, 0, 1))
        assert bus.round_trips.answers + bus.round_trips.failures == 0
        assert isinstance(driver, ModbusDoor)
        driver.profile = replace(PROFILE, link=replace(PROFILE.link, relay=None))
        with pytest.raises(DeviceRefused, match=r"lists no \[relay\]"):
            await driver.open_door(3_000)


async def test_a_module_that_does_not_know_the_coil_refuses() -> None:
    async with (
        modbus_server({1: Unit()}) as port,  # without a holding register 0
        ModbusTcpBus(TcpSettings("door-1", "127.0.0.1", port, 0.2)) as bus,
    ):
        driver = create_driver(PROFILE, bus, "1")
        assert isinstance(driver, ModbusDoor)
        with pytest.raises(DeviceRefused, match="illegal data address"):
            await driver.open_door(3_000)
