"""Numbers keep every digit, and one kind of quantity has one unit."""

import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.quantity import (
    UNITS,
    Quality,
    Quantity,
    canonical,
    canonical_unit,
    decimal_from_float32,
    from_scaled,
    to_scaled,
)


@pytest.mark.parametrize(
    ("given_value", "unit", "expected", "expected_unit"),
    [
        ("1.234", "kW", "1234.000", "W"),
        ("1500", "Wh", "1.500", "kWh"),
        ("12345", "L", "12.345", "m3"),
        ("2", "bar", "200", "kPa"),
        ("230.1", "V", "230.1", "V"),
    ],
)
def test_a_quantity_has_one_canonical_unit(given_value: str, unit: str, expected: str, expected_unit: str) -> None:
    got = canonical(Quantity(Decimal(given_value), unit))
    assert (got.value, got.unit) == (Decimal(expected), expected_unit)


def test_a_missing_value_stays_missing_in_the_canonical_unit() -> None:
    assert canonical(Quantity(None, "kW", Quality.NOT_AVAILABLE)) == Quantity(None, "W", Quality.NOT_AVAILABLE)


def test_every_canonical_unit_is_its_own() -> None:
    assert all(canonical_unit(canonical_unit(unit)) == canonical_unit(unit) for unit in UNITS)


@given(st.integers(0, 9_999_99))
def test_a_register_of_six_digits_survives_its_float32(hundredths: int) -> None:
    value = Decimal(hundredths).scaleb(-2)
    (wire,) = struct.unpack(">f", struct.pack(">f", float(value)))
    assert decimal_from_float32(wire) == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_shortest_decimal_packs_to_the_same_four_bytes(value: float) -> None:
    assert struct.pack(">f", float(decimal_from_float32(value))) == struct.pack(">f", value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_a_number_is_no_value(value: float) -> None:
    with pytest.raises(ValueError, match="not a number"):
        decimal_from_float32(value)


@given(st.integers(-(2**62) + 1, 2**62 - 1), st.integers(-18, 18))
def test_a_scaled_value_keeps_its_digits_and_its_places(mantissa: int, exponent: int) -> None:
    value = from_scaled(mantissa, exponent)
    assert value.as_tuple().exponent == exponent
    if exponent <= 0:
        assert to_scaled(value) == (mantissa, exponent)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12))
def test_every_decimal_that_can_be_kept_is_its_mantissa_and_its_exponent(value: Decimal) -> None:
    sign, digits, exponent = value.as_tuple()
    try:
        mantissa, got = to_scaled(value)
    except ValueError:
        assert not -18 <= int(exponent) <= 18 or len(digits) > 18
    else:
        assert (mantissa, got) == ((-1) ** sign * int("".join(map(str, digits))), exponent)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1E-19", "1E+30", "9223372036854775807"])
def test_a_value_no_reading_can_keep_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"finite|places|digits"):
        to_scaled(Decimal(text))
