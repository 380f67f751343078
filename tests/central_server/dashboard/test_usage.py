"""From registers to use."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from central_server.dashboard.usage import Read, Use, day_marks, even_marks, hour_marks, sum_up, total, uses

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


def read(at: int, value: str) -> Read:
    return Read(at, Decimal(value))


def test_use_is_the_difference_of_what_the_register_showed_at_both_ends() -> None:
    found = uses([0, 10, 20], [read(0, "5.0"), read(9, "7.5"), read(20, "7.5")])
    assert found == [Use(Decimal("2.5")), Use(Decimal("0.0"))]


def test_a_stretch_without_a_reading_is_a_gap_and_not_zero() -> None:
    found = uses([0, 10, 20, 30], [read(0, "1"), read(0, "1"), read(0, "1"), read(29, "4")])
    assert [each.value for each in found] == [None, None, Decimal(3)]


def test_what_passed_during_a_gap_is_marked_as_an_estimate() -> None:
    found = uses([0, 10, 20, 30, 40], [read(0, "1"), read(0, "1"), read(0, "1"), read(29, "4"), read(40, "5")])
    assert [each.is_estimate for each in found] == [False, False, True, False]


def test_a_new_meter_opens_with_its_first_reading() -> None:
    found = uses([0, 10, 20], [None, read(8, "103"), read(18, "105")], first=read(4, "100"))
    assert [each.value for each in found] == [Decimal(3), Decimal(2)]


def test_a_register_that_fell_has_no_use() -> None:
    assert uses([0, 10], [read(0, "900"), read(9, "3")]) == [Use(None)]


def test_sums_leave_out_what_is_not_known_but_are_not_zero_when_nothing_is() -> None:
    assert total([Use(None), Use(Decimal(2))]) == 2
    assert total([Use(None)]) is None
    assert [each.value for each in sum_up([[Use(Decimal(1)), Use(None)], [Use(Decimal(2)), Use(None)]])] == [3, None]


def test_a_day_has_as_many_hours_as_the_zone_gives_it() -> None:
    assert len(hour_marks(datetime(2026, 11, 23, 15, tzinfo=SHANGHAI))) == 25
    assert len(hour_marks(datetime(2026, 3, 29, 15, tzinfo=BERLIN))) == 24
    assert len(hour_marks(datetime(2026, 10, 25, 15, tzinfo=BERLIN))) == 26


def test_days_begin_at_local_midnight() -> None:
    marks = day_marks(datetime(2026, 11, 23, 1, tzinfo=SHANGHAI), 7)
    assert len(marks) == 8
    assert {datetime.fromtimestamp(mark / 1000, SHANGHAI).hour for mark in marks} == {0}
    assert datetime.fromtimestamp(marks[-1] / 1000, SHANGHAI).day == 24


def test_even_stretches_end_with_the_one_we_are_in() -> None:
    assert even_marks(1001, 100, 3) == [800, 900, 1000, 1100]


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=30))
def test_the_uses_of_a_day_sum_to_the_difference_of_its_ends(steps: list[int]) -> None:
    marks = list(range(len(steps)))
    values = [Decimal(sum(steps[: position + 1])) for position in range(len(steps))]
    found = uses(marks, [Read(at, value) for at, value in zip(marks, values, strict=True)])
    assert total(found) == values[-1] - values[0]
