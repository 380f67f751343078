"""The business calendar."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_server.calendar import load_calendar, read_year
from protocols.toml import SettingsError

ZONE = ZoneInfo("Asia/Shanghai")
CALENDAR = load_calendar()
HOUR = 3600 * 1000


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


def test_a_morning_has_three_and_a_half_hours_and_lunch_has_none() -> None:
    assert CALENDAR.between(at("2026-11-23 08:00"), at("2026-11-23 13:00"), ZONE) == 3.5 * HOUR


def test_what_is_due_after_four_hours_on_friday_evening_is_due_on_monday() -> None:
    """Saturday's morning counts its three hours, Sunday none."""
    assert CALENDAR.add(at("2026-11-20 18:00"), 4 * HOUR, ZONE) == at("2026-11-23 09:30")


def test_a_holiday_stands_still_and_its_working_saturday_does_not() -> None:
    assert CALENDAR.add(at("2026-09-30 17:30"), 2 * HOUR, ZONE) == at("2026-10-08 10:00")
    assert CALENDAR.between(at("2026-10-10 00:00"), at("2026-10-11 00:00"), ZONE) == 8 * HOUR


INSTANTS = st.integers(at("2026-01-01 00:00"), at("2026-12-31 00:00"))


@given(INSTANTS, st.integers(0, 200 * HOUR))
def test_an_instant_found_by_adding_is_that_far_away(begin: int, length: int) -> None:
    end = CALENDAR.add(begin, length, ZONE)
    assert CALENDAR.between(begin, end, ZONE) == length


@given(INSTANTS, st.integers(1, 200 * HOUR))
def test_going_back_measures_the_same(begin: int, length: int) -> None:
    assert CALENDAR.between(begin, CALENDAR.add(begin, -length, ZONE), ZONE) == -length


def test_a_clock_set_forward_takes_its_hour_from_the_span_it_lies_in() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    text = 'year = 2026\n[hours]\nsunday = ["00:00-06:00"]\n'
    calendar = read_year(text, "x.toml")
    begin = round(datetime(2026, 3, 29, tzinfo=berlin).timestamp() * 1000)
    assert calendar.between(begin, begin + 24 * HOUR, berlin) == 5 * HOUR


def test_a_wrong_span_is_named_with_its_line() -> None:
    with pytest.raises(SettingsError, match="18:00-08:30"):
        read_year('year = 2026\n[hours]\nmonday = ["18:00-08:30"]\n', "cn-2026.toml")
