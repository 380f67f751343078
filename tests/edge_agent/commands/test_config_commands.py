"""``edge config apply``, ``history``, ``show`` and ``revert`` as a new user would try them while no gateway runs."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from edge_agent.cli import app
from edge_agent.config import load_settings
from edge_agent.config_keeper import ConfigKeeper
from tests.edge_agent.test_config import GOOD, write

OTHER = GOOD.replace("timeout_ms = 500", "timeout_ms = 400")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, GOOD)
    (tmp_path / "other.toml").write_text(OTHER)
    return tmp_path


def edge(folder: Path, *args: str) -> Result:
    return CliRunner().invoke(app, ["-c", str(folder / "edge.toml"), "config", *args])


def run_once(folder: Path) -> ConfigKeeper:
    """Start the gateway as far as its settings go."""
    found = ConfigKeeper(load_settings(folder / "edge.toml"))
    with found.held():
        found.begin()
    return found


def test_what_is_applied_while_nothing_runs_goes_on_trial_at_the_start(folder: Path) -> None:
    assert "no revision yet" in edge(folder, "history").stdout
    done = edge(folder, "apply", str(folder / "other.toml"))
    assert (done.exit_code, "Revision 2 goes on trial when it starts" in done.stdout) == (0, True)
    assert edge(folder, "show").stdout == OTHER
    assert "Nothing was changed" in edge(folder, "apply", str(folder / "other.toml")).stdout
    assert run_once(folder).is_on_trial
    rows = json.loads(edge(folder, "history", "--json").stdout)["revisions"]
    assert [(row["number"], row["state"], row["is_current"]) for row in rows] == [
        (2, "trial", True),
        (1, "confirmed", False),
    ]
    refused = edge(folder, "apply", str(folder / "edge.toml"))
    assert (refused.exit_code, "is on trial" in refused.stderr) == (1, True)


def test_a_trial_is_ended_and_an_older_revision_taken_again(folder: Path) -> None:
    edge(folder, "apply", str(folder / "other.toml"))
    ended = edge(folder, "revert", "--json")
    assert json.loads(ended.stdout) == {"ok": True, "revision": 1, "state": "steady", "running": False}
    assert edge(folder, "show").stdout == GOOD
    nothing = edge(folder, "revert")
    assert (nothing.exit_code, "There is no other good revision" in nothing.stderr) == (1, True)
    again = edge(folder, "revert", "2")
    assert (again.exit_code, "Revision 3 goes on trial" in again.stdout) == (0, True)
    assert edge(folder, "show").stdout == OTHER
    assert edge(folder, "revert", "99").exit_code == 1


def test_a_bad_file_is_refused_and_changes_nothing(folder: Path) -> None:
    (folder / "bad.toml").write_text(GOOD.replace("host =", "hots ="))
    done = edge(folder, "apply", str(folder / "bad.toml"))
    assert done.exit_code == 2
    assert f"{folder}/bad.toml:11: bus" in done.stderr
    assert "Did you mean 'host'?" in done.stderr
    moved = edge(folder, "apply", str(folder / "missing.toml"), "--json")
    assert (moved.exit_code, json.loads(moved.stdout)["ok"]) == (2, False)
    assert not (folder / "data" / "config").exists()
