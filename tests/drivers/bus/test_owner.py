"""The bus owner's queue: commands before polls, fail fast, nothing lost at the end."""

import asyncio
from collections.abc import Callable

import pytest

from drivers.bus.exchange import ModbusRead, Priority
from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.owner import BusState
from drivers.bus.settings import TcpSettings
from drivers.errors import BusDown
from protocols import modbus
from tests.drivers.peer import Reply, eventually, tcp_peer

DELAY_S = 0.03


def slow(log: list[int]) -> Callable[[bytes], Reply]:
    """Answer each read with its own address, after a while."""

    def answer(request: bytes) -> Reply:
        frame = modbus.decode_tcp(request)
        address = modbus.decode_request(frame.pdu).address
        log.append(address)
        pdu = modbus.encode_read_registers_response(3, [address])
        return [(DELAY_S, modbus.encode_tcp(modbus.Frame(frame.device_id, pdu, frame.transaction)))]

    return answer


def bus_to(port: int) -> ModbusTcpBus:
    return ModbusTcpBus(TcpSettings("tcp-1", "127.0.0.1", port, 1.0), first_pause_s=0.05)


def read(address: int) -> ModbusRead:
    return ModbusRead(1, 3, address, 1)


async def test_a_command_goes_before_every_waiting_poll() -> None:
    log: list[int] = []
    async with tcp_peer(slow(log)) as port, bus_to(port) as bus, asyncio.TaskGroup() as group:
        for address in range(10):
            group.create_task(bus.execute(read(address)))
        await eventually(lambda: bool(log))
        start = asyncio.get_running_loop().time()
        answer = await bus.execute(read(99), Priority.COMMAND)
        assert answer.payload == bytes((0, 99))
        assert asyncio.get_running_loop().time() - start < 3 * DELAY_S
    assert log == [0, 99, 1, 2, 3, 4, 5, 6, 7, 8, 9]


async def test_polls_keep_their_order() -> None:
    log: list[int] = []
    async with tcp_peer(slow(log)) as port, bus_to(port) as bus:
        await asyncio.gather(*(bus.execute(read(address)) for address in range(5)))
    assert log == [0, 1, 2, 3, 4]


async def test_who_stops_waiting_costs_the_line_nothing() -> None:
    log: list[int] = []
    async with tcp_peer(slow(log)) as port, bus_to(port) as bus:
        first = asyncio.ensure_future(bus.execute(read(1)))
        given_up = asyncio.ensure_future(bus.execute(read(2)))
        third = asyncio.ensure_future(bus.execute(read(3)))
        await eventually(lambda: log == [1])
        given_up.cancel()
        await first
        await third
    assert log == [1, 3]


async def test_who_stops_waiting_for_an_exchange_under_way_does_not_spoil_the_next() -> None:
    log: list[int] = []
    async with tcp_peer(slow(log)) as port, bus_to(port) as bus:
        first = asyncio.ensure_future(bus.execute(read(1)))
        await eventually(lambda: log == [1])
        first.cancel()
        assert (await bus.execute(read(2))).payload == bytes((0, 2))


async def test_the_end_of_a_bus_fails_what_waits_and_says_so() -> None:
    log: list[int] = []
    async with tcp_peer(slow(log)) as port:
        async with bus_to(port) as bus:
            jobs = [asyncio.ensure_future(bus.execute(read(address))) for address in (1, 2)]
            await eventually(lambda: log == [1])
        for job in jobs:
            with pytest.raises(BusDown, match="is stopped"):
                await job
        with pytest.raises(BusDown, match="is stopped"):
            await bus.execute(read(3))


async def use_and_fail(port: int) -> None:
    async with bus_to(port) as bus:
        await bus.execute(read(1))
        raise LookupError


async def test_an_error_inside_a_short_use_comes_out_as_it_is() -> None:
    async with tcp_peer(slow([])) as port:
        with pytest.raises(LookupError):
            await use_and_fail(port)


async def test_a_short_use_can_be_cancelled_by_a_timeout() -> None:
    async with tcp_peer(lambda request: []) as port:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), bus_to(port) as bus:
                await bus.execute(read(1))


async def test_run_stands_in_a_task_group() -> None:
    async with tcp_peer(slow([])) as port, asyncio.TaskGroup() as group:
        bus = bus_to(port)
        task = group.create_task(bus.run())
        assert (await bus.execute(read(5))).payload == bytes((0, 5))
        assert bus.state is BusState.UP
        task.cancel()


async def test_the_busy_share_of_a_line_is_measured() -> None:
    async with tcp_peer(slow([])) as port, bus_to(port) as bus:
        await eventually(lambda: bus.state is BusState.UP)
        for _ in range(4):
            await bus.execute(read(1))
        assert 0.5 < bus.utilisation <= 1
        busy = bus.utilisation
        await asyncio.sleep(6 * DELAY_S)
        assert bus.utilisation < 0.8 * busy
        assert bus.round_trips.median_ms == pytest.approx(DELAY_S * 1000, rel=0.5)
