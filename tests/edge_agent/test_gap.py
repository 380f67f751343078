"""Which days a gap has swallowed, and which of the meter's own records of them may be believed."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import PointValue
from edge_agent.gap import MOST_DAYS, end_of, marked, missed_days
from protocols.quantity import Quality, Quantity

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("last", "now", "days"),
    [
        ("2026-11-20T12:00+08:00", "2026-11-20T23:59+08:00", []),
        ("2026-11-20T12:00+08:00", "2026-11-21T00:01+08:00", [20]),
        ("2026-11-20T12:00+08:00", "2026-11-23T09:00+08:00", [20, 21, 22]),
        ("2026-11-20T00:00+08:00", "2026-11-20T23:00+08:00", []),
    ],
)
def test_a_day_is_missed_when_its_midnight_lies_in_the_gap(last: str, now: str, days: list[int]) -> None:
    assert missed_days(at(last), at(now), SHANGHAI) == [date(2026, 11, day) for day in days]


def test_a_day_ends_at_the_meters_midnight_when_the_clocks_change_too() -> None:
    assert end_of(date(2026, 10, 25), BERLIN) == at("2026-10-26T00:00+01:00")
    assert end_of(date(2026, 3, 29), BERLIN) - end_of(date(2026, 3, 28), BERLIN) == timedelta(hours=23)


@given(st.integers(0, 10 * 365 * 86_400), st.timedeltas(timedelta(), timedelta(days=400)))
def test_every_midnight_of_the_gap_is_asked_for_once_and_no_other(second: int, length: timedelta) -> None:
    last = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    days = missed_days(last, last + length, SHANGHAI)
    assert days == sorted(set(days))
    assert all(last < end_of(day, SHANGHAI) < last + length for day in days)
    assert min(length.days - 1, MOST_DAYS) <= len(days) <= min(length.days + 1, MOST_DAYS)


def frozen(*numbers: str) -> list[PointValue]:
    return [
        PointValue("energyImportTotal", Quantity(Decimal(number), "kWh"), at("2026-11-21T00:00+08:00"), b"\x01")
        for number in numbers
    ]


def test_what_lies_between_its_neighbours_is_frozen_and_all_else_suspect() -> None:
    values = marked(frozen("110", "90", "120", "115", "201", "200"), Decimal(100), Decimal(200))
    assert [value.quantity.quality.word for value in values] == [
        "frozen",
        "suspect",
        "frozen",
        "suspect",
        "suspect",
        "frozen",
    ]


def test_what_the_meter_does_not_have_stays_as_it_says() -> None:
    missing = PointValue("energyImportTotal", Quantity(None, "kWh", Quality.NOT_AVAILABLE), at("2026-11-21"), b"")
    assert marked([missing], Decimal(0), Decimal(9)) == [missing]
