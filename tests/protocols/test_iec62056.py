"""Mode C messages and P1 telegrams: only what passes its check is believed, and OBIS values keep their digits."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import iec62056, p1
from protocols.errors import ApplicationError, ChecksumMismatch, MalformedFrame, ProtocolError, TruncatedFrame
from protocols.framing import scan, scanner
from protocols.obis import channel_of, normal_obis, parse_lines, readings
from protocols.quantity import Quality, Quantity

READOUT = "F.F(00)\r\n1.8.0(001234.56*kWh)\r\n1.8.1*05(001000.00*kWh)\r\n1.6.0(01.234*kW)(2611231230)\r\n!\r\n"
TELEGRAM = p1.encode_telegram("ISk5\\2MT382-1000", "1-3:0.2.8(50)\r\n1-0:1.8.1(000004.426*kWh)\r\n")
DIALOGUE = (
    iec62056.encode_request("12345678"),
    iec62056.encode_identification("ISk", "5", "MT174-0001"),
    iec62056.encode_selection("5"),
    iec62056.encode_data(READOUT),
)

texts = st.text("0123456789.()*kWhV-:\r\n", max_size=80)


def test_the_dialogue_is_what_other_programs_send() -> None:
    assert iec62056.encode_request() == b"/?!\r\n"
    assert DIALOGUE[2] == b"\x06050\r\n"
    assert iec62056.encode_selection("5", is_programming=True) == b"\x06051\r\n"
    assert (
        iec62056.encode_data("3:14(314*kWh)4:15(415*kWh)\r\n!\r\n") == b'\x023:14(314*kWh)4:15(415*kWh)\r\n!\r\n\x03"'
    )
    assert iec62056.decode_message(b"\x01R1\x021.8.0(1)\x03k").command == "R1"
    assert iec62056.decode_message(DIALOGUE[1]).baudrate == 9600


def test_a_dialogue_is_found_byte_by_byte_between_noise() -> None:
    frames = scanner("iec62056-21")
    found = [
        piece for byte in b"\xff\x00" + b"".join(DIALOGUE) + b"\x7f" for piece in frames.feed(bytes((byte,)))
    ] + frames.flush()
    kinds = [piece.frame.kind for piece in found if piece.frame is not None]
    assert kinds == ["request", "identification", "selection", "data"]


@given(texts)
def test_a_block_is_read_as_it_was_written(text: str) -> None:
    assert iec62056.decode_message(iec62056.encode_data(text)).text == text


@given(st.data(), texts)
def test_no_flipped_bit_of_a_block_is_believed(data: st.DataObject, text: str) -> None:
    wire = bytearray(iec62056.encode_data(text))
    bit = data.draw(st.integers(0, 8 * len(wire) - 1))
    wire[bit // 8] ^= 1 << bit % 8
    assert not [
        piece for piece in scan("iec62056-21", bytes(wire)) if piece.frame is not None and piece.frame.kind == "data"
    ]


def test_no_flipped_bit_of_a_telegram_is_believed_and_no_part_of_it() -> None:
    for bit in range(8 * len(TELEGRAM)):
        damaged = bytearray(TELEGRAM)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError):
            p1.decode_telegram(bytes(damaged))
    for end in range(len(TELEGRAM)):
        with pytest.raises(TruncatedFrame):
            p1.decode_telegram(TELEGRAM[:end] or b"/")


@given(st.binary(max_size=200) | st.text("/\x01\x02\x03\x06!\r\nABC5().*", max_size=200).map(str.encode))
def test_any_bytes_are_told_or_refused(data: bytes) -> None:
    for protocol in ("iec62056-21", "p1"):
        assert b"".join(piece.data for piece in scan(protocol, data)) == data
    for decode in (iec62056.decode_message, p1.decode_telegram):
        with contextlib.suppress(ProtocolError):
            decode(data)


@given(st.text(max_size=200))
def test_any_text_is_data_sets_or_malformed(text: str) -> None:
    try:
        found = readings(parse_lines(text))
    except MalformedFrame:
        return
    assert all(it.quantity.value is None or it.quantity.quality is Quality.GOOD for it in found)


@pytest.mark.parametrize(
    "evil",
    [b"/" * 9000, b"\x02" * 9000, b"/ABC5x\r\n\r\n" * 900, b"\x01R1\x02" * 3000, b"\x02" + b"a" * 30000, b"/?!" * 4000],
)
def test_bytes_made_to_hold_a_scanner_up_do_not(evil: bytes) -> None:
    for protocol in ("iec62056-21", "p1"):
        assert b"".join(piece.data for piece in scan(protocol, evil)) == evil


def test_a_telegram_that_must_have_a_check_is_not_believed_without_it() -> None:
    with pytest.raises(ChecksumMismatch, match="no CRC"):
        p1.decode_telegram(p1.encode_telegram("ISk5x", "1-3:0.2.8(50)\r\n", has_check=False))
    old = p1.decode_telegram(p1.encode_telegram("ISk5x", "1-0:1.8.1(00001.001*kWh)\r\n", has_check=False))
    assert not old.has_check


def test_values_have_name_tariff_and_past() -> None:
    error, total, past, demand = readings(parse_lines(READOUT))
    assert (error.name, error.text) == ("errorCode", "00")
    assert (total.name, total.quantity, total.storage) == (
        "energyImportTotal",
        Quantity(Decimal("1234.56"), "kWh"),
        None,
    )
    assert (past.name, past.tariff, past.storage) == ("energyImportTariff1", 1, 5)
    assert (demand.name, demand.quantity.unit, demand.at) == ("demandImportMax", "kW", "2026-11-23T12:30:00")


@pytest.mark.parametrize(
    ("field", "quality"),
    [("--------*kWh", Quality.NOT_AVAILABLE), ("12a4*kWh", Quality.INVALID), ("*kWh", Quality.INVALID)],
)
def test_a_field_that_is_no_number_gives_none(field: str, quality: Quality) -> None:
    (got,) = readings(parse_lines(f"1.8.0({field})"))
    assert got.quantity == Quantity(None, "kWh", quality)


def test_gas_is_told_with_its_channel_and_instant_in_both_ways_of_writing() -> None:
    new = "0-1:24.1.0(003)\r\n0-1:24.2.1(101209112500W)(12785.123*m3)"
    old = "0-1:24.1.0(3)\r\n0-1:24.3.0(101209110000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(00001.001)"
    for text, value, at in ((new, "12785.123", "2010-12-09T11:25:00"), (old, "1.001", "2010-12-09T11:00:00")):
        gas = readings(parse_lines(text))[1]
        assert (gas.name, gas.channel, gas.at) == ("gasVolume", 1, at)
        assert gas.quantity == Quantity(Decimal(value), "m3")


def test_addresses_are_compared_in_one_form() -> None:
    assert [normal_obis(text) for text in ("1-0:1.8.0*255", "1.8.0", "C.1", "nonsense")] == [
        "1.8.0",
        "1.8.0",
        "C.1.0",
        None,
    ]
    assert (channel_of("0-2:24.2.1"), channel_of("1-0:1.8.0")) == (2, 0)


@pytest.mark.parametrize("text", ["ERROR", "(ERROR)", "ER01"])
def test_a_meters_refusal_is_its_own_error(text: str) -> None:
    with pytest.raises(ApplicationError):
        iec62056.decode_readings(iec62056.decode_message(iec62056.encode_data(text)))
    with pytest.raises(ApplicationError, match="NAK"):
        iec62056.decode_readings(iec62056.decode_message(b"\x15"))


@pytest.mark.parametrize("address", ["1!", "a" * 33, "é"])
def test_an_address_that_mode_c_does_not_have_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        iec62056.encode_request(address)
