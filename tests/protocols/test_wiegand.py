"""Wiegand: the usual formats, and no card from a flipped bit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ChecksumMismatch, LengthMismatch, MalformedFrame
from protocols.wiegand import decode_card, decode_wiegand, encode_card, wiegand_capture


@pytest.mark.parametrize(
    ("bits", "facility", "card"),
    [
        # jessety/wiegand-encoder, tests/decode.test.ts
        ("00101101000000001010001000", 90, 324),
        ("10101101100000100110010111", 91, 1227),
        ("10000111000000010110001111", 14, 711),
        ("01111111111111111111111111", 255, 65535),
        ("00000000000000000000000001", 0, 0),
        # RfidResearchGroup/proxmark3, "wiegand decode --raw 2006F623AE": facility 123, card 4567
        (f"{0x2006F623AE & (1 << 26) - 1:026b}", 123, 4567),
        # jessety/wiegand-encoder, README: its 34 bits of 90 and 324, cut at 10 and 22; H10306 cuts them at 16
        ("0000101101000000000000001010001000", 90 << 6, 324),
    ],
)
def test_a_card_of_another_implementation_is_read_and_written_the_same(bits: str, facility: int, card: int) -> None:
    found = decode_wiegand(bits)
    assert (found.facility, found.card, found.bits) == (facility, card, len(bits))
    assert encode_card(len(bits), facility, card) == int(bits, 2)


def test_the_middle_bit_of_37_is_in_both_parities() -> None:
    middle = 1 << 18  # data bit 18 of 35, by wiegand_formats.c: even over 1..18, odd over 18..35
    found = decode_card(37, 1 << 36 | middle)
    assert (found.format, found.facility, found.card) == ("H10304", 0, 1 << 17)


@given(st.sampled_from([26, 34, 37]), st.data())
def test_no_flipped_bit_makes_another_card(bits: int, data: st.DataObject) -> None:
    sizes = {26: (8, 16), 34: (16, 16), 37: (16, 19)}[bits]
    facility, card = (data.draw(st.integers(0, (1 << size) - 1)) for size in sizes)
    number = encode_card(bits, facility, card)
    assert decode_card(bits, number).card == card
    with pytest.raises(ChecksumMismatch):
        decode_card(bits, number ^ 1 << data.draw(st.integers(0, bits - 1)))


def test_another_length_is_kept_raw_and_what_is_no_card_is_refused() -> None:
    found = decode_wiegand("1" * 32)
    assert (found.format, found.facility, found.card, found.hex) == ("raw", None, None, "ffffffff")
    with pytest.raises(LengthMismatch):
        decode_wiegand("0" * 65)
    with pytest.raises(MalformedFrame):
        decode_wiegand("0120")


def test_a_capture_names_the_fields_and_calls_a_wrong_parity_a_checksum() -> None:
    (frame,) = wiegand_capture("0010 1101 0000 0000 1010 0010 00")["frames"]
    assert frame["ok"]
    assert frame["header"] == {"bits": 26, "format": "H10301", "facility": 90, "card": 324, "number": "b40288"}
    (frame,) = wiegand_capture("10101101000000001010001000")["frames"]
    assert (frame["ok"], frame["error"]["kind"], frame["values"]) == (False, "checksum", [])
