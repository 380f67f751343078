"""The right order of a measurement stands out, and what the display says settles the rest."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge_agent.order import plausible, readings
from protocols.register import ORDERS, TYPE_LENGTH, encode_registers


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("value", ["229.9", "49.98", "0.97", "1.5", "20417.35"])
def test_a_float_of_the_grid_is_known_in_any_order(value: str, order: str) -> None:
    best = plausible(readings(encode_registers(Decimal(value), "f32", order)))
    assert best is not None
    assert (best.type, best.order, best.value) == ("f32", order, Decimal(value))


def test_what_the_display_says_settles_an_integer_with_a_hidden_point() -> None:
    words = encode_registers(Decimal(2041735), "u32", "CDAB")
    best = plausible(readings(words, Decimal("20417.35")))
    assert best is not None
    assert (best.type, best.order, best.value) == ("u32", "CDAB", Decimal(2041735))


def test_zeros_say_nothing() -> None:
    assert plausible(readings([0, 0])) is None


@given(st.sampled_from(sorted(TYPE_LENGTH)), st.sampled_from(ORDERS), st.integers(1, 9999))
def test_the_true_way_is_always_among_the_best_when_the_display_is_known(name: str, order: str, number: int) -> None:
    assume(TYPE_LENGTH[name] > 1 or order in ("ABCD", "BADC"))
    value = Decimal(number)
    found = readings(encode_registers(value, name, order), value)
    best = [it for it in found if it.score == found[0].score]
    assert any((it.type, it.order) == (name, order) for it in best)


@given(st.sampled_from((1, 2, 4)), st.data())
def test_any_registers_are_read_in_every_way_and_raise_nothing(count: int, data: st.DataObject) -> None:
    words = data.draw(st.lists(st.integers(0, 0xFFFF), min_size=count, max_size=count))
    expected = data.draw(st.none() | st.decimals(-1000, 1000, places=2))
    found = readings(words, expected)
    types = [name for name, length in TYPE_LENGTH.items() if length == count]
    assert len(found) == len(types) * (2 if count == 1 else 4)
    assert [it.score for it in found] == sorted((it.score for it in found), reverse=True)
