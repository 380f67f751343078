"""What a DL/T 645 meter is told is laid out as the sheet says, and read back by the meter's side."""

import contextlib
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import dlt645, dlt645_1997
from protocols import dlt645_command as command
from protocols.decode import decode_capture
from protocols.dlt645_command import Authority, ControlOrder
from protocols.errors import ProtocolError

METER = "123456789012"
WHO = Authority(2, "123456", "1234")
UNTIL = datetime(2026, 11, 23, 20, 2, 5)  # noqa: DTZ001 - a meter's clock has no zone


def data_of(frame: dlt645.Frame) -> str:
    return frame.data.hex()


def test_a_trip_is_laid_out_as_in_the_sheet() -> None:
    frame = command.control_request(METER, ControlOrder(WHO, command.TRIP, UNTIL))
    assert frame.control == 0x1C
    assert data_of(frame) == "02" + "563412" + "34120000" + "1a00" + "050220231126"


@pytest.mark.parametrize("action", command.CONTROLS)
def test_every_action_of_a_relay_is_read_back(action: int) -> None:
    order = ControlOrder(Authority(4, "000001", "00000042"), action, UNTIL)
    assert command.decode_control(command.control_request(METER, order)) == order


def test_writes_carry_password_and_operator_before_the_data() -> None:
    frame = command.write_request(METER, 0x04000103, WHO, b"\x15")
    assert data_of(frame) == "03010004" + "02563412" + "34120000" + "15"
    old = command.change_password_request(METER, 0x04000C03, WHO, Authority(2, "654321"))
    assert data_of(old) == "030c0004" + "02563412" + "02214365"
    assert data_of(command.clear_request(METER, command.CLEAR_DEMAND, WHO)) == "0256341234120000"
    assert data_of(command.clear_request(METER, command.CLEAR_EVENTS, WHO)) == "0256341234120000ffffffff"


def test_broadcasts_go_to_everybody_and_addresses_to_whoever_is_alone() -> None:
    clock = command.broadcast_time(UNTIL)
    assert (clock.address, clock.control, data_of(clock)) == ("999999999999", 0x08, "050220231126")
    freeze = command.freeze_request(hour=0, minute=0)
    assert (freeze.address, freeze.control, data_of(freeze)) == ("999999999999", 0x16, "00009999")
    assert data_of(command.freeze_request(METER)) == "99999999"
    given_address = command.write_address_request(METER)
    assert (given_address.address, data_of(given_address)) == ("AAAAAAAAAAAA", "129078563412")
    assert data_of(command.change_baud_request(METER, 9600)) == "20"
    assert data_of(command.follow_request(METER, 0x00010000, 3)) == "0000010003"


@pytest.mark.parametrize("password", ["", "12345", "1234567", "12345a", "\uff11" * 6])
def test_a_password_is_six_digits(password: str) -> None:
    with pytest.raises(ValueError, match="six digits"):
        command.encode_authority(Authority(2, password))


def test_what_the_protocol_does_not_have_is_never_sent() -> None:
    with pytest.raises(ValueError, match="no rate"):
        command.change_baud_request(METER, 115200)
    with pytest.raises(ValueError, match="no action"):
        command.control_request(METER, ControlOrder(WHO, 0x99, UNTIL))
    with pytest.raises(ValueError, match="clears nothing"):
        command.clear_request(METER, dlt645.READ, WHO)
    with pytest.raises(ValueError, match="operator"):
        command.encode_authority(Authority(2, "123456", "zhang"))


def test_a_capture_of_a_trip_tells_everything_but_the_password() -> None:
    wire = dlt645.encode_frame(command.control_request(METER, ControlOrder(WHO, command.TRIP, UNTIL)), 0)
    (frame,) = decode_capture("dlt645", wire)["frames"]
    assert [(value["name"], value["value"]) for value in frame["values"]] == [
        ("action", "trip"),
        ("operator", "00001234"),
        ("expiresAt", "2026-11-23T20:02:05"),
    ]
    assert "123456" not in str(frame["values"])


@given(st.integers(0, 255), st.binary(max_size=40))
def test_any_command_is_described_or_damaged_and_nothing_else(control: int, data: bytes) -> None:
    frame = dlt645.Frame(METER, control, data)
    assert all(isinstance(text, str) for pair in command.describe(frame) for text in pair)
    for read in (command.decode_control, lambda it: command.decode_authority(it.data)):
        with contextlib.suppress(ProtocolError):
            read(frame)


@given(st.integers(0, 0xFFFF) | st.sampled_from(sorted(dlt645_1997.ITEMS)), st.binary(max_size=24))
def test_any_payload_of_1997_is_values_or_unsupported(di: int, payload: bytes) -> None:
    try:
        values = dlt645_1997.decode_values(di, payload)
    except ProtocolError:
        return
    assert values
    assert all(value.quantity.value is None or value.quantity.quality == 0 for value in values)


def test_a_follow_up_is_matched_by_its_number() -> None:
    request = command.follow_request(METER, 0x00010000, 2)
    for sequence, fits in ((1, False), (2, True), (3, False)):
        answer = dlt645.Frame(METER, 0x92, bytes.fromhex("00000100") + b"\x55" + bytes((sequence,)))
        assert answer.payload == b"\x55"
        if fits:
            dlt645.match_response(request, answer)
        else:
            with pytest.raises(ProtocolError):
                dlt645.match_response(request, answer)
