"""Who a Modbus device says it is, and what is no such answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.decode import decode_capture
from protocols.errors import ApplicationError, ProtocolError, TruncatedFrame
from protocols.modbus import Frame, encode_rtu, encode_tcp
from protocols.modbus_identity import (
    decode_identity_response,
    encode_identity_request,
    encode_identity_response,
)

# The example of the specification, section 6.21: a company's name is cut to what fits here.
ANSWER = bytes.fromhex("2b0e010100000300") + b"\x16Company identification" + b"\x01\x0dProduct code " + b"\x02\x05V2.11"
TEXTS = {0: "Company identification", 1: "Product code", 2: "V2.11"}


def test_vendor_product_and_revision_are_read() -> None:
    found = decode_identity_response(ANSWER)
    assert (found.texts, found.next_object) == (TEXTS, None)


def test_a_device_with_more_to_say_tells_where_to_go_on() -> None:
    assert decode_identity_response(bytes.fromhex("2b0e0202ff0500")).next_object == 5


def test_a_refusal_is_the_devices_own() -> None:
    with pytest.raises(ApplicationError, match="illegal function"):
        decode_identity_response(bytes.fromhex("ab01"))


@pytest.mark.parametrize("end", range(2, len(ANSWER)))
def test_half_an_answer_is_none(end: int) -> None:
    with pytest.raises(TruncatedFrame):
        decode_identity_response(ANSWER[:end])


@given(st.binary(max_size=60))
def test_anything_may_arrive(data: bytes) -> None:
    for pdu in (data, b"\x2b\x0e" + data):
        try:
            decode_identity_response(pdu)
        except ProtocolError:
            continue


def test_a_captured_question_and_answer_are_explained_on_both_transports() -> None:
    texts = {0: "Eastron", 1: "SDM630"}
    pdus = (encode_identity_request(), encode_identity_response(texts))
    rtu = b"".join(encode_rtu(Frame(3, pdu)) for pdu in pdus)
    tcp = b"".join(encode_tcp(Frame(3, pdu, 7)) for pdu in pdus)
    for protocol, data in (("modbus-rtu", rtu), ("modbus-tcp", tcp)):
        frames = decode_capture(protocol, data)["frames"]
        assert [frame["ok"] for frame in frames] == [True, True], protocol
        assert [value["value"] for value in frames[1]["values"]] == ["Eastron", "SDM630"]
