"""A line is recorded as it was: of a running bus, of a free port, within bounds, and without a byte of ours."""

import asyncio
import os
import secrets
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from drivers.bus.osdp import OsdpBus
from drivers.bus.osdp_device import DeviceModel
from drivers.bus.settings import OsdpSettings, SerialSettings, TcpSettings
from drivers.bus.tap import Piece, Tap
from drivers.errors import BusDown
from drivers.sim.osdp import SimulatedOsdpLine
from edge_agent.capture import Recording, describe_line, framings, line_text, listen, new_head, record
from edge_agent.capture_file import Chunk, parse_chunk
from edge_agent.replay import decode_chunks
from protocols.decode.value import Keys
from tests.drivers.peer import crossed_ptys, eventually


def chunks_of(told: list[dict[str, Any]]) -> list[Chunk]:
    return [parse_chunk(row) for it in told for row in it.get("chunks", ())]


async def test_a_secure_session_of_readers_is_recorded_and_read_with_their_key(tmp_path: Path) -> None:
    key = secrets.token_bytes(16)
    file = tmp_path / "reader.key"
    file.touch(mode=0o600)
    file.write_text(key.hex() + "\n")
    recording = Recording()
    with SimulatedOsdpLine([DeviceModel(5, key)]) as line:
        bus = OsdpBus(OsdpSettings("doors", line.path))
        bus.tap.listen(recording)
        reader = bus.add_reader(5, file)
        async with bus:
            await eventually(lambda: reader.is_online and reader.is_secure)
            line.show_card(5, 26, 0xB40288)
            await eventually(lambda: reader.counter > 0)
    chunks, lost = recording.take()
    assert lost == 0
    assert {chunk.is_out for chunk in chunks} == {True, False}
    told = decode_chunks(chunks, ("osdp",), Keys(key))
    names = [it["header"]["name"] for it in told if "noise" not in it]
    assert {"CHLNG", "SCRYPT"} <= set(names), names
    assert any(name == "RAW" for name in names)
    assert all(it["ok"] for it in told if "noise" not in it)


async def test_a_free_port_is_listened_to_and_nothing_is_sent(tmp_path: Path) -> None:
    async with crossed_ptys(tmp_path) as (near, far):
        other = os.open(far, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
        told: list[dict[str, Any]] = []
        async with asyncio.timeout(5), aclosing(listen(SerialSettings("scan", near, 9600, parity="N"))) as source:
            async for it in source:
                told.append(it)
                if "head" in it:
                    for byte in b"\x68\x01\x16":
                        os.write(other, bytes((byte,)))
                if "quiet" in it:
                    break
        with pytest.raises(BlockingIOError):
            os.read(other, 100)
        os.close(other)
    assert told[0]["head"]["line"]["port"] == near
    (chunk,) = chunks_of(told)
    assert (chunk.is_out, chunk.data) == (False, b"\x68\x01\x16"), "bytes that follow each other are one piece"
    assert 0 <= chunk.t < 5


async def test_a_port_that_goes_away_ends_the_recording_with_its_reason(tmp_path: Path) -> None:
    async with crossed_ptys(tmp_path) as (near, _):
        source = listen(SerialSettings("scan", near, 9600, parity="N"))
        await anext(source)
    async with asyncio.timeout(5), aclosing(source):
        with pytest.raises(BusDown, match="has gone"):
            async for _ in source:
                pass


async def test_a_port_that_is_not_there_is_told_with_the_remedy() -> None:
    with pytest.raises(BusDown, match=r"There is no serial port /dev/ttyNONE\. Plug the adapter in"):
        await anext(listen(SerialSettings("scan", "/dev/ttyNONE")))


def test_what_nobody_takes_is_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.capture._MOST_PIECES", 3)
    recording = Recording()
    for number in range(5):
        recording(Piece(time.monotonic() + number, True, bytes((number,))))
    chunks, lost = recording.take()
    assert ([chunk.data for chunk in chunks], lost) == ([b"\x00", b"\x01", b"\x02"], 2)
    assert recording.take() == ([], 0)


async def test_whoever_leaves_is_not_told_any_more() -> None:
    tap = Tap()
    line = TcpSettings("tcp-1", "192.0.2.10")
    async with aclosing(record(tap, new_head(line, framings(line, frozenset())))) as source:
        assert (await anext(source))["head"]["protocols"] == ["modbus-tcp"]
        assert tap.count == 1
    assert (tap.count, tap.hear) == (0, None)


def test_a_line_is_described_for_a_file_and_for_people() -> None:
    serial = SerialSettings("line-1", "/dev/ttyUSB0", 2400)
    assert line_text(describe_line(serial)) == "/dev/ttyUSB0 2400 8E1"
    assert line_text(describe_line(SerialSettings("line-1", "tcp://192.0.2.10:4001"))) == "tcp://192.0.2.10:4001"
    assert line_text(describe_line(OsdpSettings("doors", "/dev/ttyUSB1"))) == "/dev/ttyUSB1"
    assert framings(serial, frozenset({"modbus", "dlt645", "iec62056"})) == ("dlt645", "iec62056-21", "modbus-rtu")
    ascii_line = SerialSettings("line-1", "/dev/ttyUSB0", is_ascii=True)
    assert framings(ascii_line, frozenset({"modbus"})) == ("modbus-ascii",)
