"""A BCD field is a number, or says honestly that it is none."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.bcd import decode_bcd, encode_bcd
from protocols.quantity import Quality, Quantity


def test_low_byte_comes_first_and_no_place_is_lost() -> None:
    value = decode_bcd(bytes.fromhex("00341200"), decimals=2, unit="kWh").value
    assert str(value) == "1234.00"


def test_fill_is_not_available() -> None:
    assert decode_bcd(b"\xff\xff\xff", unit="A", is_signed=True) == Quantity(None, "A", Quality.NOT_AVAILABLE)


@pytest.mark.parametrize("data", ["0A", "A0", "12FF", "FF12", ""])
def test_what_is_not_bcd_is_invalid_and_has_no_value(data: str) -> None:
    assert decode_bcd(bytes.fromhex(data), unit="V") == Quantity(None, "V", Quality.INVALID)


def test_sign_is_the_top_bit_of_a_signed_field_only() -> None:
    assert decode_bcd(bytes.fromhex("563480"), decimals=4, is_signed=True).value == Decimal("-0.3456")
    assert decode_bcd(bytes.fromhex("563480"), decimals=4).value == Decimal("80.3456")


@given(st.integers(1, 6), st.integers(0, 4), st.booleans(), st.data())
def test_what_is_written_is_read(length: int, decimals: int, is_signed: bool, data: st.DataObject) -> None:
    top = 8 * 10 ** (2 * length - 1) - 1 if is_signed else 10 ** (2 * length) - 1
    value = Decimal(data.draw(st.integers(-top if is_signed else 0, top))).scaleb(-decimals)
    wire = encode_bcd(value, length, decimals=decimals, is_signed=is_signed)
    assert len(wire) == length
    assert decode_bcd(wire, decimals=decimals, is_signed=is_signed) == Quantity(value, "")


@given(st.binary(max_size=8), st.booleans())
def test_any_bytes_give_a_value_or_a_reason(data: bytes, is_signed: bool) -> None:
    quantity = decode_bcd(data, decimals=2, is_signed=is_signed)
    assert (quantity.value is None) == (quantity.quality is not Quality.GOOD)


@pytest.mark.parametrize(
    ("value", "length", "decimals", "is_signed"),
    [("100", 1, 0, False), ("0.001", 4, 2, False), ("-1", 2, 0, False), ("80", 1, 0, True), ("-80", 1, 0, True)],
)
def test_what_does_not_fit_is_refused(value: str, length: int, decimals: int, is_signed: bool) -> None:
    with pytest.raises(ValueError, match=r"fit|places|sign"):
        encode_bcd(Decimal(value), length, decimals=decimals, is_signed=is_signed)
