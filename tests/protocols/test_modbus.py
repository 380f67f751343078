"""Modbus messages survive both envelopes, and an answer to something else is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import modbus
from protocols.errors import (
    ApplicationError,
    ChecksumMismatch,
    LengthMismatch,
    MalformedFrame,
    ProtocolError,
    TruncatedFrame,
    Unsupported,
)
from protocols.modbus import Frame, Request

pdus = st.binary(min_size=1, max_size=modbus.MAX_PDU)


@given(st.integers(0, 255), pdus, st.integers(0, 65535))
def test_both_envelopes_give_back_what_they_got(device_id: int, pdu: bytes, transaction: int) -> None:
    assert modbus.decode_rtu(modbus.encode_rtu(Frame(device_id, pdu))) == Frame(device_id, pdu)
    framed = Frame(device_id, pdu, transaction)
    assert modbus.decode_tcp(modbus.encode_tcp(framed)) == framed


@given(st.integers(0, 255), st.binary(min_size=1, max_size=30))
def test_a_message_cut_anywhere_is_an_error(device_id: int, pdu: bytes) -> None:
    whole = modbus.encode_tcp(Frame(device_id, pdu, 1))
    for end in range(len(whole)):
        with pytest.raises(TruncatedFrame):
            modbus.decode_tcp(whole[:end])
    serial = bytes.fromhex("0104044366 33341B38")
    for end in range(len(serial)):
        with pytest.raises(ProtocolError):
            modbus.decode_rtu(serial[:end])


@given(st.integers(0, 255), pdus, st.data())
def test_any_flipped_bit_of_a_serial_message_is_found(device_id: int, pdu: bytes, data: st.DataObject) -> None:
    damaged = bytearray(modbus.encode_rtu(Frame(device_id, pdu)))
    bit = data.draw(st.integers(0, 8 * len(damaged) - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ChecksumMismatch):
        modbus.decode_rtu(bytes(damaged))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("0001 0001 0006 01 03 0000 0001", MalformedFrame),
        ("0001 0000 0001 01 03", LengthMismatch),
        ("0001 0000 00FF 01 03", LengthMismatch),
        ("0001 0000 0006 01 03 0000 0001 00", LengthMismatch),
    ],
)
def test_a_wrong_envelope_is_refused(data: str, error: type[ProtocolError]) -> None:
    with pytest.raises(error):
        modbus.decode_tcp(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("pdu", "expected"),
    [
        ("03 006B 0003", Request(3, 0x6B, 3)),
        ("01 0013 07D0", Request(1, 0x13, 2000)),
        ("05 00AC FF00", Request(5, 0xAC, 1, (1,))),
        ("05 00AC 0000", Request(5, 0xAC, 1, (0,))),
        ("06 0001 0003", Request(6, 1, 1, (3,))),
        ("0F 0013 000A 02 CD01", Request(15, 0x13, 10, (1, 0, 1, 1, 0, 0, 1, 1, 1, 0))),
        ("10 0001 0002 04 000A 0102", Request(16, 1, 2, (10, 258))),
    ],
)
def test_requests_are_read(pdu: str, expected: Request) -> None:
    assert modbus.decode_request(bytes.fromhex(pdu)) == expected
    modbus.check_pdu(bytes.fromhex(pdu))


@pytest.mark.parametrize(
    ("pdu", "error"),
    [
        ("", TruncatedFrame),
        ("03 006B", TruncatedFrame),
        ("03 006B 0003 00", LengthMismatch),
        ("03 0000 0000", MalformedFrame),
        ("03 0000 007E", MalformedFrame),
        ("03 FFFF 0002", MalformedFrame),
        ("02 0000 07D1", MalformedFrame),
        ("05 0000 0001", MalformedFrame),
        ("10 0001 0002 03 000A 0102", LengthMismatch),
        ("10 0001 0002 04 000A", LengthMismatch),
        ("2B 0E 01 00 00", Unsupported),
    ],
)
def test_wrong_requests_are_refused(pdu: str, error: type[ProtocolError]) -> None:
    with pytest.raises(error):
        modbus.decode_request(bytes.fromhex(pdu))


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=125), st.sampled_from([3, 4]))
def test_registers_are_answered_as_they_are(words: list[int], function: int) -> None:
    pdu = modbus.encode_read_registers_response(function, words)
    modbus.check_pdu(pdu)
    assert modbus.decode_registers_response(pdu, function, len(words)) == tuple(words)
    with pytest.raises(LengthMismatch):
        modbus.decode_registers_response(pdu, function, len(words) + 1)
    with pytest.raises(LengthMismatch):
        modbus.decode_registers_response(pdu[:-1], function, len(words))
    with pytest.raises(MalformedFrame):
        modbus.decode_registers_response(pdu, 7 - function, len(words))


@given(st.lists(st.booleans(), min_size=1, max_size=2000), st.sampled_from([1, 2]))
def test_bits_are_answered_as_they_are(bits: list[bool], function: int) -> None:
    pdu = modbus.encode_read_bits_response(function, bits)
    assert modbus.decode_bits_response(pdu, function, len(bits)) == tuple(bits)


def test_an_exception_is_the_devices_own_refusal() -> None:
    with pytest.raises(ApplicationError, match="illegal data address") as refused:
        modbus.decode_registers_response(modbus.encode_exception(3, 2), 3, 1)
    assert refused.value.code == 2


@given(st.binary(max_size=20), st.sampled_from(modbus.READS), st.integers(1, 10))
def test_random_bytes_are_a_protocol_error_or_an_answer(pdu: bytes, function: int, count: int) -> None:
    decode = modbus.decode_bits_response if function < 3 else modbus.decode_registers_response
    with contextlib.suppress(ProtocolError):
        assert len(decode(pdu, function, count)) == count
    with contextlib.suppress(ProtocolError):
        modbus.decode_request(pdu)
