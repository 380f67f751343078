"""Numbers, money and time as people read them."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from central_server.dashboard.i18n import languages
from central_server.dashboard.show import Show

NOW = round(datetime(2026, 11, 23, 6, 32, 8, tzinfo=UTC).timestamp() * 1000)


def show(code: str = "en") -> Show:
    return Show(languages()[code], ZoneInfo("Asia/Shanghai"), NOW)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        ("20417.35", None, "20,417.35"),
        ("87.90", None, "87.90"),
        ("0", None, "0"),
        ("1234.5", 0, "1,235"),
        ("1234.4", 0, "1,234"),
        ("-0.04", 1, "0.0"),
        ("9007199254740993.01", None, "9,007,199,254,740,993.01"),
        ("1E+3", None, "1,000"),
    ],
)
def test_numbers_keep_every_digit_unless_fewer_are_asked_for(value: str, digits: int | None, text: str) -> None:
    assert show().number(Decimal(value), digits) == text
    assert show("zh").number(Decimal(value), digits) == text


def test_a_missing_value_is_a_dash() -> None:
    assert show().number(None) == "–"


def test_money_has_two_places_and_never_passes_a_float() -> None:
    assert show().money(41421) == "414.21"
    assert show().money(900719925474099301) == "9,007,199,254,740,993.01"


@pytest.mark.parametrize(
    ("ms", "english", "chinese"),
    [
        (-5, "0 s", "0 秒"),
        (12_900, "12 s", "12 秒"),
        (60_000, "1 min", "1 分"),
        (7_260_000, "2 h 1 min", "2 时 1 分"),
        (90_000_000, "1 d 1 h", "1 天 1 时"),
    ],
)
def test_ages_are_short_and_in_the_readers_language(ms: int, english: str, chinese: str) -> None:
    assert show().age(NOW - ms) == english
    assert show("zh").age(NOW - ms) == chinese


def test_instants_are_in_the_sites_zone() -> None:
    assert show().clock(NOW) == "14:32:08"
    assert show("zh").full(NOW) == "2026年11月23日 14:32:08"
    assert show().iso(NOW) == "2026-11-23T14:32:08+08:00"


def test_a_moment_of_another_day_names_the_day() -> None:
    assert show().moment(NOW - 3_600_000) == "13:32"
    assert show().moment(NOW - 86_400_000) == "22 Nov 14:32"
    assert show("zh").moment(NOW - 86_400_000) == "11月22日 14:32"


def test_months_and_days_are_written_out() -> None:
    assert show("zh").month("2026-10") == "2026年10月"
    assert show().month("2026-10") == "October 2026"
    assert show("zh").day("2026-11-30") == "2026年11月30日"
    assert show().short_day("2026-11-30") == "30 Nov"


def test_units_are_printed_with_their_signs() -> None:
    assert (show().unit("m3"), show().unit("kWh")) == ("m³", "kWh")
