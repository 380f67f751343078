"""A serial line on a pty: echo, noise, dead addresses, late answers, a pulled adapter."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from drivers.bus.exchange import FrameExchange, ModbusRead, ModbusWrite
from drivers.bus.owner import BusState
from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import SerialSettings
from drivers.errors import BusDown, DeviceBusy, DeviceOffline, DeviceRefused
from protocols import dlt645, modbus
from tests.drivers.peer import PtyPeer, Reply, eventually, pty_peer

ENERGY, POWER = 0x00010000, 0x02030000
METER, OTHER = "202611000103", "202611000104"
TIMEOUT_S = 0.12


def settings(port: str, **more: Any) -> SerialSettings:
    return SerialSettings("line-1", port, baudrate=115200, timeout_s=TIMEOUT_S, **more)


@asynccontextmanager
async def line(
    answer: Callable[[bytes, Any], Reply], folder: Path, *, protocol: str = "dlt645", echo: bool = False, **more: Any
) -> AsyncIterator[tuple[SerialBus, PtyPeer]]:
    async with (
        pty_peer(protocol, answer, folder, echo=echo) as peer,
        SerialBus(settings(peer.path, **more), first_pause_s=0.05) as bus,
    ):
        yield bus, peer


def ask(address: str, di: int) -> FrameExchange:
    request = dlt645.Frame(address, dlt645.READ, di.to_bytes(4, "little"))

    def accept(frame: dlt645.Frame) -> bytes:
        dlt645.match_response(request, frame)
        return frame.payload

    return FrameExchange("dlt645", address, dlt645.encode_frame(request), accept)


def energy(value: str, address: str = METER, di: int = ENERGY) -> bytes:
    return dlt645.encode_read_response(address, di, dlt645.encode_value(di, Decimal(value)))


def test_settings_know_how_long_a_byte_takes() -> None:
    assert SerialSettings("x", "/dev/x", baudrate=2400).byte_s == 11 / 2400
    assert SerialSettings("x", "/dev/x", baudrate=9600, parity="N").byte_s == 10 / 9600


async def test_an_answer_comes_with_its_instant_and_its_round_trip(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    async with line(lambda request, frame: [(0.02, energy("1234.56"))], tmp_path) as (bus, peer):
        answer = await bus.execute(ask(METER, ENERGY))
    assert answer.payload == bytes.fromhex("56341200")
    assert peer.requests == [bytes.fromhex("68 03 01 00 11 26 20 68 11 04 33 33 34 33 0D 16".replace(" ", ""))]
    assert before <= answer.taken_at <= datetime.now(UTC)
    assert answer.round_trip_s >= 0.02


async def test_the_own_echo_is_not_taken_for_an_answer(tmp_path: Path) -> None:
    async with line(lambda request, frame: [(0.01, energy("7.00"))], tmp_path, echo=True) as (bus, _):
        assert (await bus.execute(ask(METER, ENERGY))).payload == bytes.fromhex("00070000")
        assert bus.round_trips.stale == 0


async def test_an_rtu_echo_that_has_the_shape_of_an_answer_is_not_taken_for_one(tmp_path: Path) -> None:
    """A read of 17 to 24 bits from an address 03xx looks like three bytes of bits."""

    def answer(request: bytes, frame: modbus.Frame) -> Reply:
        pdu = modbus.encode_read_bits_response(1, [True] * 20)
        return [(0.005, modbus.encode_rtu(modbus.Frame(frame.device_id, pdu)))]

    async with line(answer, tmp_path, protocol="modbus-rtu", echo=True) as (bus, _):
        answered = await bus.execute(ModbusRead(3, modbus.READ_COILS, 0x0300, 20))
    assert answered.payload == b"\1" * 20


async def test_noise_preambles_and_trailing_bytes_do_no_harm(tmp_path: Path) -> None:
    dirty = b"\xff\x00\x68\x13\x55" + energy("7.00") + b"\xfe\xfe\x12"
    async with line(lambda request, frame: [(0, dirty)], tmp_path) as (bus, _):
        for _ in range(3):
            assert (await bus.execute(ask(METER, ENERGY))).payload == bytes.fromhex("00070000")


async def test_an_answer_may_come_byte_by_byte(tmp_path: Path) -> None:
    answer = [(0.004 * place, bytes((byte,))) for place, byte in enumerate(energy("7.00"))]
    async with line(lambda request, frame: answer, tmp_path) as (bus, _):
        assert (await bus.execute(ask(METER, ENERGY))).payload == bytes.fromhex("00070000")


async def test_a_dead_address_is_offline_after_one_timeout(tmp_path: Path) -> None:
    def answer(request: bytes, frame: Any) -> Reply:
        return [] if frame.address == OTHER else [(0, energy("7.00"))]

    async with line(answer, tmp_path) as (bus, _):
        start = asyncio.get_running_loop().time()
        with pytest.raises(DeviceOffline, match=r"no answer within 0\.12 s"):
            await bus.execute(ask(OTHER, ENERGY))
        assert asyncio.get_running_loop().time() - start < 2.5 * TIMEOUT_S
        assert (await bus.execute(ask(METER, ENERGY))).payload == bytes.fromhex("00070000")
        assert (bus.state, bus.round_trips.failures) == (BusState.UP, 1)


async def test_a_late_answer_is_never_taken_for_the_next_ones(tmp_path: Path) -> None:
    calls = 0

    def answer(request: bytes, frame: Any) -> Reply:
        nonlocal calls
        calls += 1
        # The first answer misses its time; whatever is asked next must not get it.
        return [(TIMEOUT_S * 1.4 if calls == 1 else 0.01, energy(f"{calls}.00", di=frame.di))]

    async with line(answer, tmp_path) as (bus, _):
        with pytest.raises(DeviceOffline):
            await bus.execute(ask(METER, ENERGY))
        again = await bus.execute(ask(METER, ENERGY))
        assert again.payload == bytes.fromhex("00020000")
        assert bus.round_trips.stale == 1


async def test_a_late_answer_does_not_disturb_a_neighbour_that_is_asked_meanwhile(tmp_path: Path) -> None:
    def answer(request: bytes, frame: Any) -> Reply:
        late = frame.address == OTHER
        return [(TIMEOUT_S + 0.08 if late else 0.1, energy("9.00" if late else "7.00", frame.address))]

    async with line(answer, tmp_path) as (bus, _):
        with pytest.raises(DeviceOffline):
            await bus.execute(ask(OTHER, ENERGY))
        assert (await bus.execute(ask(METER, ENERGY))).payload == bytes.fromhex("00070000")
        assert bus.round_trips.stale == 1


async def test_an_answer_with_another_identifier_is_not_believed(tmp_path: Path) -> None:
    wrong = dlt645.encode_read_response(METER, POWER, bytes(3))
    async with line(lambda request, frame: [(0, wrong)], tmp_path) as (bus, _):
        with pytest.raises(DeviceOffline, match="another came: data identifier 02030000"):
            await bus.execute(ask(METER, ENERGY))


async def test_a_damaged_answer_is_a_broken_one_and_no_value(tmp_path: Path) -> None:
    damaged = bytearray(energy("7.00"))
    damaged[-3] ^= 0x10
    async with line(lambda request, frame: [(0, bytes(damaged))], tmp_path) as (bus, _):
        with pytest.raises(DeviceOffline, match="bad frame") as caught:
            await bus.execute(ask(METER, ENERGY))
    assert caught.value.is_broken


async def test_a_refusal_names_its_code_and_costs_no_timeout(tmp_path: Path) -> None:
    no_data = dlt645.encode_error_response(METER, dlt645.READ, 0x02)
    async with line(lambda request, frame: [(0, no_data)], tmp_path) as (bus, _):
        with pytest.raises(DeviceRefused, match="no such data") as caught:
            await bus.execute(ask(METER, ENERGY))
        assert caught.value.code == 2
        assert bus.state is BusState.UP


async def test_a_fault_in_one_exchange_goes_to_its_asker_and_leaves_the_line_to_the_others(tmp_path: Path) -> None:
    def fail(frame: Any) -> bytes:
        raise ZeroDivisionError

    async with line(lambda request, frame: [(0, energy("7.00"))], tmp_path) as (bus, _):
        with pytest.raises(ZeroDivisionError):
            await bus.execute(replace(ask(METER, ENERGY), accept=fail))
        assert (await bus.execute(ask(METER, ENERGY))).payload == bytes.fromhex("00070000")


async def test_a_missing_port_is_told_with_its_remedy_and_is_opened_when_it_comes(tmp_path: Path) -> None:
    peer = PtyPeer("dlt645", lambda request, frame: [(0, energy("7.00"))], tmp_path / "line")
    try:
        async with SerialBus(settings(peer.path), first_pause_s=0.05) as bus:
            with pytest.raises(BusDown, match=r"There is no serial port .*line. Plug the adapter in"):
                await bus.execute(ask(METER, ENERGY))
            assert bus.state is BusState.DOWN
            peer.plug_in()
            await eventually(lambda: bus.state is BusState.UP)
            assert bus.error is None
            assert (await bus.execute(ask(METER, ENERGY))).payload == bytes.fromhex("00070000")
    finally:
        peer.pull_out()


async def test_a_port_in_use_is_told_as_such(tmp_path: Path) -> None:
    async with line(lambda request, frame: [], tmp_path) as (bus, peer):
        await eventually(lambda: bus.state is BusState.UP)
        async with SerialBus(settings(peer.path)) as second:
            with pytest.raises(BusDown, match=r"in use by another program\. Stop it"):
                await second.execute(ask(METER, ENERGY))


async def test_a_file_is_not_a_serial_port(tmp_path: Path) -> None:
    (tmp_path / "line").write_text("")
    async with SerialBus(settings(str(tmp_path / "line"))) as bus:
        with pytest.raises(BusDown, match="is not a serial port"):
            await bus.execute(ask(METER, ENERGY))


async def test_a_pulled_adapter_fails_what_is_under_way_and_comes_back_by_itself(tmp_path: Path) -> None:
    is_silent = True

    def answer(request: bytes, frame: Any) -> Reply:
        return [] if is_silent else [(0, energy("7.00"))]

    async with line(answer, tmp_path) as (bus, peer):
        asking = asyncio.ensure_future(bus.execute(ask(METER, ENERGY)))
        await eventually(lambda: bool(peer.requests))
        waiting = asyncio.ensure_future(bus.execute(ask(OTHER, ENERGY)))
        await asyncio.sleep(0)
        peer.pull_out()
        for job in (asking, waiting):
            with pytest.raises(BusDown, match="has gone"):
                await job
        assert bus.state is BusState.DOWN
        is_silent = False
        peer.plug_in()
        await eventually(lambda: bus.state is BusState.UP)
        assert (await bus.execute(ask(METER, ENERGY))).payload == bytes.fromhex("00070000")


async def test_an_idle_line_notices_that_its_port_has_gone(tmp_path: Path) -> None:
    async with line(lambda request, frame: [], tmp_path) as (bus, peer):
        await eventually(lambda: bus.state is BusState.UP)
        peer.pull_out()
        await eventually(lambda: bus.state is BusState.DOWN)
        with pytest.raises(BusDown):
            await bus.execute(ask(METER, ENERGY))


async def test_noise_on_an_idle_line_is_forgotten(tmp_path: Path) -> None:
    async with line(lambda request, frame: [(0, energy("7.00"))], tmp_path) as (bus, peer):
        await eventually(lambda: bus.state is BusState.UP)
        peer.say(energy("9.00") + b"\x68" * 50)
        await asyncio.sleep(0.02)
        assert (await bus.execute(ask(METER, ENERGY))).payload == bytes.fromhex("00070000")


async def test_a_line_that_babbles_without_end_does_not_stop_the_bus(tmp_path: Path) -> None:
    async with line(lambda request, frame: [(0, b"\x55" * 20)], tmp_path) as (bus, peer):
        await eventually(lambda: bus.state is BusState.UP)

        async def babble() -> None:
            while True:
                peer.say(b"\x55\xaa")
                await asyncio.sleep(0.005)

        async with asyncio.TaskGroup() as group, asyncio.timeout(5):
            babbling = group.create_task(babble())
            await asyncio.sleep(0.02)
            with pytest.raises(DeviceOffline, match="noise"):
                await bus.execute(ask(METER, ENERGY))
            babbling.cancel()


def unit(registers: dict[int, int]) -> Callable[[bytes, Any], Reply]:
    def answer(request: bytes, frame: modbus.Frame) -> Reply:
        asked = modbus.decode_request(frame.pdu)
        words = [registers[place] for place in range(asked.address, asked.address + asked.count)]
        pdu = modbus.encode_read_registers_response(asked.function, words)
        return [(0.005, modbus.encode_rtu(modbus.Frame(frame.device_id, pdu)))]

    return answer


async def test_modbus_rtu_is_spoken_on_a_serial_line(tmp_path: Path) -> None:
    answer = unit({10: 0x1234, 11: 0x5678})
    async with line(answer, tmp_path, protocol="modbus-rtu", echo=True) as (bus, peer):
        answered = await bus.execute(ModbusRead(3, modbus.READ_HOLDING, 10, 2))
        assert answered.payload == bytes.fromhex("12345678")
        assert peer.requests[0][:6] == bytes.fromhex("0303000A0002")


async def test_a_late_rtu_answer_is_never_taken_for_another_registers(tmp_path: Path) -> None:
    """The trap of RTU: no transaction number, so the late answer looks just like the one due."""
    asked: list[int] = []

    def answer(request: bytes, frame: modbus.Frame) -> Reply:
        place = modbus.decode_request(frame.pdu).address
        asked.append(place)
        pdu = modbus.encode_read_registers_response(3, [place])
        return [(TIMEOUT_S * 1.5 if len(asked) == 1 else 0.01, modbus.encode_rtu(modbus.Frame(3, pdu)))]

    async with line(answer, tmp_path, protocol="modbus-rtu") as (bus, _):
        with pytest.raises(DeviceOffline):
            await bus.execute(ModbusRead(3, 3, 100, 1))
        assert (await bus.execute(ModbusRead(3, 3, 500, 1))).payload == (500).to_bytes(2, "big")
        assert asked == [100, 500]


@pytest.mark.parametrize("seed", range(3))
async def test_no_answer_is_ever_given_to_another_question(tmp_path: Path, seed: int) -> None:
    """A third of the answers are late, some by more than the next question's whole patience."""
    rng = Random(seed)

    def answer(request: bytes, frame: modbus.Frame) -> Reply:
        place = modbus.decode_request(frame.pdu).address
        pdu = modbus.encode_read_registers_response(3, [place])
        delay = rng.uniform(0.015, 0.045) if rng.random() < 0.33 else 0.0
        return [(delay, modbus.encode_rtu(modbus.Frame(frame.device_id, pdu)))]

    right = missed = 0
    async with line(answer, tmp_path, protocol="modbus-rtu", guard_s=0.1) as (bus, _):
        for _ in range(60):
            place = rng.randrange(1000)
            try:
                answered = await bus.execute(ModbusRead(rng.choice((3, 4)), 3, place, 1, timeout_s=0.02))
            except DeviceOffline:
                missed += 1
            else:
                assert answered.payload == place.to_bytes(2, "big")
                right += 1
    assert right > 30
    assert missed > 5


async def test_an_rtu_answer_of_another_length_or_unit_is_not_believed(tmp_path: Path) -> None:
    def answer(request: bytes, frame: modbus.Frame) -> Reply:
        pdu = modbus.encode_read_registers_response(3, [1, 2])
        return [(0, modbus.encode_rtu(modbus.Frame(frame.device_id, pdu)) if frame.device_id == 3 else b"")]

    async with line(answer, tmp_path, protocol="modbus-rtu") as (bus, _):
        with pytest.raises(DeviceOffline, match="4 bytes answer a read of 1 registers"):
            await bus.execute(ModbusRead(3, 3, 100, 1))


@pytest.mark.parametrize(
    ("code", "error"), [(2, DeviceRefused), (6, DeviceBusy), (11, DeviceOffline)], ids=["refused", "busy", "silent"]
)
async def test_an_rtu_exception_is_told_for_what_it_is(tmp_path: Path, code: int, error: type[Exception]) -> None:
    reply = modbus.encode_rtu(modbus.Frame(3, modbus.encode_exception(3, code)))
    async with line(lambda request, frame: [(0, reply)], tmp_path, protocol="modbus-rtu") as (bus, _):
        with pytest.raises(error, match=f"exception {code}"):
            await bus.execute(ModbusRead(3, 3, 100, 1))


@pytest.mark.parametrize("echo", [False, True])
async def test_a_write_is_answered_by_itself_and_told_from_its_echo(tmp_path: Path, echo: bool) -> None:
    """On an adapter that echoes, the request comes back before the answer that looks like it."""
    is_deaf = False

    def answer(request: bytes, frame: modbus.Frame) -> Reply:
        if frame.function == modbus.WRITE_COIL:
            return [] if is_deaf else [(0.01, request)]
        return [(0.01, modbus.encode_rtu(modbus.Frame(3, bytes.fromhex("04020001"))))]

    async with line(answer, tmp_path, protocol="modbus-rtu", echo=echo) as (bus, peer):
        bus.permit(3, modbus.WRITE_COIL, 0, range(1, 2))
        await bus.execute(ModbusRead(3, 4, 0, 1))
        opened = await bus.execute(ModbusWrite(3, modbus.WRITE_COIL, 0, 1))
        assert opened.payload == bytes.fromhex("0000FF00")
        assert peer.requests[-1][:6] == bytes.fromhex("03050000FF00")
        is_deaf = True
        with pytest.raises(DeviceOffline):
            await bus.execute(ModbusWrite(3, modbus.WRITE_COIL, 0, 1))
        assert len(peer.requests) == 3, "a write is never repeated by itself"


async def test_a_write_that_is_answered_by_another_one_is_not_believed(tmp_path: Path) -> None:
    other = modbus.encode_rtu(modbus.Frame(3, bytes.fromhex("05 0001 FF00")))
    async with line(lambda request, frame: [(0.01, other)], tmp_path, protocol="modbus-rtu") as (bus, _):
        bus.permit(3, modbus.WRITE_COIL, 0, range(1, 2))
        with pytest.raises(DeviceOffline):
            await bus.execute(ModbusWrite(3, modbus.WRITE_COIL, 0, 1))
