"""The Modbus TCP bus against pymodbus's server, and against peers that misbehave."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient

from drivers.bus.exchange import FrameExchange, ModbusRead
from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.owner import BusState
from drivers.bus.settings import TcpSettings
from drivers.errors import BusDown, DeviceBusy, DeviceOffline, DeviceRefused, DriverError
from protocols import modbus
from tests.drivers.modbus_server import Unit, modbus_server
from tests.drivers.peer import Reply, eventually, tcp_peer

TIMEOUT_S = 0.15
METER = Unit(holding_floats={100: 1234.5}, input_words={0: 7, 1: 3}, discretes=[True, False, True] + [False] * 5)
ENERGY = ModbusRead(1, modbus.READ_HOLDING, 100, 2)


@asynccontextmanager
async def bus_to(port: int) -> AsyncIterator[ModbusTcpBus]:
    async with ModbusTcpBus(TcpSettings("tcp-1", "127.0.0.1", port, TIMEOUT_S), first_pause_s=0.05) as bus:
        yield bus


@asynccontextmanager
async def bus_to_peer(answer: Callable[[bytes], Reply]) -> AsyncIterator[ModbusTcpBus]:
    async with tcp_peer(answer) as port, bus_to(port) as bus:
        yield bus


def reply(request: bytes, pdu: bytes, *, transaction: int | None = None, unit: int | None = None) -> bytes:
    asked = modbus.decode_tcp(request)
    frame = modbus.Frame(
        asked.device_id if unit is None else unit, pdu, asked.transaction if transaction is None else transaction
    )
    return modbus.encode_tcp(frame)


async def test_registers_come_high_byte_first() -> None:
    async with modbus_server({1: METER}) as port, bus_to(port) as bus:
        answer = await bus.execute(ENERGY)
        assert answer.payload == struct.pack(">f", 1234.5)
        assert (await bus.execute(ModbusRead(1, modbus.READ_INPUT, 0, 2))).payload == bytes((0, 7, 0, 3))


async def test_bits_come_one_a_byte_and_only_as_many_as_were_asked_for() -> None:
    async with modbus_server({1: METER}) as port, bus_to(port) as bus:
        assert (await bus.execute(ModbusRead(1, modbus.READ_DISCRETES, 0, 3))).payload == bytes((1, 0, 1))


async def test_a_refusal_names_its_code() -> None:
    async with modbus_server({1: METER}) as port, bus_to(port) as bus:
        with pytest.raises(DeviceRefused, match="exception 2: illegal data address") as caught:
            await bus.execute(ModbusRead(1, modbus.READ_HOLDING, 4000, 2))
        assert caught.value.code == 2


async def test_many_silent_requests_to_a_dead_unit_do_not_cut_off_the_live_one() -> None:
    async with modbus_server({1: METER}) as port, bus_to(port) as bus:
        for _ in range(7):
            with pytest.raises(DeviceOffline, match=r"no answer within 0\.02 s"):
                await bus.execute(ModbusRead(9, modbus.READ_HOLDING, 100, 2, timeout_s=0.02))
            assert (await bus.execute(ENERGY)).payload == struct.pack(">f", 1234.5)
        assert (bus.state, bus.round_trips.answers, bus.round_trips.failures) == (BusState.UP, 7, 7)


async def test_a_peer_that_answers_nothing_at_all_is_connected_to_anew() -> None:
    async with bus_to_peer(lambda request: []) as bus:
        for _ in range(5):
            with pytest.raises(DeviceOffline):
                await bus.execute(ModbusRead(1, 3, 0, 1, timeout_s=0.01))
        await eventually(lambda: bus.state is BusState.DOWN)
        assert bus.error is not None
        assert "has not answered 5 requests in a row" in bus.error
        await eventually(lambda: bus.state is BusState.UP)


async def test_nobody_at_the_address_is_told_with_the_remedy() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with bus_to(port) as bus:
        with pytest.raises(BusDown, match=rf"127\.0\.0\.1:{port} refuses the connection. Check the port"):
            await bus.execute(ENERGY)
        with pytest.raises(BusDown):
            await bus.execute(ENERGY)


async def test_a_gateway_that_goes_and_returns_is_found_by_itself() -> None:
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(modbus_server({1: METER}))
        async with bus_to(port) as bus:
            await bus.execute(ENERGY)
            await stack.aclose()
            await eventually(lambda: "refuses the connection" in (bus.error or ""))
            async with modbus_server({1: METER}, port):
                await eventually(lambda: bus.state is BusState.UP)
                assert (await bus.execute(ENERGY)).payload == struct.pack(">f", 1234.5)


async def test_an_idle_connection_that_is_closed_is_noticed_and_opened_again() -> None:
    async with modbus_server({1: METER}) as port, bus_to(port) as bus:
        await bus.execute(ENERGY)
        assert bus._link is not None
        bus._link.close()
        await eventually(lambda: bus.state is BusState.DOWN)
        assert "closed the connection" in (bus.error or "")
        await eventually(lambda: bus.state is BusState.UP)
        assert (await bus.execute(ENERGY)).payload == struct.pack(">f", 1234.5)


async def test_a_late_answer_is_never_taken_for_the_next_ones() -> None:
    calls = 0

    def answer(request: bytes) -> Reply:
        nonlocal calls
        calls += 1
        pdu = modbus.encode_read_registers_response(3, [calls])
        return [(TIMEOUT_S * 1.3 if calls == 1 else 0, reply(request, pdu))]

    async with bus_to_peer(answer) as bus:
        with pytest.raises(DeviceOffline):
            await bus.execute(ModbusRead(1, 3, 100, 1))
        assert (await bus.execute(ModbusRead(1, 3, 500, 1))).payload == bytes((0, 2))


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: reply(request, modbus.encode_read_registers_response(3, [1, 2])),
        lambda request: reply(request, modbus.encode_read_registers_response(3, [])),
        lambda request: reply(request, modbus.encode_read_registers_response(4, [1])),
        lambda request: reply(request, modbus.encode_read_registers_response(3, [1]), transaction=0),
        lambda request: reply(request, modbus.encode_read_registers_response(3, [1]), unit=2),
        lambda request: reply(request, modbus.encode_read_registers_response(3, [1]), transaction=77),
        lambda request: b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        lambda request: bytes(300),
        lambda request: request,
    ],
    ids=["longer", "empty", "function", "transaction 0", "unit", "transaction", "http", "zeros", "echo"],
)
async def test_an_answer_to_something_else_is_no_value(answer: Callable[[bytes], bytes]) -> None:
    async with bus_to_peer(lambda request: [(0, answer(request))]) as bus:
        with pytest.raises((DeviceOffline, BusDown)):
            await bus.execute(ModbusRead(1, 3, 100, 1))
        assert bus.round_trips.answers == 0


@pytest.mark.parametrize(
    ("code", "error"), [(5, DeviceBusy), (6, DeviceBusy), (10, DeviceOffline), (11, DeviceOffline), (4, DeviceRefused)]
)
async def test_exceptions_are_told_for_what_they_are(code: int, error: type[Exception]) -> None:
    async with bus_to_peer(lambda request: [(0, reply(request, modbus.encode_exception(3, code)))]) as bus:
        with pytest.raises(error, match=f"exception {code}"):
            await bus.execute(ModbusRead(1, 3, 100, 1))


async def test_it_carries_modbus_only() -> None:
    exchange = FrameExchange("dlt645", "x", b"", lambda frame: b"")
    async with bus_to_peer(lambda request: []) as bus:
        with pytest.raises(DriverError, match="carries Modbus only"):
            await bus.execute(exchange)
        assert bus.state is BusState.UP


async def test_two_hundred_reads_share_one_connection() -> None:
    async with modbus_server({1: METER}) as port, bus_to(port) as bus:
        answers = await asyncio.gather(*(bus.execute(ENERGY) for _ in range(200)))
    assert {answer.payload for answer in answers} == {struct.pack(">f", 1234.5)}


async def test_a_bus_stops_even_when_an_answer_comes_in_the_moment_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = AsyncModbusTcpClient.read_holding_registers

    async def swallow(*args: Any, **more: Any) -> Any:
        task = asyncio.create_task(read(*args, **more))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:  # as wait_for does before Python 3.12 with an answer that is there
            return await task

    monkeypatch.setattr(AsyncModbusTcpClient, "read_holding_registers", swallow)

    def answer(request: bytes) -> Reply:
        return [(0.1, request[:4] + bytes((0, 7)) + request[6:8] + bytes((4, 1, 2, 3, 4)))]

    async with tcp_peer(answer) as port:
        bus = ModbusTcpBus(TcpSettings("tcp-1", "127.0.0.1", port, 2.0))
        owner = asyncio.create_task(bus.run())
        asking = asyncio.create_task(bus.execute(ENERGY))
        await asyncio.sleep(0.05)
        owner.cancel()
        await asyncio.wait([owner], timeout=1)
        assert owner.done()
        with pytest.raises(BusDown):
            await asking
