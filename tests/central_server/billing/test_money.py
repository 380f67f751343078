"""Money is exact, rounded once, and split without losing a fen."""

from decimal import Decimal, Inexact, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_server.billing.money import EXACT, plain, round_fen, split_fen, yuan

weights = st.lists(st.decimals(min_value=0, max_value=10**9, places=6), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("exact", "fen"),
    [("112.00365", 11200), ("0.005", 1), ("0.00499999", 0), ("34.735", 3474), ("2.675", 268), ("0", 0), ("-0.005", -1)],
)
def test_halves_round_away_from_zero(exact: str, fen: int) -> None:
    assert round_fen(Decimal(exact)) == fen


def test_an_amount_of_many_digits_is_rounded_exactly() -> None:
    assert round_fen(Decimal("123456789012345678901234567890.00499999999999999999")) == 12345678901234567890123456789000


def test_arithmetic_that_would_lose_a_digit_is_an_error_and_not_a_guess() -> None:
    with localcontext(EXACT), pytest.raises(Inexact):
        Decimal(1) / Decimal(3)


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (5, "0.05"), (11200, "112.00"), (-7, "-0.07"), (-12345, "-123.45")]
)
def test_fen_print_as_yuan_with_two_places(fen: int, text: str) -> None:
    assert yuan(fen) == text


def test_a_decimal_prints_without_an_exponent() -> None:
    assert [plain(Decimal(text)) for text in ("1E+3", "1E-7", "2.50")] == ["1000", "0.0000001", "2.50"]


def test_a_shared_cost_over_areas_gives_every_fen_away() -> None:
    areas = [Decimal(text) for text in ("89.37", "120.55", "64.02", "89.37", "143.88", "97.41", "55.00")]
    assert [yuan(fen) for fen in split_fen(6690, areas)] == ["9.07", "12.23", "6.49", "9.06", "14.59", "9.88", "5.58"]


def test_a_month_handed_over_in_the_middle_splits_to_its_sum() -> None:
    assert split_fen(23671, [Decimal(15), Decimal(15)]) == (11836, 11835)


@given(total=st.integers(0, 10**12), by=weights)
def test_parts_sum_to_the_whole_and_none_is_a_fen_off_its_share(total: int, by: list[Decimal]) -> None:
    whole = sum(map(Fraction, by), Fraction(0))
    if not whole:
        return
    parts = split_fen(total, by)
    assert sum(parts) == total
    assert all(abs(part - Fraction(weight) * total / whole) < 1 for part, weight in zip(parts, by, strict=True))


@given(total=st.integers(0, 10**6), by=weights)
def test_of_equal_weights_the_first_is_never_given_less(total: int, by: list[Decimal]) -> None:
    if not sum(by):
        return
    parts = split_fen(total, by + by)
    assert all(first >= second for first, second in zip(parts[: len(by)], parts[len(by) :], strict=True))


@pytest.mark.parametrize(
    ("total", "by"), [(1, [Decimal(0)]), (1, []), (-1, [Decimal(1)]), (1, [Decimal(-1), Decimal(2)])]
)
def test_what_cannot_be_split_is_refused(total: int, by: list[Decimal]) -> None:
    with pytest.raises(ValueError, match=r"split"):
        split_fen(total, by)
