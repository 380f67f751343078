"""A lift gateway, read by the neutral map."""

from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.settings import TcpSettings
from drivers.elevator.modbus import ModbusElevator
from drivers.factory import create_driver
from drivers.profile import load_profile
from tests.drivers.modbus_server import Unit, modbus_server

WORDS = {0: 0xFFFF, 1: 4, 2: 1, 3: 1, 4: 0, 5: 1}


async def test_a_car_in_the_basement_says_where_it_is_and_what_it_does() -> None:
    async with (
        modbus_server({1: Unit(input_words=WORDS)}) as port,
        ModbusTcpBus(TcpSettings("lift-1", "127.0.0.1", port, 0.2)) as bus,
    ):
        driver = create_driver(load_profile("elevator/modbus-gateway"), bus, "1")
        assert isinstance(driver, ModbusElevator)
        assert await driver.read_car() == (-1, "down", "open", "normal", "off")
        values = {value.point: value.quantity.value for value in await driver.read()}
        assert values == {
            "currentFloor": -1, "direction": 4, "doorState": 1, "carMode": 1, "passengerAlarm": 0, "inDoorZone": 1,
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
    assert [name for name in dir(ModbusElevator) if name.startswith(words)] == []
