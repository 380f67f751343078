"""OSDP on the wire: every frame that is sent is found, and nothing else is believed."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocols.decode import decode_capture
from protocols.errors import ChecksumMismatch, MalformedFrame, ProtocolError
from protocols.framing import scan, scanner
from protocols.osdp.frame import LONGEST, Frame, checksum, crc16, decode_frame, encode_command, encode_frame

CARD = Frame(5, 0x50, bytes.fromhex("0001 1a00 b4028800"), is_reply=True, control=0x06)
POLL = Frame(5, 0x60, control=0x06)
CHECKSUMMED = Frame(5, 0x50, bytes.fromhex("0001 1a00 b4028800"), is_reply=True, control=0x02)
SEALED = Frame(5, 0x50, bytes(16), is_reply=True, control=0x0E, security=b"\x18", mac=b"abcd")

frames = st.builds(
    Frame,
    st.integers(0, 127),
    st.integers(0, 255),
    st.binary(max_size=60),
    is_reply=st.booleans(),
    control=st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7]),
)


def test_the_check_is_the_one_that_the_standard_describes() -> None:
    assert crc16(b"123456789") == 0xE5CC
    assert encode_command(0, 0x61, b"\0").hex() == "ff530009000461 00c066".replace(" ", "")


@given(frames)
def test_a_frame_is_read_as_it_was_written(frame: Frame) -> None:
    assert decode_frame(encode_frame(frame)) == frame


def test_a_secured_frame_keeps_its_block_and_its_mac() -> None:
    assert decode_frame(encode_frame(SEALED)) == SEALED
    assert (SEALED.block, SEALED.is_encrypted, SEALED.name) == (0x18, True, "RAW")


@given(st.binary(max_size=200))
@example(b"S" * 40)
@example(bytes.fromhex("5300070008 00") + b"\0")  # the security block has no length
def test_any_bytes_are_a_frame_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        decode_frame(data)
    assert b"".join(piece.data for piece in scan("osdp", data)) == data


@pytest.mark.parametrize("frame", [CARD, CHECKSUMMED, POLL, SEALED])
def test_no_flipped_bit_and_no_cut_is_believed(frame: Frame) -> None:
    wire = encode_frame(frame)
    for cut in range(len(wire)):
        with pytest.raises(ProtocolError):
            decode_frame(wire[:cut])
    for bit in range(8 * len(wire)):
        damaged = bytearray(wire)
        damaged[bit // 8] ^= 1 << bit % 8
        told = decode_capture("osdp", bytes(damaged))
        assert all(not found["values"] and not found["ok"] for found in told["frames"])


def test_a_crc_is_never_taken_for_a_checksum() -> None:
    fooled = 0
    for address in range(127):
        for sequence in range(4):
            for number in (0x60, 0x61, 0x64):
                wire = bytearray(encode_command(address, number, sequence=sequence)[1:])
                wire[4] ^= 0x04
                fooled += checksum(wire[:-1]) == wire[-1]
                with pytest.raises(ChecksumMismatch):
                    decode_frame(bytes(wire))
    assert fooled, "the second half of some CRC is the checksum of all before it"


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_the_echo_the_answer_and_glued_frames_are_each_found(before: bytes, between: bytes) -> None:
    wires = [encode_frame(POLL), encode_frame(POLL), encode_frame(CARD), encode_frame(SEALED)]
    data = before + b"\xff" + wires[0] + wires[1] + between + b"\xff\xff" + wires[2] + wires[3]
    found = [piece.frame for piece in scan("osdp", data) if piece.frame is not None]
    if b"S" in before + between:  # what looks like a beginning may swallow what follows it, but nothing is made up
        assert all(frame in (POLL, CARD, SEALED) for frame in found)
    else:
        assert found == [POLL, POLL, CARD, SEALED]


def test_a_frame_is_told_with_its_last_byte() -> None:
    wire = encode_command(1, 0x6B, bytes(6))
    line = scanner("osdp")
    told = [line.feed(wire[place : place + 1]) for place in range(len(wire))]
    assert [piece.frame is not None for found in told[-1:] for piece in found][-1]
    assert not any(piece.frame for found in told[:-1] for piece in found)


def test_a_length_that_no_frame_has_begins_none() -> None:
    for length in (6, LONGEST + 1):
        with pytest.raises(MalformedFrame):
            decode_frame(b"S\x01" + length.to_bytes(2, "little") + bytes(2000))
