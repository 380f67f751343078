"""Secondary addresses, as printed, as sent, and as patterns."""

import pytest

from protocols.errors import MalformedFrame
from protocols.mbus.address import (
    decode_secondary,
    encode_secondary,
    manufacturer_code,
    manufacturer_letters,
    parse_secondary,
)

KAMSTRUP = "068558172D2C0804"


def test_an_address_is_sent_as_the_meters_header_has_it() -> None:
    wire = bytes.fromhex("17588506 2D2C 08 04".replace(" ", ""))
    own = decode_secondary(wire)
    assert (own.identification, manufacturer_letters(own.manufacturer), own.text) == ("06855817", "KAM", KAMSTRUP)
    assert encode_secondary(parse_secondary(KAMSTRUP)) == wire


@pytest.mark.parametrize(
    "pattern", ["06855817", "0685FFFF", "FFFFFFFF2D2CFFFF", "FFFFFFFFFFFF08FF", "ffffffffffffff04"]
)
def test_a_wildcard_stands_for_anything(pattern: str) -> None:
    assert parse_secondary(pattern).fits(parse_secondary(KAMSTRUP))


@pytest.mark.parametrize("pattern", ["06855818", "FFFFFFFF2D2DFFFF", "FFFFFFFFFFFF09FF", "FFFFFFFFFFFFFF07"])
def test_what_differs_elsewhere_does_not_fit(pattern: str) -> None:
    assert not parse_secondary(pattern).fits(parse_secondary(KAMSTRUP))


@pytest.mark.parametrize("text", ["", "1", "0685581", "0685581A", "06855817XXXXXXXX", "068558172D2C080"])
def test_another_text_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="eight digits"):
        parse_secondary(text)


def test_eight_bytes_and_no_others_are_an_address() -> None:
    with pytest.raises(MalformedFrame):
        decode_secondary(bytes(7))


def test_a_manufacturer_is_three_letters() -> None:
    assert manufacturer_letters(manufacturer_code("LUG")) == "LUG"
    assert manufacturer_letters(0xFFFF) == "FFFF"
    with pytest.raises(ValueError, match="capital"):
        manufacturer_code("lug")
