"""Each figure by its definition, on numbers a person can follow."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_server.reports.model import MEASURES, Facts, Repair, by_category, reached, share
from central_server.reports.words import DEFINITIONS, NAMES

HOUR = 3_600_000
FIGURES = {measure.key: measure.compute for measure in MEASURES}


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([5], 50, 5),
        ([1, 2, 3, 4], 50, 2),
        ([1, 2, 3], 50, 2),
        (range(1, 11), 90, 9),
        (range(1, 12), 90, 10),
        ([None, 7], 90, 7),
    ],
)
def test_the_nearest_rank_is_taken(values: list[int | None], percent: int, expected: int) -> None:
    assert reached(values, percent).value == expected


@given(st.lists(st.integers(0, 10**9), min_size=1), st.integers(1, 100))
def test_at_least_the_named_part_is_no_longer_and_the_value_is_one_of_them(values: list[int], percent: int) -> None:
    value = reached(values, percent).value
    assert value in values
    assert sum(each <= value for each in values) * 100 >= percent * len(values)


def test_nothing_measured_is_no_figure_and_not_zero() -> None:
    assert {key: compute(Facts()).value for key, compute in FIGURES.items()} == dict.fromkeys(FIGURES)


@pytest.mark.parametrize(
    ("part", "whole", "expected"), [(1, 3, "33.3"), (2, 3, "66.7"), (1, 2000, "0.1"), (5, 5, "100.0")]
)
def test_a_share_is_rounded_once_to_one_place_halves_up(part: int, whole: int, expected: str) -> None:
    assert share(part, whole).value == Decimal(expected)


def test_excused_rounds_do_not_count_and_late_ones_were_walked() -> None:
    figure = FIGURES["inspection_done"](Facts(rounds=("done", "late", "missed", "excused")))
    assert (figure.part, figure.whole, figure.value) == (2, 3, Decimal("66.7"))


def test_only_orders_with_a_promise_can_break_one() -> None:
    repairs = (Repair("water", 1, 2, True), Repair("water", 1, 2, False), Repair("lift", 1, 2, None))
    assert FIGURES["sla_kept"](Facts(repairs=repairs)).value == Decimal("50.0")
    assert [(row.category, row.count, row.kept.value) for row in by_category(Facts(repairs=repairs))] == [
        ("water", 2, Decimal("50.0")),
        ("lift", 1, None),
    ]


def test_facts_of_sites_add_up_before_a_figure_is_made() -> None:
    both = Facts(repairs=(Repair("w", HOUR, HOUR, True),), received_fen=100, online_fen=100) + Facts(
        repairs=(Repair("w", 3 * HOUR, 9 * HOUR, True),), received_fen=300
    )
    assert FIGURES["online_rate"](both).value == Decimal("25.0")
    assert FIGURES["finish_p90"](both).value == 9 * HOUR


def test_every_figure_has_a_name_and_a_definition() -> None:
    assert set(NAMES) == set(DEFINITIONS) == set(FIGURES)
