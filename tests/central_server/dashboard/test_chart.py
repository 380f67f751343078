"""The ranges of a chart on the clock."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from central_server.dashboard.chart import window
from central_server.dashboard.i18n import languages
from central_server.dashboard.show import Show
from central_server.dashboard.usage import DAY_MS

NOW = round(datetime(2026, 11, 23, 6, 32, 8, tzinfo=UTC).timestamp() * 1000)
SHOW = Show(languages()["en"], ZoneInfo("Asia/Shanghai"), NOW)


@pytest.mark.parametrize(("name", "bars", "days"), [("day", 24, 1), ("week", 28, 7), ("month", 30, 30)])
def test_a_range_ends_with_today_and_begins_at_a_local_midnight(name: str, bars: int, days: int) -> None:
    span = window(name, SHOW)
    assert span.end - span.start == days * DAY_MS
    assert len(span.marks) == bars + 1
    assert SHOW.full(span.start).endswith("00:00:00")
    assert SHOW.full(span.end) == "24 Nov 2026, 00:00:00"
    assert list(span.marks) == sorted(set(span.marks))


def test_what_is_compared_falls_on_the_same_day_of_the_week() -> None:
    for name in ("day", "week", "month"):
        assert window(name, SHOW).shift % (7 * DAY_MS) == 0
        assert window(name, SHOW).shift >= min(
            7 * DAY_MS, window(name, SHOW).end - window(name, SHOW).start - 7 * DAY_MS
        )


def test_the_last_hour_holds_the_present() -> None:
    span = window("hour", SHOW)
    assert span.start < NOW <= span.end
