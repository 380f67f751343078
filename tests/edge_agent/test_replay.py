"""Every recording still means what it meant: a line's recording is a test of the codecs."""

from pathlib import Path

import pytest

from edge_agent.capture_file import Capture, Chunk, Head, parse_capture
from edge_agent.replay import GUESSES, decode_chunks, difference, expectation, protocols_of
from protocols.dlt645 import encode_read, encode_read_response
from protocols.modbus import Frame, encode_read_registers_response, encode_read_request, encode_rtu, encode_tcp

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings"
FILES = sorted(RECORDINGS.glob("*.jsonl"))
METER = "202611000103"


def load(file: Path) -> Capture:
    return parse_capture(file.read_text(), file.name)


def test_there_are_recordings() -> None:
    assert len(FILES) >= 2


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recording_means_what_it_meant(file: Path) -> None:
    capture = load(file)
    found = expectation(capture, decode_chunks(capture.chunks, protocols_of(capture.head.line, capture.head.protocols)))
    expected = file.with_suffix(".expected")
    assert not difference(expected.read_text(), found, expected.name), f"edge replay {file} --check {expected}"


def test_one_flipped_bit_of_a_serial_recording_is_noticed() -> None:
    file = RECORDINGS / "dlt645-three-phase.jsonl"
    capture = load(file)
    victim = next(place for place, chunk in enumerate(capture.chunks) if not chunk.is_out)
    data = bytearray(capture.chunks[victim].data)
    data[-4] ^= 0x10
    chunks = list(capture.chunks)
    chunks[victim] = Chunk(chunks[victim].t, False, bytes(data))
    decoded = decode_chunks(chunks, capture.head.protocols)
    assert [told["error"]["kind"] for told in decoded if told.get("ok") is False] == ["checksum"]
    lines = difference(file.with_suffix(".expected").read_text(), expectation(capture, decoded), "before")
    assert any('"ok": false' in line for line in lines)


def question(unit: int, address: int, transaction: int | None = None) -> bytes:
    frame = Frame(unit, encode_read_request(3, address, 1), transaction)
    return encode_rtu(frame) if transaction is None else encode_tcp(frame)


def answer(unit: int, word: int, transaction: int | None = None) -> bytes:
    frame = Frame(unit, encode_read_registers_response(3, [word]), transaction)
    return encode_rtu(frame) if transaction is None else encode_tcp(frame)


def test_a_line_shared_by_two_protocols_is_read_in_both() -> None:
    chunks = [
        Chunk(0.0, True, encode_read(METER, 0x00010000)),
        Chunk(0.1, False, encode_read_response(METER, 0x00010000, bytes.fromhex("56341200"))),
        Chunk(1.0, True, question(3, 40)),
        Chunk(1.1, False, answer(3, 17)[:4]),
        Chunk(1.12, False, answer(3, 17)[4:]),
    ]
    frames = [told for told in decode_chunks(chunks, GUESSES) if "noise" not in told]
    assert [(told["protocol"], told["dir"], told["t"]) for told in frames] == [
        ("dlt645", "out", 0.0),
        ("dlt645", "in", 0.1),
        ("modbus-rtu", "out", 1.0),
        ("modbus-rtu", "in", 1.1),
    ]
    assert frames[3]["values"][0] | {"quality": ""} == {
        "name": "register40", "value": "17", "unit": "", "quality": "", "register": "40"
    }  # fmt: skip


def test_a_line_that_was_only_listened_to_is_read_as_one_stream() -> None:
    stream = question(3, 40) + answer(3, 17)
    chunks = [Chunk(place / 100, False, stream[place : place + 5]) for place in range(0, len(stream), 5)]
    frames = decode_chunks(chunks, ("modbus-rtu",))
    assert [told["header"]["is_response"] for told in frames] == [False, True]
    assert frames[1]["values"][0]["name"] == "register40"


def test_answers_to_several_requests_under_way_go_to_their_own() -> None:
    chunks = [
        Chunk(0.0, True, question(1, 10, 1)),
        Chunk(0.0, True, question(1, 20, 2)),
        Chunk(0.1, False, answer(1, 222, 2) + answer(1, 111, 1)),
    ]
    told = [told["values"][0] for told in decode_chunks(chunks, ("modbus-tcp",)) if told["dir"] == "in"]
    assert [(value["name"], value["value"]) for value in told] == [("register10", "111"), ("register20", "222")]


def test_noise_keeps_its_place() -> None:
    chunks = [Chunk(0.0, True, question(3, 40)), Chunk(0.2, False, b"\x00\x17" + answer(3, 17))]
    decoded = decode_chunks(chunks, ("modbus-rtu",))
    assert [told.get("noise") for told in decoded] == [None, "0017", None]
    assert decoded[1]["t"] == 0.2


def test_the_kind_of_a_line_says_how_it_is_read() -> None:
    assert protocols_of({"kind": "modbus-tcp"}) == ("modbus-tcp",)
    assert protocols_of({"kind": "serial"}) == GUESSES
    assert protocols_of({"kind": "serial"}, ["mbus"]) == ("mbus",)


def test_nothing_recorded_is_nothing_decoded() -> None:
    assert decode_chunks((), GUESSES) == []
    assert expectation(Capture(Head("x", {}, ""), ()), []).count("\n") == 1
