"""What a use costs: the worked examples, and what must hold for every tariff."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_server.billing.model import RegisterWentBack, Tier, Version, consumption, price
from central_server.billing.money import yuan
from central_server.billing.tariff import load_tariffs

TARIFFS = load_tariffs()
ON = date(2026, 10, 1)


def version(code: str, on: date = ON) -> Version:
    found = TARIFFS[code].version_on(on)
    assert found is not None
    return found


@st.composite
def tiered(draw: st.DrawFn) -> Version:
    bounds = sorted(draw(st.sets(st.decimals(min_value="0.01", max_value=10**4, places=2), max_size=5)))
    lowers, uppers = [Decimal(0), *bounds], [*bounds, None]
    prices = [draw(st.decimals(min_value=0, max_value=10, places=8)) for _ in lowers]
    tiers = tuple(
        Tier(lower, upper, each, (each / 2, each / 2))
        for lower, upper, each in zip(lowers, uppers, prices, strict=True)
    )
    components = version("beijing-water-residential").components[:2]
    return Version(date(2020, 1, 1), "tiered", "year", tiers, components, "", "")


uses = st.decimals(min_value=0, max_value=10**5, places=6)


def test_electricity_that_crosses_a_tier_is_rounded_once() -> None:
    priced = price(version("beijing-electricity-residential"), Decimal("215.5"), Decimal(2800), ON)
    assert [(part.quantity, part.tier.price) for part in priced.tiers] == [
        (Decimal(80), Decimal("0.4883")),
        (Decimal("135.5"), Decimal("0.5383")),
    ]
    assert priced.exact == Decimal("112.00365")
    assert yuan(priced.total_fen) == "112.00"
    assert [yuan(part.fen) for part in priced.tiers] == ["39.06", "72.94"]


def test_water_that_crosses_a_tier_splits_into_its_three_components() -> None:
    priced = price(version("beijing-water-residential"), Decimal("10.5"), Decimal(176), ON)
    assert yuan(priced.total_fen) == "65.50"
    assert [(part.component.key, yuan(part.fen)) for part in priced.components] == [
        ("water", "34.74"),
        ("resource", "16.48"),
        ("sewage", "14.28"),
    ]


def test_the_upper_bound_of_a_tier_belongs_to_the_next() -> None:
    beijing = version("beijing-electricity-residential")
    assert [part.tier.price for part in price(beijing, Decimal(2880), Decimal(0), ON).tiers] == [Decimal("0.4883")]
    assert [part.tier.price for part in price(beijing, Decimal(1), Decimal(2880), ON).tiers] == [Decimal("0.5383")]


@pytest.mark.parametrize(
    ("on", "total"),
    [
        (date(2026, 4, 30), "202.58"),
        (date(2026, 5, 1), "199.58"),
        (date(2026, 10, 31), "199.58"),
        (date(2026, 11, 1), "202.58"),
    ],
)
def test_monthly_tiers_are_wider_in_summer(on: date, total: str) -> None:
    # Winter 200 x 0.66286875 + 98.2 x 0.71286875, summer 260 x 0.66286875 + 38.2 x 0.71286875.
    shenzhen = version("shenzhen-electricity-residential", on)
    assert yuan(price(shenzhen, Decimal("298.2"), Decimal(0), on).total_fen) == total


def test_a_flat_price_takes_no_account_of_what_came_before() -> None:
    flat = version("flat-electricity")
    assert price(flat, Decimal("10.01"), Decimal(99999), ON).total_fen == 801


def test_no_use_costs_nothing_in_every_component() -> None:
    priced = price(version("beijing-water-residential"), Decimal(0), Decimal(176), ON)
    assert (priced.total_fen, priced.tiers) == (0, ())
    assert [part.fen for part in priced.components] == [0, 0, 0]


def test_a_register_of_nineteen_digits_is_priced_to_the_last() -> None:
    flat = version("flat-electricity")
    assert price(flat, Decimal("4611686018427.387903"), Decimal(0), ON).exact == Decimal("3689348814741.91032240")


@given(each=tiered(), use=uses, before=uses)
def test_parts_sum_to_the_whole(each: Version, use: Decimal, before: Decimal) -> None:
    priced = price(each, use, before, ON)
    assert sum(part.quantity for part in priced.tiers) == use
    assert sum(part.exact for part in priced.tiers) == priced.exact
    assert sum(part.fen for part in priced.tiers) == priced.total_fen
    assert sum(part.fen for part in priced.components) == priced.total_fen
    assert abs(priced.total_fen - Fraction(priced.exact) * 100) <= Fraction(1, 2)


@given(each=tiered(), use=uses, more=uses, before=uses)
def test_more_use_never_costs_less(each: Version, use: Decimal, more: Decimal, before: Decimal) -> None:
    assert price(each, use + more, before, ON).total_fen >= price(each, use, before, ON).total_fen


@given(each=tiered(), first=uses, second=uses, before=uses)
def test_two_periods_of_one_year_cost_what_one_would(
    each: Version, first: Decimal, second: Decimal, before: Decimal
) -> None:
    apart = price(each, first, before, ON).exact + price(each, second, before + first, ON).exact
    assert apart == price(each, first + second, before, ON).exact


def test_consumption_is_the_difference_times_the_multiplier() -> None:
    ratio_40 = consumption(Decimal("1234.56"), Decimal("1235.06"), Decimal(40))
    ratio_60 = consumption(Decimal("1235.06"), Decimal("1236.11"), Decimal(60))
    assert (ratio_40, ratio_60, ratio_40 + ratio_60) == (Decimal("20.00"), Decimal("63.00"), Decimal("83.00"))


scaled = st.builds(Decimal.scaleb, st.integers(0, 2**62 - 1).map(Decimal), st.integers(-9, 0))


@given(one=scaled, other=scaled, multiplier=st.decimals(min_value="0.000001", max_value=10**6, places=6))
def test_consumption_keeps_every_digit(one: Decimal, other: Decimal, multiplier: Decimal) -> None:
    opening, closing = sorted([one, other])
    assert Fraction(consumption(opening, closing, multiplier)) == (Fraction(closing) - Fraction(opening)) * Fraction(
        multiplier
    )


def test_a_register_that_went_back_is_not_consumption() -> None:
    with pytest.raises(RegisterWentBack, match=r"went back from 99990\.25 to 12\.75"):
        consumption(Decimal("99990.25"), Decimal("12.75"), Decimal(1))


@pytest.mark.parametrize("multiplier", ["0", "-1"])
def test_a_multiplier_is_above_zero(multiplier: str) -> None:
    with pytest.raises(ValueError, match=r"above zero"):
        consumption(Decimal(0), Decimal(1), Decimal(multiplier))


@pytest.mark.parametrize(("use", "before"), [("-1", "0"), ("1", "-1")])
def test_use_is_never_negative(use: str, before: str) -> None:
    with pytest.raises(ValueError, match=r"zero or more"):
        price(version("flat-electricity"), Decimal(use), Decimal(before), ON)
