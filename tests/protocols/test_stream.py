"""A scanner finds every frame whatever stands around it, loses no byte and keeps few."""

from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols import cjt188, dlt645, modbus
from protocols.errors import ProtocolError, TruncatedFrame
from protocols.framing import FRAMINGS, scan, scanner
from protocols.mbus import frame as mbus
from protocols.stream import Found

REGISTERS = modbus.encode_read_registers_response(3, [17254, 13108, 0, 9])
# protocol -> a request and its answer, without preambles
PAIRS = {
    "dlt645": (
        dlt645.encode_read("123456789012", 0x00010000, 0),
        dlt645.encode_read_response("123456789012", 0x00010000, dlt645.encode_value(0x00010000, Decimal("1234.56")), 0),
    ),
    "cjt188": (
        cjt188.encode_read(0x10, "00000805000001", 0x901F, 5, preamble=0),
        bytes.fromhex("6810010000050800008109901F0500230100 00FF E716"),
    ),
    "modbus-rtu": (
        modbus.encode_rtu(modbus.Frame(7, modbus.encode_read_request(3, 0, 4))),
        modbus.encode_rtu(modbus.Frame(7, REGISTERS)),
    ),
    "modbus-tcp": (
        modbus.encode_tcp(modbus.Frame(7, modbus.encode_read_request(3, 0, 4), 513)),
        modbus.encode_tcp(modbus.Frame(7, REGISTERS, 513)),
    ),
    "mbus": (
        mbus.encode_request(5, fcb=True),
        bytes.fromhex("6813136808057378563412 0A00E97E 01000000 35010000 3C16"),
    ),
}
CHECKED = ("dlt645", "cjt188", "modbus-rtu", "mbus")
SERIAL = ("dlt645", "cjt188")
protocols = st.sampled_from(sorted(PAIRS))
garbage = st.binary(max_size=60)
# Bytes that look like the beginning of something.
traps = st.lists(st.sampled_from([0x68, 0x16, 0xFE, 0x00, 0x10, 0x91, 0x03]), max_size=40).map(bytes)


def good(found: list[Found]) -> list[bytes]:
    return [piece.data for piece in found if piece.frame is not None]


def whole(found: list[Found]) -> bytes:
    """Put the pieces together again, and see that the offsets are right."""
    data = b""
    for piece in found:
        assert piece.offset == len(data)
        assert piece.data
        data += piece.data
    return data


@given(protocols, st.one_of(garbage, traps), st.lists(st.integers(1, 30), max_size=20))
def test_no_byte_is_lost_or_told_twice_however_it_comes(protocol: str, noise: bytes, cuts: list[int]) -> None:
    data = noise + b"".join(PAIRS[protocol]) + noise
    frames = scanner(protocol)
    found, rest = [], data
    for cut in cuts:
        found += frames.feed(rest[:cut])
        rest = rest[cut:]
    found += [*frames.feed(rest), *frames.flush()]
    assert whole(found) == data


@pytest.mark.parametrize("protocol", PAIRS)
def test_a_frame_is_told_with_its_last_byte_when_bytes_come_one_by_one(protocol: str) -> None:
    frames = scanner(protocol)
    for frame in PAIRS[protocol]:
        told = [frames.feed(frame[place : place + 1]) for place in range(len(frame))]
        assert not any(told[:-1])
        assert good(told[-1]) == [frame]


@pytest.mark.parametrize("protocol", PAIRS)
def test_glued_frames_and_an_echo_are_frames_of_their_own(protocol: str) -> None:
    request, answer = PAIRS[protocol]
    assert good(scan(protocol, request + answer + answer + request)) == [request, answer, answer, request]


@pytest.mark.parametrize("protocol", SERIAL)
@pytest.mark.parametrize("count", range(14))
def test_any_preamble_is_noise(protocol: str, count: int) -> None:
    answer = PAIRS[protocol][1]
    found = scan(protocol, b"\xfe" * count + answer + b"\x00\xff")
    assert [(piece.is_noise, piece.data) for piece in found][-2:] == [(False, answer), (True, b"\x00\xff")]
    assert len(found) == 2 + (count > 0)


@given(st.sampled_from(CHECKED), garbage)
def test_garbage_before_a_frame_does_not_hide_it(protocol: str, noise: bytes) -> None:
    request, answer = PAIRS[protocol]
    assert answer in good(scan(protocol, noise + answer))
    assert good(scan(protocol, noise + request + answer))[-1] == answer


@given(st.sampled_from(SERIAL), st.one_of(garbage, traps))
@example("dlt645", b"\x68")
@example("cjt188", b"\x68\x10\xaa\x68")
def test_garbage_does_not_delay_a_frame_on_a_live_line(protocol: str, noise: bytes) -> None:
    answer = PAIRS[protocol][1]
    frames = scanner(protocol)
    found = frames.feed(noise)
    for place in range(len(answer)):
        found += frames.feed(answer[place : place + 1])
    assert good(found)[-1:] == [answer] or good(found + frames.flush())[-1:] == [answer]


@pytest.mark.parametrize("protocol", SERIAL)
@pytest.mark.parametrize("noise", [b"\x68", b"\x68\x10\xaa", b"\x68\x68\x68", b"\x68" * 30, b"\x68\xff\x16"])
def test_a_false_start_is_noise_and_the_frame_behind_it_comes_at_once(protocol: str, noise: bytes) -> None:
    answer = PAIRS[protocol][1]
    found = scanner(protocol).feed(noise + answer)
    assert good(found) == [answer]
    assert len(noise) > 3 or [piece.is_noise for piece in found] == [True, False]


def test_a_false_start_swallows_no_frame_whose_end_is_still_to_come() -> None:
    # The false length ends inside the true frame, before the true frame is whole.
    answer = PAIRS["cjt188"][1]
    false = bytes.fromhex("6810010203040506078103AABB")
    frames = scanner("cjt188")
    found = frames.feed(false + answer[:6])
    found += frames.feed(answer[6:])
    assert good(found) == [answer]


def test_a_false_start_that_ends_right_by_chance_swallows_no_frame() -> None:
    # The sixth byte of the true frame is a 16, just where the false one has its end.
    answer = cjt188.encode_frame(cjt188.Frame(0x10, "00001612345678", 0x81, bytes(9)), 0)
    false = bytes.fromhex("6810010203040506078100")
    for length in range(20):
        end = cjt188.OVERHEAD + length - len(false)
        false = false[:-1] + bytes((length,))
        frames = scanner("cjt188")
        found = frames.feed((false + answer)[: len(false) + end])
        found += frames.feed((false + answer)[len(false) + end :])
        assert good(found) == [answer]
        assert whole(found + frames.flush()) == false + answer


def test_a_damaged_frame_that_holds_a_start_is_still_one_bad_frame() -> None:
    answer = bytearray(dlt645.encode_read_response("123456789012", 0x00010000, bytes.fromhex("12343535"), 0))
    answer[-2] ^= 1
    assert answer[-3] == 0x68
    frames = scanner("dlt645")
    (bad,) = [*frames.feed(bytes(answer)), *frames.flush()]
    assert bad.data == answer
    request = PAIRS["dlt645"][0]
    assert [piece.data for piece in scanner("dlt645").feed(bytes(answer) + request)] == [answer, request]


@pytest.mark.parametrize("protocol", SERIAL)
def test_a_frame_cut_anywhere_is_never_good_and_hides_no_later_one(protocol: str) -> None:
    request, answer = PAIRS[protocol]
    for end in range(1, len(answer)):
        alone = scan(protocol, answer[:end])
        assert [type(piece.error) for piece in alone] == [TruncatedFrame]
        assert good(scan(protocol, answer[:end] + request)) == [request]
        assert good(scan(protocol, answer[:end] + b"\xfe" * 4 + request)) == [request]


@pytest.mark.parametrize("protocol", SERIAL)
def test_a_frame_cut_late_and_followed_by_another_is_a_bad_frame(protocol: str) -> None:
    request, answer = PAIRS[protocol]
    cut, fill, last = scan(protocol, answer[:-3] + b"\xfe\xfe" + request)
    assert (type(cut.error), cut.data) == (TruncatedFrame, answer[:-3])
    assert (fill.is_noise, fill.data, last.data) == (True, b"\xfe\xfe", request)


@pytest.mark.parametrize("protocol", CHECKED)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_flipped_bit_gives_no_frame_and_spoils_no_other(protocol: str, is_first: bool) -> None:
    for other, frame in (PAIRS[protocol], PAIRS[protocol][::-1]):
        for bit in range(8 * len(frame)):
            damaged = bytearray(frame)
            damaged[bit // 8] ^= 1 << bit % 8
            data = bytes(damaged) + other if is_first else other + bytes(damaged)
            found = scan(protocol, data)
            assert good(found) == [other]
            assert whole(found) == data


@given(protocols, st.binary(max_size=600))
def test_random_bytes_raise_nothing_and_every_good_frame_is_one(protocol: str, data: bytes) -> None:
    found = scan(protocol, data)
    assert whole(found) == data
    for piece in found:
        if piece.frame is not None:
            assert FRAMINGS[protocol].decode(piece.data) == piece.frame


@settings(max_examples=30)
@given(protocols, st.one_of(st.binary(min_size=1, max_size=40), traps.filter(bool)), st.integers(1, 200))
def test_the_buffer_is_bounded(protocol: str, pattern: bytes, repeat: int) -> None:
    frames = scanner(protocol)
    for _ in range(repeat):
        frames.feed(pattern)
        assert len(frames._buffer) <= FRAMINGS[protocol].max_buffer
        assert len(frames._noise) < FRAMINGS[protocol].max_buffer


def test_a_megabyte_at_once_is_no_more_than_its_pieces() -> None:
    request, _ = PAIRS["dlt645"]
    data = (b"\x68\x00\x55" * 300 + request) * 100
    frames = scanner("dlt645")
    found = [*frames.feed(data), *frames.flush()]
    assert len(good(found)) == 100
    assert whole(found) == data


def test_a_long_tcp_answer_is_not_cut_by_what_looks_like_a_frame_inside_it() -> None:
    inner = modbus.encode_tcp(modbus.Frame(1, modbus.encode_read_request(3, 0, 4), 0))
    words = [inner[place] << 8 | inner[place + 1] for place in range(0, len(inner), 2)] * 10
    answer = modbus.encode_tcp(modbus.Frame(1, modbus.encode_read_registers_response(3, words), 9))
    frames = scanner("modbus-tcp")
    found = [piece for place in range(len(answer)) for piece in frames.feed(answer[place : place + 1])]
    assert [piece.data for piece in found] == [answer]


def test_a_false_tcp_header_does_not_hide_the_message_behind_it() -> None:
    request, answer = PAIRS["modbus-tcp"]
    false = bytes.fromhex("0000 0000 0009 01 03")
    assert good(scan("modbus-tcp", false + request + answer)) == [request, answer]


def test_a_frame_with_a_bad_check_is_bad_as_a_whole() -> None:
    answer = bytearray(PAIRS["dlt645"][1])
    answer[-2] ^= 1
    (found,) = scan("dlt645", bytes(answer))
    assert isinstance(found.error, ProtocolError)
    assert found.error.kind == "checksum"
