"""Raw advertisements, whole and broken."""

import pytest
from bluetooth_data_tools import parse_advertisement_data_tuple
from hypothesis import given
from hypothesis import strategies as st

from protocols.ble.advertisement import decode_advertisement, mac_bytes, mac_text, short_uuid
from protocols.errors import LengthMismatch, MalformedFrame, ProtocolError, TruncatedFrame

WHOLE = bytes.fromhex("020106 0B094449592D73656E736F72 0A16D2FC4002C40903BF13 05FF4C001005")


def test_an_advertisement_is_read_by_name_service_and_company() -> None:
    heard = decode_advertisement(WHOLE, address="A4:C1:38:11:22:33", rssi=-61)
    assert (heard.address, heard.rssi, heard.local_name) == ("A4:C1:38:11:22:33", -61, "DIY-sensor")
    assert heard.service_data == {"fcd2": bytes.fromhex("4002C40903BF13")}
    assert heard.manufacturer_data == {0x004C: bytes.fromhex("1005")}


def test_a_whole_uuid_is_written_as_people_write_it() -> None:
    wire = bytes.fromhex("1221" + bytes(range(16)).hex() + "AA")
    assert decode_advertisement(wire).service_data == {"0f0e0d0c-0b0a-0908-0706-050403020100": b"\xaa"}
    assert decode_advertisement(bytes.fromhex("0720 D2FC0000 4001")).service_data == {"fcd2": b"\x40\x01"}


def test_the_whole_name_is_told_and_not_the_short_one() -> None:
    assert decode_advertisement(bytes.fromhex("0309 4142 0208 41")).local_name == "AB"
    assert decode_advertisement(bytes.fromhex("0208 41")).local_name == "A"


def test_a_name_cannot_steer_a_terminal() -> None:
    assert decode_advertisement(b"\x05\x09\x1b[2J").local_name == "\N{REPLACEMENT CHARACTER}[2J"


def test_zeros_end_an_advertisement_and_nothing_else_may_follow() -> None:
    assert decode_advertisement(WHOLE + bytes(5)) == decode_advertisement(WHOLE)
    with pytest.raises(MalformedFrame):
        decode_advertisement(WHOLE + b"\0\x01")


@pytest.mark.parametrize(
    ("wire", "error"), [("0309 41", TruncatedFrame), ("0216 D2", LengthMismatch), ("02FF 4C", LengthMismatch)]
)
def test_a_broken_element_is_told(wire: str, error: type[ProtocolError]) -> None:
    with pytest.raises(error):
        decode_advertisement(bytes.fromhex(wire))


@pytest.mark.parametrize("text", ["FCD2", "0xfcd2", "fcd2", " 0000FCD2-0000-1000-8000-00805F9B34FB "])
def test_a_uuid_has_one_short_name(text: str) -> None:
    assert short_uuid(text) == "fcd2"


def test_an_address_is_six_bytes_in_the_order_people_read_it() -> None:
    assert mac_bytes("a4:c1:38:11:22:33") == bytes.fromhex("A4C138112233")
    assert mac_text(bytes.fromhex("A4C138112233")) == "A4:C1:38:11:22:33"
    assert mac_bytes("5F2B3C1E-0000-4000-8000-00000000AA55") is None  # what macOS gives


@given(st.lists(st.tuples(st.sampled_from([0x01, 0x09, 0x16, 0x20, 0x21, 0xFF]), st.binary(max_size=24)), max_size=4))
def test_what_can_be_read_agrees_with_bluetooth_data_tools(elements: list[tuple[int, bytes]]) -> None:
    wire = b"".join(bytes((1 + len(body), kind)) + body for kind, body in elements)
    try:
        ours = decode_advertisement(wire)
    except ProtocolError:
        return  # it passes over what we refuse
    _, _, services, makers, _ = parse_advertisement_data_tuple((wire,))
    assert dict(ours.manufacturer_data) == makers
    assert dict(ours.service_data) == {short_uuid(uuid): data for uuid, data in services.items()}


@given(st.binary(max_size=64))
def test_any_bytes_raise_only_protocol_errors(wire: bytes) -> None:
    try:
        decode_advertisement(wire)
    except ProtocolError:
        return
