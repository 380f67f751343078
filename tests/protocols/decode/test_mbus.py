"""What ``edge decode mbus`` says beside what the published captures show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.decode import decode_capture
from protocols.decode.mbus import explain
from protocols.decode.value import Keys, Refused
from protocols.mbus import frame as link
from protocols.mbus.frame import RSP_UD, Frame
from tests.protocols.mbus.test_telegram import KEY, VOLUME, enciphered

HEADER = bytes.fromhex("17588506 2D2C 08 04 07 04".replace(" ", ""))


def test_a_damaged_record_is_told_and_what_came_before_is_kept() -> None:
    wire = link.encode_frame(Frame(RSP_UD, 5, 0x72, HEADER + b"\x00\x00" + VOLUME + b"\x0c\x06\x78"))
    (told,) = decode_capture("mbus", wire)["frames"]
    assert told["ok"]
    assert told["header"]["partial"] == "truncated: a record is cut short (1 of 4 bytes)"
    assert told["header"]["status"] == ["power-low"]
    assert [(value["name"], value["value"]) for value in told["values"]] == [("volume", "1.000")]


def test_which_value_it_is_stands_beside_it_where_it_is_not_the_current_one() -> None:
    records = VOLUME + bytes.fromhex("DB1013 000000 04933B 01000000".replace(" ", ""))
    wire = link.encode_frame(Frame(RSP_UD, 5, 0x72, HEADER + b"\x00\x00" + records))
    current, stored, forward = decode_capture("mbus", wire)["frames"][0]["values"]
    assert set(current) == {"name", "value", "unit", "quality"}
    assert (stored["function"], stored["storage"], stored["tariff"]) == ("maximum", 1, 1)
    assert forward["qualifiers"] == "forward"


def test_enciphered_content_needs_its_key() -> None:
    content = enciphered((b"\x2f\x2f" + VOLUME).ljust(16, b"\x2f"))
    wire = link.encode_frame(Frame(RSP_UD, 5, 0x72, HEADER + b"\x10\x05" + content))
    (refused,) = decode_capture("mbus", wire)["frames"]
    assert (refused["error"]["kind"], refused["values"]) == ("unsupported", [])
    assert refused["header"]["address"] == 5
    (told,) = decode_capture("mbus", wire, Keys(key=KEY))["frames"]
    assert told["values"][0]["value"] == "1.000"


def test_a_selection_too_short_is_refused() -> None:
    with pytest.raises(Refused, match="8 bytes"):
        explain(Frame(0x53, 253, 0x52, bytes(7)), None, Keys())


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=80))
def test_any_content_of_a_right_frame_is_told(control: int, ci: int, data: bytes) -> None:
    wire = link.encode_frame(Frame(control, 1, ci, data))
    (told,) = decode_capture("mbus", wire)["frames"]
    assert told["ok"] or not told["values"]
