"""A line behind a converter that passes its bytes over TCP; pymodbus's server frames RTU on the other side."""

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from pymodbus import FramerType

from drivers.bus.exchange import FrameExchange, ModbusRead
from drivers.bus.owner import BusState
from drivers.bus.serial_line import SerialBus
from drivers.bus.serial_port import is_tcp
from drivers.bus.settings import SerialSettings
from drivers.errors import BusDown, DeviceOffline, DeviceRefused
from protocols import dlt645
from tests.drivers.modbus_server import Unit, modbus_server
from tests.drivers.peer import Reply, eventually, tcp_peer

METER = Unit(holding_floats={100: 1234.5}, input_words={0: 7, 1: 3})
ENERGY = ModbusRead(1, 3, 100, 2)


@asynccontextmanager
async def bus_to(port: int) -> AsyncIterator[SerialBus]:
    settings = SerialSettings("line-1", f"tcp://127.0.0.1:{port}", baudrate=9600, parity="N", timeout_s=0.15)
    async with SerialBus(settings, first_pause_s=0.05) as bus:
        yield bus


async def test_modbus_rtu_is_spoken_through_a_converter() -> None:
    async with modbus_server({1: METER}, framer=FramerType.RTU) as port, bus_to(port) as bus:
        assert (await bus.execute(ENERGY)).payload == struct.pack(">f", 1234.5)
        assert (await bus.execute(ModbusRead(1, 4, 0, 2))).payload == bytes((0, 7, 0, 3))
        with pytest.raises(DeviceRefused, match="exception 2"):
            await bus.execute(ModbusRead(1, 3, 4000, 2))
        with pytest.raises(DeviceOffline):
            await bus.execute(ModbusRead(9, 3, 100, 2))
        assert (await bus.execute(ENERGY)).payload == struct.pack(">f", 1234.5)


async def test_modbus_ascii_is_spoken_where_the_line_says_so() -> None:
    async with modbus_server({1: METER}, framer=FramerType.ASCII) as port:
        settings = SerialSettings("line-1", f"tcp://127.0.0.1:{port}", timeout_s=0.15, is_ascii=True)
        async with SerialBus(settings) as bus:
            assert (await bus.execute(ENERGY)).payload == struct.pack(">f", 1234.5)
            with pytest.raises(DeviceRefused, match="exception 2"):
                await bus.execute(ModbusRead(1, 3, 4000, 2))


async def test_a_meter_of_another_protocol_answers_through_a_converter_in_pieces() -> None:
    reply = dlt645.encode_read_response("123456789012", 0x00010000, bytes.fromhex("56341200"))
    request = dlt645.Frame("123456789012", dlt645.READ, (0x00010000).to_bytes(4, "little"))

    def answer(_: bytes) -> Reply:
        return [(0.01, reply[:7]), (0.01, reply[7:])]

    def accept(frame: dlt645.Frame) -> bytes:
        dlt645.match_response(request, frame)
        return frame.payload

    async with tcp_peer(answer) as port, bus_to(port) as bus:
        exchange = FrameExchange("dlt645", "meter", dlt645.encode_frame(request), accept)
        assert (await bus.execute(exchange)).payload == bytes.fromhex("56341200")


async def test_a_converter_that_goes_and_returns_is_told_and_found_again() -> None:
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(modbus_server({1: METER}, framer=FramerType.RTU))
        async with bus_to(port) as bus:
            await bus.execute(ENERGY)
            await stack.aclose()
            await eventually(lambda: bus.state is BusState.DOWN)
            await eventually(lambda: "refuses the connection" in (bus.error or ""))
            async with modbus_server({1: METER}, port, FramerType.RTU):
                await eventually(lambda: bus.state is BusState.UP)
                assert (await bus.execute(ENERGY)).payload == struct.pack(">f", 1234.5)


async def test_nobody_at_the_address_is_told_with_the_remedy() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with bus_to(port) as bus:
        with pytest.raises(BusDown, match=rf"tcp://127\.0\.0\.1:{port} refuses.*raw TCP mode"):
            await bus.execute(ENERGY)


def test_a_device_file_is_no_converter() -> None:
    assert is_tcp("tcp://10.0.0.1:4001")
    assert not is_tcp("/dev/ttyUSB0")
