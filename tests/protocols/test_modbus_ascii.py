"""Modbus ASCII, held against pymodbus's framer."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer.ascii import FramerAscii
from pymodbus.pdu import DecodePDU

from protocols.errors import ProtocolError
from protocols.modbus import Frame
from protocols.modbus_ascii import decode_ascii, encode_ascii

PEER = FramerAscii(DecodePDU(False))
frames = st.builds(Frame, st.integers(1, 247), st.binary(min_size=1, max_size=253))


@given(frames)
def test_what_is_written_is_read_back_and_as_another_implementation_writes_it(frame: Frame) -> None:
    wire = encode_ascii(frame)
    assert wire == PEER.encode(frame.pdu, frame.device_id, 0)
    assert decode_ascii(wire) == frame
    assert decode_ascii(wire.lower()) == frame, "some devices write small letters"


@given(frames, st.data())
def test_a_flipped_bit_is_never_believed(frame: Frame, data: st.DataObject) -> None:
    wire = bytearray(encode_ascii(frame))
    bit = data.draw(st.integers(0, 8 * len(wire) - 1))
    wire[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(ProtocolError):
        assert decode_ascii(bytes(wire)) == frame, "only the case of a letter may have changed"


@pytest.mark.parametrize(
    "wire", [b"", b":", b":0103\r\n", b":0103006400029\r\n", b"0103006400029695\r\n", b":01030064000296"]
)
def test_what_is_no_message_is_refused(wire: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_ascii(wire)
