"""What people see fits their terminal, and nothing that identifies a thing is cut."""

import io
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from edge_agent.commands.table import (
    age,
    buses_table,
    complaints,
    devices_table,
    instant,
    records_table,
    values_table,
    watch_table,
)

NOW = 1_795_406_410.0  # ten seconds after the instant below
AT = "2026-11-23T04:00:00.123Z"


def printed(table: Table, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def device(number: int, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": f"em-{number}",
        "name": f"Building {number}, stairwell 2, flat 1-{number}01, cold water in the cellar",
        "bus": "line-1",
        "profile": "electricity/dlt645-2007",
        "kind": "electricity",
        "address": f"2026110001{number:02}",
        "state": "ok",
        "last_ok_at": AT,
        "error": None,
        "retry_in_s": None,
        "values": [],
    }
    return found | changes


def value(point: str, number: str | None = "1.5", word: str | None = None) -> dict[str, Any]:
    return {"point": point, "value": number, "unit": "W", "quality": "good", "word": word, "taken_at": AT}


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (3.2, "3 s"), (200, "3 min"), (8000, "2 h"), (900_000, "10 d")]
)
def test_an_age_is_said_as_people_say_it(seconds: float | None, text: str) -> None:
    assert age(seconds) == text


def test_an_instant_is_printed_to_the_second() -> None:
    assert (instant(AT), instant(None)) == ("2026-11-23 04:00:00Z", "-")


def test_in_80_columns_a_long_name_gives_way_and_a_device_keeps_to_its_line() -> None:
    lines = printed(devices_table([device(1), device(12, state="offline", last_ok_at=None)], 80, NOW), 80)
    assert len(lines) == 3
    assert all(len(line) <= 80 for line in lines)
    assert "202611000101" in lines[1]
    assert "Building 1, stairwell" in lines[1]
    assert "…" in lines[1]
    assert lines[1].split()[-3:] == ["ok", "10", "s"]
    assert "offline" in lines[2]
    assert "profile" not in lines[0]


def test_a_wide_terminal_shows_the_profile_and_the_whole_name() -> None:
    (_, line) = printed(devices_table([device(1)], 160, NOW), 160)
    assert "electricity/dlt645-2007" in line
    assert "cold water in the cellar" in line


def test_wide_characters_are_cut_at_their_width() -> None:
    rows = [device(1, name="一号楼二单元三层西侧公共照明及电梯间用电计量表(备用回路)总进线")]
    (_, line) = printed(devices_table(rows, 80, NOW), 80)
    assert "一号楼二单元" in line
    assert "202611000101" in line


def test_one_reason_is_told_once_for_all_that_share_it() -> None:
    rows = [device(1, error="no port"), device(2), device(3, error="no port"), device(4, error="x", retry_in_s=61.0)]
    assert complaints(rows) == ["em-1, em-3: no port", "em-4 (asked again in 61 s): x"]


def test_a_bus_that_says_nothing_of_its_periods_has_dashes() -> None:
    bus = {"id": "b", "kind": "serial", "state": "down", "utilisation": None, "period_ms": None, "nominal_ms": 5000}
    assert printed(buses_table([bus]), 80)[1].split() == ["b", "serial", "down", "-", "-", "5.0", "s"]


def test_a_state_is_shown_by_its_word_and_a_missing_value_by_a_dash() -> None:
    lines = printed(values_table([value("doorState", "1", "open"), value("powerTotal", None)]), 80)
    assert "open (1)" in lines[1]
    assert lines[2].split()[:2] == ["powerTotal", "-"]


def test_events_and_readings_that_wait_stand_in_one_table() -> None:
    reading = {"seq": 1, "type": "reading", "device": "em-1", "point": "p", "unit": "W", "at": AT, "value": None}
    event = {"seq": 2, "type": "event", "kind": "alarm", "subject": "bus:b", "at": AT, "body": {"state": "raised"}}
    lines = printed(records_table([reading | {"quality": "invalid"}, event]), 80)
    assert "em-1 p" in lines[1]
    assert "invalid" in lines[1]
    assert "alarm bus:b" in lines[2]
    assert "raised" in lines[2]


def test_watch_says_how_much_does_not_fit_the_window() -> None:
    rows = [device(1, values=[value("a"), value("b")]), device(2, error="no answer", values=[value("a")])]
    lines = printed(watch_table(rows, NOW), 80)
    assert len(lines) == 5
    assert lines[3].split()[:4] == ["em-2", "ok", "no", "answer"]
    short = printed(watch_table(rows, NOW, 2), 80)
    assert any("2 more" in line for line in short)
    assert "em-2" not in "".join(short[:3])
