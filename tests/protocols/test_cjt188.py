"""CJ/T 188 frames are believed only when whole, and an answer only when it is ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import cjt188
from protocols.cjt188 import Frame
from protocols.errors import ApplicationError, MalformedFrame, ProtocolError, TruncatedFrame
from protocols.framing import scan

METER = "00000805000001"
ANSWER = bytes.fromhex("681044332211003378 8116 1F9000 007766552C 007766552C 31012211051520 2184 1316")

addresses = st.text("0123456789", min_size=14, max_size=14)
frames = st.builds(Frame, st.integers(0, 255), addresses, st.integers(0, 255), st.binary(max_size=100))


def test_canonical_requests() -> None:
    read = cjt188.encode_read(cjt188.COLD_WATER, cjt188.WILDCARD, cjt188.CURRENT_DATA, 0)
    assert read.hex() == "fefefe6810aaaaaaaaaaaaaa01031f9000d116"
    other = cjt188.encode_read(cjt188.COLD_WATER, METER, cjt188.CURRENT_DATA, 0, "901F", preamble=0)
    assert other.hex() == "6810010000050800000103901f003916"


@given(frames)
def test_what_is_written_is_read(frame: Frame) -> None:
    assert cjt188.decode_frame(cjt188.encode_frame(frame, 0)) == frame


@given(frames)
def test_a_frame_cut_anywhere_is_an_error(frame: Frame) -> None:
    data = cjt188.encode_frame(frame, 0)
    for end in range(len(data)):
        with pytest.raises(TruncatedFrame):
            cjt188.decode_frame(data[:end])


def test_every_flipped_bit_is_an_error() -> None:
    for bit in range(8 * len(ANSWER)):
        damaged = bytearray(ANSWER)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError):
            cjt188.decode_frame(bytes(damaged))


@given(st.binary(max_size=200))
def test_random_bytes_are_an_error_and_nothing_else(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        cjt188.decode_frame(b"\x68" + data + b"\x17")


@pytest.mark.parametrize("di", [0x901F, 0x810A, 0xA017, 0xA018, 0xD120, 0xD12B, 0xA101, 0xD390, 0xD410])
@pytest.mark.parametrize("order", ["901F", "1F90"])
def test_an_identifier_reads_the_same_in_both_orders(di: int, order: cjt188.DiOrder) -> None:
    frame = cjt188.decode_frame(cjt188.encode_read(0x10, METER, di, 7, order, preamble=0))
    assert (frame.di, frame.ser) == (di, 7)


def test_an_identifier_that_could_be_read_either_way_is_read_low_byte_first() -> None:
    assert Frame(0x10, METER, 0x81, bytes.fromhex("D3D400")).di == 0xD4D3


def test_a_frame_without_data_has_no_identifier_and_no_sequence() -> None:
    assert (Frame(0x10, METER, 0x01).di, Frame(0x10, METER, 0x01).ser) == (None, None)


REQUEST = Frame(0x10, METER, cjt188.READ, bytes.fromhex("1F9005"))


@pytest.mark.parametrize(
    "asked",
    [
        REQUEST,
        Frame(0x11, METER, 0x01, REQUEST.data),
        Frame(0xAA, METER, 0x01, REQUEST.data),
        Frame(0x10, cjt188.WILDCARD, 0x01, REQUEST.data),
    ],
)
@pytest.mark.parametrize("data", ["1F9005", "901F05"])
def test_the_answer_to_a_request_is_accepted(asked: Frame, data: str) -> None:
    cjt188.match_response(asked, Frame(0x10, METER, 0x81, bytes.fromhex(data) + bytes(19)))


@pytest.mark.parametrize(
    "answer",
    [
        REQUEST,
        Frame(0x10, METER, 0x83, bytes.fromhex("1F9005")),
        Frame(0x30, METER, 0x81, bytes.fromhex("1F9005")),
        Frame(0x10, "00000805000002", 0x81, bytes.fromhex("1F9005")),
        Frame(0x10, METER, 0x81, bytes.fromhex("20D105")),
        Frame(0x10, METER, 0x81, bytes.fromhex("1F9006")),
        Frame(0x10, METER, 0x81, b""),
        Frame(0x10, METER, 0xC1, bytes.fromhex("1F900602")),
    ],
)
def test_somebody_elses_or_a_late_answer_is_refused(answer: Frame) -> None:
    with pytest.raises(MalformedFrame):
        cjt188.match_response(REQUEST, answer)


def test_a_refusal_has_its_status() -> None:
    wire = cjt188.encode_error_response(REQUEST, 0x02, address=METER, meter_type=0x10, preamble=0)
    with pytest.raises(ApplicationError) as refused:
        cjt188.match_response(REQUEST, cjt188.decode_frame(wire))
    assert refused.value.code == 2


def test_a_refusal_may_carry_a_sequence_number_and_a_status_alone() -> None:
    refusal = Frame(0x10, METER, 0xC1, bytes.fromhex("051122"))
    assert (refusal.di, refusal.ser, refusal.payload) == (None, 5, b"\x11\x22")
    with pytest.raises(ApplicationError, match="1122"):
        cjt188.match_response(REQUEST, refusal)
    with pytest.raises(MalformedFrame):
        cjt188.match_response(REQUEST, Frame(0x10, METER, 0xC1, bytes.fromhex("061122")))


def test_a_valve_is_ordered_in_either_order() -> None:
    opened = cjt188.encode_valve(0x10, "00000019121301", 1, 0x55, "901F")
    assert opened.hex(" ").upper() == "FE FE FE 68 10 01 13 12 19 00 00 00 04 04 A0 17 01 55 CC 16"
    closed = cjt188.encode_valve(0x30, "00000000000003", 1, 0x99)
    assert closed.hex(" ").upper() == "FE FE FE 68 30 03 00 00 00 00 00 00 04 04 17 A0 01 99 F4 16"


@given(frames, st.integers(1, 5))
def test_a_frame_is_found_behind_its_echo_and_among_its_like(frame: Frame, count: int) -> None:
    data = cjt188.encode_frame(frame)
    found = [piece.frame for piece in scan("cjt188", data * count) if piece.frame is not None]
    assert found == [frame] * count
