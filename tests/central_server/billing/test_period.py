"""A period is a month of the site's calendar, and instants carry their offset."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from central_server.billing.period import Period, local_day, parse_instant, parse_period, to_iso, to_ms

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_a_month_starts_and_ends_at_the_sites_midnight() -> None:
    period = parse_period("2026-12")
    assert to_iso(period.starts_at(SHANGHAI)) == "2026-11-30T16:00:00.000Z"
    assert to_iso(period.ends_at(SHANGHAI)) == "2026-12-31T16:00:00.000Z"
    assert (str(period), str(period.next), period.first_day) == ("2026-12", "2027-01", date(2026, 12, 1))


def test_a_month_with_a_change_of_clocks_is_an_hour_longer() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    hours = (Period(2026, 10).ends_at(berlin) - Period(2026, 10).starts_at(berlin)) / 3_600_000
    assert hours == 31 * 24 + 1


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "202610", "2026-10-01", "", "1999-12", "9999-01", "2026-10 "])
def test_what_is_no_period_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"write it as YYYY-MM"):
        parse_period(text)


def test_an_instant_is_read_with_its_offset_to_the_millisecond() -> None:
    at = parse_instant("2026-10-15T18:00:00.123+08:00")
    assert (to_iso(at), local_day(at, SHANGHAI)) == ("2026-10-15T10:00:00.123Z", date(2026, 10, 15))
    assert parse_instant("2026-10-15T10:00:00.123Z") == at == to_ms(datetime(2026, 10, 15, 10, 0, 0, 123_999, UTC))


@pytest.mark.parametrize(("text", "why"), [("2026-10-15T18:00:00", "no offset"), ("yesterday", "not an instant")])
def test_an_instant_without_an_offset_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_instant(text)
