"""M-Bus frames are believed only when whole, wherever in a stream they stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ChecksumMismatch, LengthMismatch, MalformedFrame, ProtocolError, TruncatedFrame
from protocols.framing import scan, scanner
from protocols.mbus import frame as link
from protocols.mbus.frame import Frame

ACK = bytes.fromhex("E5")
METER = bytes.fromhex("68 13 13 68 08 05 73 78 56 34 12 0A 00 E9 7E 01 00 00 00 35 01 00 00 3C 16".replace(" ", ""))

byte = st.integers(0, 255)
long_frames = st.builds(Frame, byte, byte, byte, st.binary(max_size=link.MAX_DATA))
frames = st.one_of(st.just(Frame()), st.builds(Frame, byte, byte), long_frames)


def good(data: bytes) -> list[Frame]:
    return [piece.frame for piece in scan("mbus", data) if piece.frame is not None]


def test_canonical_requests() -> None:
    assert link.encode_reset(1).hex(" ") == "10 40 01 41 16"
    assert link.encode_request(1, fcb=True).hex(" ") == "10 7b 01 7c 16"
    assert link.encode_request(253, fcb=False).hex(" ") == "10 5b fd 58 16"


def test_each_format_has_its_name_and_its_speaker() -> None:
    told = [
        link.decode_frame(bytes.fromhex(it)) for it in ("E5", "105B015C16", "6803036808 0570 7D16".replace(" ", ""))
    ]
    assert [(frame.kind, frame.is_response) for frame in told] == [("ack", True), ("short", False), ("control", True)]
    assert link.decode_frame(METER).is_user_data


@given(frames)
def test_what_is_written_is_read(frame: Frame) -> None:
    assert link.decode_frame(link.encode_frame(frame)) == frame


def test_more_data_than_a_frame_holds_is_not_written() -> None:
    with pytest.raises(ValueError, match="at most 252"):
        link.encode_frame(Frame(8, 1, 0x72, bytes(253)))


@given(long_frames)
def test_a_frame_cut_anywhere_is_an_error(frame: Frame) -> None:
    data = link.encode_frame(frame)
    for end in range(len(data)):
        with pytest.raises(TruncatedFrame):
            link.decode_frame(data[:end])


@pytest.mark.parametrize("data", [METER, link.encode_request(7, fcb=True)])
def test_every_flipped_bit_is_an_error(data: bytes) -> None:
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError):
            link.decode_frame(bytes(damaged))


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        ("", TruncatedFrame),
        ("E5E5", LengthMismatch),
        ("00", MalformedFrame),
        ("68 03 04 68", MalformedFrame),
        ("68 02 02 68 08 05 0D 16", LengthMismatch),
        ("10 5B 01 5D 16", ChecksumMismatch),
        ("10 5B 01 5C 17", MalformedFrame),
        ("10 5B 01 5C 16 00", LengthMismatch),
    ],
)
def test_what_is_wrong_is_said(wire: str, error: type[ProtocolError]) -> None:
    with pytest.raises(error):
        link.decode_frame(bytes.fromhex(wire.replace(" ", "")))


@given(st.binary(max_size=300))
def test_random_bytes_are_a_frame_or_a_protocol_error(data: bytes) -> None:
    try:
        frame = link.decode_frame(data)
    except ProtocolError:
        return
    assert link.encode_frame(frame) == data


@given(st.lists(long_frames, min_size=1, max_size=4), st.integers(1, 7))
def test_frames_glued_together_are_found_however_they_come(sent: list[Frame], step: int) -> None:
    data = b"".join(map(link.encode_frame, sent))
    assert [link.decode_frame(piece) for piece in link.split(data)] == sent
    found = scanner("mbus")
    pieces = [piece for start in range(0, len(data), step) for piece in found.feed(data[start : start + step])]
    assert [piece.frame for piece in (*pieces, *found.flush())] == sent


def test_an_echo_stands_before_its_answer() -> None:
    asked = link.encode_reset(1)
    assert good(asked + ACK) == [link.decode_frame(asked), Frame()]


def test_noise_is_passed_over() -> None:
    assert good(b"\x00\xff\x68\x05" + METER + b"\x16\x10") == [link.decode_frame(METER)]


def test_an_acknowledgement_is_not_found_inside_a_damaged_frame() -> None:
    data = link.encode_frame(Frame(8, 1, 0x72, bytes.fromhex("01E502E5E503")))
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        assert good(bytes(damaged)) == []


def test_bytes_that_are_not_frames_one_behind_another_are_not_split() -> None:
    for data in (METER[:-1], METER + b"\x00", b"\x68\x03"):
        with pytest.raises(MalformedFrame):
            link.split(data)
