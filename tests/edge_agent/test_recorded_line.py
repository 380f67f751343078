"""A driver reads from a recording what it read when the recording was made."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.bus.settings import SerialSettings, TcpSettings
from drivers.factory import create_bus, create_driver
from drivers.profile import load_profile
from edge_agent.capture_file import Chunk, parse_capture
from edge_agent.recorded_line import RecordedLine, ServeError, answers, serve_pty, serve_tcp
from protocols import cjt188
from protocols.modbus import Frame, encode_read_registers_response, encode_read_request, encode_rtu

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings"


def line_of(name: str) -> RecordedLine:
    capture = parse_capture((RECORDINGS / name).read_text(), name)
    return RecordedLine(answers(capture.chunks, capture.head.protocols), capture.head.protocols)


@asynccontextmanager
async def served(serve: Callable[[Callable[[str], None]], Coroutine[Any, Any, None]]) -> AsyncIterator[str]:
    where: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(where.set_result))
    try:
        yield await asyncio.wait_for(where, 5)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_meter_is_read_from_its_recording_on_a_pty(tmp_path: Path) -> None:
    line = line_of("dlt645-three-phase.jsonl")
    async with (
        served(lambda ready: serve_pty(line, tmp_path / "line", ready)) as path,
        create_bus(SerialSettings("line-1", path, 9600)) as bus,
    ):
        driver = create_driver(load_profile("electricity/dlt645-2007-relay"), bus, "202611000103")
        values = {it.point: it.quantity.value for it in await driver.read(["energyImportTotal", "voltageL1"])}
    assert values == {"energyImportTotal": Decimal("1234.58"), "voltageL1": Decimal("228.1")}
    assert not (tmp_path / "line").is_symlink()


async def test_a_meter_is_read_from_its_recording_over_tcp_under_other_transactions() -> None:
    line = line_of("modbus-tcp-sdm630.jsonl")
    async with (
        served(lambda ready: serve_tcp(line, 0, ready)) as place,
        create_bus(TcpSettings("tcp-1", "127.0.0.1", int(place.rpartition(":")[2]))) as bus,
    ):
        driver = create_driver(load_profile("electricity/eastron-sdm630"), bus, "1")
        values = {it.point: it.quantity.value for it in await driver.read()}
    assert values["freq"] == Decimal(50)
    assert all(value is not None for value in values.values())


def rtu(unit: int, word: int | None = None) -> bytes:
    pdu = encode_read_request(3, 40, 1) if word is None else encode_read_registers_response(3, [word])
    return encode_rtu(Frame(unit, pdu))


def said(line: RecordedLine, data: bytes) -> list[bytes]:
    return [b"".join(part.data for part in parts) for parts in line.feed(data)]


def test_a_question_asked_twice_gets_both_answers_in_turn_and_silence_stays_silence() -> None:
    chunks = [
        Chunk(0.0, True, rtu(1)), Chunk(0.1, False, rtu(1, 17)),
        Chunk(1.0, True, rtu(2)),
        Chunk(2.0, True, rtu(1)), Chunk(2.1, False, rtu(1, 18)),
    ]  # fmt: skip
    line = RecordedLine(answers(chunks, ("modbus-rtu",)), ("modbus-rtu",))
    assert [said(line, rtu(1)) for _ in range(3)] == [[rtu(1, 17)], [rtu(1, 18)], [rtu(1, 17)]]
    assert said(line, rtu(2)) == []


def test_an_adapters_echo_is_no_answer() -> None:
    chunks = [Chunk(0.0, True, rtu(1)), Chunk(0.1, False, rtu(1) + rtu(1, 17))]
    line = RecordedLine(answers(chunks, ("modbus-rtu",)), ("modbus-rtu",))
    assert said(line, rtu(1)) == [rtu(1, 17)]


def test_a_line_that_was_only_listened_to_can_answer_too() -> None:
    chunks = [Chunk(0.0, False, rtu(1) + rtu(1, 17))]
    line = RecordedLine(answers(chunks, ("modbus-rtu",)), ("modbus-rtu",))
    assert said(line, rtu(1)) == [rtu(1, 17)]


def test_a_serial_number_of_cjt188_is_the_present_ones() -> None:
    def frame(control: int, number: int, payload: bytes = b"") -> bytes:
        data = cjt188.encode_di(0x901F, "1F90") + bytes((number,)) + payload
        return cjt188.encode_frame(cjt188.Frame(0x10, "20261100000201", control, data), 0)

    chunks = [Chunk(0.0, True, frame(1, 5)), Chunk(0.3, False, b"\xfe\xfe" + frame(0x81, 5, b"\x01\x02"))]
    line = RecordedLine(answers(chunks, ("cjt188",)), ("cjt188",))
    assert said(line, frame(1, 9)) == [b"\xfe\xfe" + frame(0x81, 9, b"\x01\x02")]


async def test_a_place_that_is_taken_is_told(tmp_path: Path) -> None:
    (tmp_path / "line").write_text("mine")
    line = line_of("dlt645-three-phase.jsonl")
    with pytest.raises(ServeError, match="Name another path"):
        await serve_pty(line, tmp_path / "line", lambda _: None)
    assert (tmp_path / "line").read_text() == "mine"
