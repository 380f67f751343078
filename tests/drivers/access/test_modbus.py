"""A door on an input module."""

from drivers.access.modbus import ModbusDoor
from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.settings import TcpSettings
from drivers.factory import create_driver
from drivers.profile import load_profile
from tests.drivers.modbus_server import Unit, modbus_server


async def test_a_door_says_whether_it_is_open_locked_and_whole() -> None:
    unit = Unit(discretes=[True, False, True] + [False] * 5)
    async with (
        modbus_server({1: unit}) as port,
        ModbusTcpBus(TcpSettings("door-1", "127.0.0.1", port, 0.2)) as bus,
    ):
        driver = create_driver(load_profile("access/modbus-door"), bus, "1")
        assert isinstance(driver, ModbusDoor)
        assert await driver.read_door() == ("open", "locked", "tampered")
        values = {value.point: value.quantity.value for value in await driver.read()}
        assert values == {"doorState": 1, "lockState": 0, "tamper": 1}
        assert bus.round_trips.answers == 2
