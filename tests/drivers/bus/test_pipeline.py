"""Several Modbus TCP requests under way at once: each answer finds its question, and silence stays its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from drivers.bus.exchange import ModbusRead, ModbusWrite
from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.settings import TcpSettings
from drivers.errors import BusDown, DeviceOffline, DeviceRefused
from drivers.factory import create_driver
from drivers.profile import parse_profile
from protocols import modbus
from tests.drivers.modbus_server import Unit, modbus_server

TIMEOUT_S = 0.3
DEAD = 9
_TCP_HEADER = 6

Answers = Callable[[Sequence[modbus.Frame]], Sequence[modbus.Frame]]


def reads(*units: int) -> list[ModbusRead]:
    return [ModbusRead(unit, modbus.READ_HOLDING, 10 * number, 1) for number, unit in enumerate(units)]


def own(frame: modbus.Frame) -> modbus.Frame:
    """Answer a read of one register with the register's own address."""
    return modbus.Frame(frame.device_id, bytes((frame.pdu[0], 2)) + frame.pdu[1:3], frame.transaction)


@asynccontextmanager
async def line(answers: Answers, seen: list[list[modbus.Frame]], pipeline: int = 4) -> AsyncIterator[ModbusTcpBus]:
    """Give a bus whose peer takes each burst of requests as one and answers as told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while burst := await reader.read(4096):
            frames = []
            while burst:
                length = _TCP_HEADER + int.from_bytes(burst[4:6], "big")
                frames.append(modbus.decode_tcp(burst[:length]))
                burst = burst[length:]
            seen.append(frames)
            writer.write(b"".join(map(modbus.encode_tcp, answers(frames))))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    settings = TcpSettings("t", "127.0.0.1", server.sockets[0].getsockname()[1], TIMEOUT_S, pipeline)
    async with server, ModbusTcpBus(settings) as bus:
        yield bus


async def test_answers_in_any_order_find_their_questions_and_no_more_than_allowed_are_under_way() -> None:
    seen: list[list[modbus.Frame]] = []
    async with line(lambda frames: [own(frame) for frame in reversed(frames)], seen) as bus:
        answers = await bus.read_all(reads(1, 2, 3, 1, 2, 3))
    assert [answer and int.from_bytes(answer.payload, "big") for answer in answers] == [0, 10, 20, 30, 40, 50]
    assert [len(burst) for burst in seen] == [4, 2]


async def test_a_silent_unit_is_alone_offline() -> None:
    seen: list[list[modbus.Frame]] = []
    alive: Answers = lambda frames: [own(frame) for frame in frames if frame.device_id != DEAD]  # noqa: E731
    async with line(alive, seen) as bus:
        answers = await bus.read_all(reads(1, DEAD, 2, 3))
        assert [answer is not None for answer in answers] == [True, False, True, True]
        with pytest.raises(DeviceOffline, match="no answer within"):
            await asyncio.gather(*(bus.execute(read) for read in reads(DEAD, 1)))


async def test_what_stood_behind_a_silent_unit_in_a_gateway_is_asked_again() -> None:
    """A gateway that waits for the dead unit answers nothing that came after it."""
    seen: list[list[modbus.Frame]] = []

    def until_dead(frames: Sequence[modbus.Frame]) -> list[modbus.Frame]:
        units = [frame.device_id for frame in frames]
        return [own(frame) for frame in frames[: units.index(DEAD) if DEAD in units else len(units)]]

    async with line(until_dead, seen) as bus:
        answers = await bus.read_all(reads(1, DEAD, 2, 3))
    assert [answer is not None for answer in answers] == [True, False, True, True]
    assert [[frame.device_id for frame in burst] for burst in seen] == [[1, DEAD, 2, 3], [2, 3]]


async def test_a_write_goes_alone_and_a_refusal_is_its_own() -> None:
    seen: list[list[modbus.Frame]] = []

    def refusing(frames: Sequence[modbus.Frame]) -> list[modbus.Frame]:
        answers = []
        for frame in frames:
            is_write = frame.pdu[0] == modbus.WRITE_REGISTER
            bad = modbus.Frame(frame.device_id, bytes((frame.pdu[0] | 0x80, 2)), frame.transaction)
            answers.append(frame if is_write else bad if frame.device_id == 2 else own(frame))
        return answers

    async with line(refusing, seen) as bus:
        bus.permit(1, modbus.WRITE_REGISTER, 5, range(10))
        tasks = [asyncio.create_task(bus.execute(read)) for read in reads(1, 2)]
        tasks.append(asyncio.create_task(bus.execute(ModbusWrite(1, modbus.WRITE_REGISTER, 5, 7))))
        done = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(done[1], DeviceRefused)
    assert not isinstance(done[0], BaseException)
    assert not isinstance(done[2], BaseException)
    assert [[frame.pdu[0] for frame in burst] for burst in seen] == [[3, 3], [6]]


async def test_a_lost_connection_ends_all_that_is_under_way() -> None:
    seen: list[list[modbus.Frame]] = []

    def lost(frames: Sequence[modbus.Frame]) -> list[modbus.Frame]:
        raise ConnectionAbortedError

    async with line(lost, seen) as bus:
        tasks = [asyncio.create_task(bus.execute(read)) for read in reads(1, 2)]
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert [type(error) for error in done] == [BusDown, BusDown]


async def test_a_device_of_several_blocks_is_read_in_one_burst_with_its_refused_block_split() -> None:
    """Against pymodbus's server, whose unit has no register 41."""
    points = "".join(f'[[point]]\nname = "p{at}"\naddress = {at}\n' for at in (0, 20, 40, 41, 60000))
    head = 'title = "t"\nkind = "electricity"\nprotocol = "modbus"\nsources = ["test"]\n'
    profile = parse_profile(head + points, "test/blocks", "test")
    unit = Unit(holding_words={0: 5, 20: 25, 40: 45})
    async with modbus_server({1: unit}) as port, ModbusTcpBus(TcpSettings("t", "127.0.0.1", port, 0.2, 4)) as bus:
        driver = create_driver(profile, bus, "1")
        values = {value.point: value.quantity.value for value in await driver.read()}
        assert values == {"p0": Decimal(5), "p20": Decimal(25), "p40": Decimal(45), "p41": None, "p60000": Decimal(0)}
