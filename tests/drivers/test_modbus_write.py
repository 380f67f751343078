"""What is written means what was ordered, and nothing else ever goes out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import WriteOrder
from drivers.bus.exchange import ModbusRead, ModbusWrite
from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.settings import TcpSettings
from drivers.errors import DeviceRefused, DriverError
from drivers.factory import create_driver
from drivers.modbus_write import ModbusOrder
from drivers.profile import Point, Profile, parse_profile
from protocols.toml import SettingsError
from tests.drivers.bus.test_interop import libmodbus, needs_libmodbus

HEAD = 'title = "t"\nkind = "io"\nprotocol = "modbus"\nsources = ["test"]\n'
UNIT = 7


def profile(*points: str) -> Profile:
    return parse_profile(HEAD + "".join(f"\n[[point]]\n{point}\n" for point in points), "test/io", "test")


def point(text: str) -> Point:
    return profile(f'name = "p"\n{text}').points[0]


def order() -> WriteOrder:
    return WriteOrder("test", datetime.now(UTC) + timedelta(minutes=1))


SETPOINT = 'address = 3\ntype = "i16"\nscale = 0.1\nunit = "degC"\nwrite = { min = 5, max = 30 }'
FLOAT = 'address = 8\ntype = "f32"\norder = "CDAB"\nunit = "kW"\nwrite = { min = -2, max = 2 }'
COIL = 'function = 1\naddress = 0\nstates = { 0 = "off", 1 = "on" }\nwrite = {}'


@given(st.integers(50, 300))
def test_a_number_is_read_back_as_it_was_set(tenths: int) -> None:
    value = Decimal(tenths) / 10
    made = ModbusOrder(point(SETPOINT))
    assert (made.function, made.address, made.number(value)) == (6, 3, tenths)
    assert made.number(value) in made


@given(st.integers(-(2**40), 2**40))
def test_only_what_the_profile_allows_is_in_the_permit(number: int) -> None:
    signed = number - 0x10000 if 0x8000 <= number <= 0xFFFF else number
    assert (number in ModbusOrder(point(SETPOINT))) == (0 <= number <= 0xFFFF and 50 <= signed <= 300)


def test_a_float_in_its_own_order_and_unit() -> None:
    made = ModbusOrder(point(FLOAT))
    assert (made.function, made.count) == (16, 2)
    assert made.number(Decimal(1500)).to_bytes(4, "big").hex() == "00003fc0"  # 1.5 kW, low register first
    assert made.number(Decimal(1500)) in made
    assert made.number(Decimal(2001)) not in made
    assert 0x00007FC0 not in made, "no number at all"


def test_between_two_steps_is_refused_with_the_step() -> None:
    with pytest.raises(DeviceRefused, match=r"in steps of 0\.1 degC, and 21\.55 lies between two"):
        ModbusOrder(point(SETPOINT)).number(Decimal("21.55"))


@pytest.mark.parametrize("function", [2, 4])
def test_a_profile_that_would_write_an_input_is_refused(function: int) -> None:
    states = 'states = { 0 = "off", 1 = "on" }\nwrite = {}'
    with pytest.raises(SettingsError, match=f"what function {function} reads cannot be written"):
        point(f"function = {function}\naddress = 0\n{states}")


@needs_libmodbus
async def test_coils_registers_and_floats_are_written_to_a_libmodbus_server() -> None:
    made = profile(f'name = "out"\n{COIL}', f'name = "setpoint"\n{SETPOINT}', f'name = "limit"\n{FLOAT}')
    async with libmodbus("tcp") as at, ModbusTcpBus(TcpSettings("b", "127.0.0.1", int(at["port"]))) as bus:
        driver = create_driver(made, bus, str(UNIT))
        for name, value in (("out", Decimal(1)), ("setpoint", Decimal("21.5")), ("limit", Decimal(-1250))):
            await driver.write(name, value, order())
        told = {value.point: value.quantity.value for value in await driver.read()}
        assert told == {"out": Decimal(1), "setpoint": Decimal("21.5"), "limit": Decimal(-1250)}
        raw = (await bus.execute(ModbusRead(UNIT, 3, 8, 2))).payload
        assert raw.hex() == "0000bfa0"
        with pytest.raises(DeviceRefused, match="outside 5 to 30 degC"):
            await driver.write("setpoint", Decimal(31), order())
        for forbidden in (ModbusWrite(UNIT, 6, 3, 301), ModbusWrite(UNIT, 6, 4, 100), ModbusWrite(UNIT, 5, 1, 1)):
            with pytest.raises(DriverError, match="is not permitted"):
                await bus.execute(forbidden)
