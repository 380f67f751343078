"""Windows: of the site's own day, across midnight, and whole when the clocks are changed."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_server.inspection.window import Slot, Window, WindowError, parse_windows, slots

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
HOUR = 3_600_000
DAY = 24 * HOUR


def ms(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def due(windows: str, zone: ZoneInfo, from_on: str, every: int, after: int, until: int) -> list[Slot]:
    return list(slots(parse_windows(windows), zone, date.fromisoformat(from_on), every, after, until))


def test_a_daily_plan_is_due_at_the_sites_own_hours() -> None:
    found = due("08:00-10:00, 22:00-02:00", SHANGHAI, "2026-11-01", 1, ms("2026-11-23T09:00"), ms("2026-11-24T08:00"))
    assert [(slot.key, slot.starts_at, slot.ends_at) for slot in found] == [
        ("2026-11-23T22:00", ms("2026-11-23T22:00"), ms("2026-11-24T02:00")),
        ("2026-11-24T08:00", ms("2026-11-24T08:00"), ms("2026-11-24T10:00")),
    ]


def test_every_fifteen_days_is_counted_from_the_first_day_however_long_ago() -> None:
    found = due("09:00-17:00", SHANGHAI, "2026-01-01", 15, ms("2026-10-28T00:00"), ms("2026-11-30T00:00"))
    assert [slot.key[:10] for slot in found] == ["2026-10-28", "2026-11-12", "2026-11-27"]


def test_a_plan_does_not_begin_before_its_first_day() -> None:
    assert due("09:00-17:00", SHANGHAI, "2026-12-01", 1, ms("2026-11-20T00:00"), ms("2026-11-30T00:00")) == []


def test_the_hour_that_the_clocks_leave_out_or_give_twice_leaves_no_round_out() -> None:
    spring = due("02:15-02:45", BERLIN, "2026-03-28", 1, ms("2026-03-28T12:00"), ms("2026-03-29T12:00"))
    assert [slot.key for slot in spring] == ["2026-03-29T02:15"]
    assert spring[0].ends_at > spring[0].starts_at
    autumn = due("01:30-03:30", BERLIN, "2026-10-24", 1, ms("2026-10-24T12:00"), ms("2026-10-25T12:00"))
    assert [slot.ends_at - slot.starts_at for slot in autumn] == [3 * HOUR]


@pytest.mark.parametrize("text", ["", "8-10", "08:00-10:00, 09:00-11:00", "22:00-06:00, 05:00-07:00", "25:00-26:00"])
def test_windows_that_are_none_or_meet_are_refused(text: str) -> None:
    with pytest.raises(WindowError):
        parse_windows(text)


def test_windows_are_read_as_people_write_them() -> None:
    assert [str(window) for window in parse_windows("22:00–2:00，8:00-10:00")] == ["08:00-10:00", "22:00-02:00"]
    assert str(parse_windows("00:00-24:00")[0]) == "00:00-00:00"


@given(
    st.lists(st.integers(0, 23 * 60), min_size=1, max_size=4, unique=True),
    st.integers(1, 40),
    st.lists(st.integers(1, 90), min_size=1, max_size=6),
    st.sampled_from([SHANGHAI, BERLIN, ZoneInfo("America/St_Johns")]),
)
def test_made_bit_by_bit_or_at_once_each_round_is_due_exactly_once(
    starts: list[int], every: int, steps: list[int], zone: ZoneInfo
) -> None:
    times = [datetime(2026, 1, 1, minute // 60, minute % 60, tzinfo=UTC).time() for minute in sorted(starts)]
    windows = [Window(time, times[(n + 1) % len(times)]) for n, time in enumerate(times)]
    begin = ms("2026-02-01T00:00")
    first, at = date(2026, 1, 20), begin
    bits: list[Slot] = []
    for step in steps:
        bits += slots(windows, zone, first, every, at, at + step * DAY)
        at += step * DAY
    whole = list(slots(windows, zone, first, every, begin, at))
    assert bits and bits == whole if whole else not bits
    assert len({slot.key for slot in whole}) == len(whole)
    assert all(slot.ends_at > slot.starts_at for slot in whole)
