"""The journal and the state: written first, continued after a restart, never two writers."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.sim.clock import SiteClock, State, read_state, write_state
from drivers.sim.errors import SimError
from drivers.sim.journal import Journal, Served


def _now() -> datetime:
    return datetime(2026, 11, 23, 1, 2, 3, 456_000, tzinfo=UTC)


def _served(value: str) -> Served:
    return Served("em-1", "energyImportTotal", Decimal(value), "kWh")


def test_a_line_is_in_the_file_when_write_returns(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.jsonl"
    journal = Journal(path, _now)
    journal.write([_served("1234.50")])
    assert json.loads(path.read_text()) == {
        "meter": "em-1",
        "point": "energyImportTotal",
        "value": "1234.50",
        "unit": "kWh",
        "served_at": "2026-11-23T01:02:03.456Z",
    }
    journal.close()


def test_a_second_start_appends_and_knows_the_last_values(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    for value in ("1.00", "1.25"):
        journal = Journal(path, _now)
        journal.write([_served(value)])
        journal.close()
    journal = Journal(path, _now)
    assert journal.last == {("em-1", "energyImportTotal"): Decimal("1.25")}
    assert len(path.read_text().splitlines()) == 2
    journal.close()


def test_a_line_cut_short_by_a_crash_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, _now)
    journal.write([_served("1.00")])
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    journal = Journal(path, _now)
    journal.write([_served("2.00")])
    journal.close()
    assert [json.loads(line)["value"] for line in path.read_text().splitlines()] == ["1.00", "2.00"]


def test_a_journal_has_one_writer(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl", _now)
    with pytest.raises(SimError, match="held by another simulator"):
        Journal(tmp_path / "journal.jsonl", _now)
    journal.close()


def test_a_foreign_file_is_not_taken_for_a_journal_or_a_state(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("buy milk\n")
    with pytest.raises(SimError, match=r"notes.txt:1: not a line of a journal"):
        Journal(path, _now)
    with pytest.raises(SimError, match="not the state of a simulated site"):
        read_state(path)
    assert path.read_text() == "buy milk\n"


def test_a_kill_never_takes_the_clock_back(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    seconds = 100.0
    clock = SiteClock(5_000, 60, lambda: seconds, path)
    clock.registers_at = lambda at_ms: {"em-1": Decimal(at_ms)}
    for _ in range(200):
        seconds += 0.37
        told = clock.now_ms()
        saved = read_state(path)  # what a start after a kill at this instant would find
        assert saved is not None
        assert told <= saved.elapsed_ms <= told + 5 * 60_000
        assert saved.registers == {"em-1": Decimal(saved.elapsed_ms)}
    clock.close()
    assert read_state(path) == State(told, {"em-1": Decimal(told)})


def test_a_state_survives_its_own_writing(tmp_path: Path) -> None:
    state = State(12_345, {"em-1": Decimal("1234.50")})
    write_state(tmp_path / "state.json", state)
    assert read_state(tmp_path / "state.json") == state
    assert read_state(tmp_path / "none.json") is None
