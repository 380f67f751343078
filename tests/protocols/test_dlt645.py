"""DL/T 645 frames are believed only when whole, and an answer only when it is ours."""

import pytest
from dlt645.protocol.protocol import DLT645Protocol
from hypothesis import given
from hypothesis import strategies as st

from protocols import dlt645
from protocols.dlt645 import Frame
from protocols.errors import (
    ApplicationError,
    ChecksumMismatch,
    LengthMismatch,
    MalformedFrame,
    ProtocolError,
    TruncatedFrame,
)

METER = "123456789012"
ANSWER = bytes.fromhex("68129078563412689108333334338967453354 16".replace(" ", ""))

addresses = st.text("0123456789", min_size=12, max_size=12)
frames = st.builds(Frame, addresses, st.integers(0, 255), st.binary(max_size=200))


def test_canonical_requests() -> None:
    assert dlt645.encode_frame(Frame(dlt645.WILDCARD, dlt645.READ_ADDRESS), 0).hex() == "68aaaaaaaaaaaa681300df16"
    read = dlt645.encode_read(dlt645.WILDCARD, 0x00010000)
    assert read.hex() == "fefefefe68aaaaaaaaaaaa68110433333433ae16"


@given(frames)
def test_what_is_written_is_read(frame: Frame) -> None:
    assert dlt645.decode_frame(dlt645.encode_frame(frame, 0)) == frame


@given(frames)
def test_another_implementation_reads_and_writes_the_same_frames(frame: Frame) -> None:
    # It takes the address as bytes in the order of the wire, so nothing is said of its own order.
    wire = dlt645.encode_address(frame.address)
    ours = dlt645.encode_frame(frame, 4)
    assert bytes(DLT645Protocol.build_frame(wire, frame.control, frame.data)) == ours
    theirs = DLT645Protocol.deserialize(ours)
    assert theirs is not None
    assert (theirs.addr, theirs.ctrl_code, bytes(theirs.data)) == (wire, frame.control, frame.data)


@given(frames)
def test_a_frame_cut_anywhere_is_an_error(frame: Frame) -> None:
    data = dlt645.encode_frame(frame, 0)
    for end in range(len(data)):
        with pytest.raises(TruncatedFrame):
            dlt645.decode_frame(data[:end])


def test_every_flipped_bit_is_an_error() -> None:
    for bit in range(8 * len(ANSWER)):
        damaged = bytearray(ANSWER)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError):
            dlt645.decode_frame(bytes(damaged))


@given(frames, st.data())
def test_any_flipped_bit_of_any_frame_is_an_error(frame: Frame, data: st.DataObject) -> None:
    damaged = bytearray(dlt645.encode_frame(frame, 0))
    bit = data.draw(st.integers(0, 8 * len(damaged) - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProtocolError):
        dlt645.decode_frame(bytes(damaged))


@given(st.binary(max_size=300))
def test_random_bytes_are_an_error_and_nothing_else(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        dlt645.decode_frame(b"\x68" + data + b"\x17")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({0: 0x69}, MalformedFrame),
        ({7: 0x69}, MalformedFrame),
        ({9: 0xC9}, LengthMismatch),
        ({9: 7}, LengthMismatch),
        ({9: 9}, TruncatedFrame),
        ({-1: 0x17}, MalformedFrame),
        ({-2: 0x55}, ChecksumMismatch),
        ({1: 0x1C, -2: 0x5E}, MalformedFrame),
    ],
)
def test_each_fault_has_its_own_name(change: dict[int, int], error: type[ProtocolError]) -> None:
    damaged = bytearray(ANSWER)
    for place, byte in change.items():
        damaged[place] = byte
    with pytest.raises(error):
        dlt645.decode_frame(bytes(damaged))


@pytest.mark.parametrize("address", ["", "12345", "1234567890123", "12345678901B", "12345678901 "])
def test_an_address_is_twelve_digits(address: str) -> None:
    with pytest.raises(ValueError, match="twelve digits"):
        dlt645.encode_read(address, 0)


def request(address: str = METER, di: int = 0x00010000) -> Frame:
    return Frame(address, dlt645.READ, di.to_bytes(4, "little"))


def test_the_answer_to_a_request_is_accepted() -> None:
    answer = dlt645.decode_frame(ANSWER)
    dlt645.match_response(request(), answer)
    dlt645.match_response(request(dlt645.WILDCARD), answer)
    dlt645.match_response(request("AAAAAA789012"), answer)


@pytest.mark.parametrize(
    "answer",
    [
        request(),  # our own echo
        Frame("123456789013", 0x91, bytes.fromhex("0000010000000000")),
        Frame(METER, 0x91, bytes.fromhex("0001010000000000")),
        Frame(METER, 0x91, b""),
        Frame(METER, 0x93, bytes.fromhex("129078563412")),
        Frame(dlt645.WILDCARD, 0x91, bytes.fromhex("0000010000000000")),
        Frame("123456789013", 0xD1, b"\x02"),  # a refusal to somebody else
    ],
)
def test_somebody_elses_answer_is_refused(answer: Frame) -> None:
    with pytest.raises(MalformedFrame):
        dlt645.match_response(request(), answer)


def test_a_refusal_says_why_and_keeps_the_wire_byte() -> None:
    wire = dlt645.encode_error_response(METER, dlt645.READ, 0x02, 0)
    with pytest.raises(ApplicationError, match=r"no such data.*wire byte 35") as refused:
        dlt645.match_response(request(), dlt645.decode_frame(wire))
    assert refused.value.code == 0x02


def test_a_refusal_may_give_no_reason() -> None:
    with pytest.raises(ApplicationError, match="no reason"):
        dlt645.match_response(request(), Frame(METER, 0xD1))
