"""The command line when something is wrong: one clear sentence, an exit code, and nothing changed."""

import base64
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from central_server.cli import app

RECORDS = '[[site]]\ncode = "lake"\nname = "湖畔"\n'
Central = Callable[..., Result]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "central.toml"
    path.parent.mkdir()
    path.write_text('[central]\nlisten = "127.0.0.1:0"\n')
    return path


@pytest.fixture
def central(settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Central:
    """Run a command from another folder than the settings'."""
    monkeypatch.delenv("GATEHOUSE_CENTRAL_CONFIG", raising=False)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "lake.toml").write_text(RECORDS)
    return lambda *words, stdin=None: CliRunner().invoke(app, ["-c", str(settings), *words], input=stdin)


@pytest.fixture
def ready(central: Central) -> Central:
    """A centre with a database and one site."""
    assert central("migrate").exit_code == 0
    assert central("records", "import", "../lake.toml").exit_code == 0
    return central


def error_of(result: Result) -> dict[str, Any]:
    body = json.loads(result.stdout)
    assert set(body["error"]) == {"key", "message", "fields"}
    found: dict[str, Any] = body["error"]
    return found


@pytest.mark.parametrize(
    "words",
    [
        ("user", "add", "ann"),
        ("user", "reset", "ann"),
        ("edge", "invite", "lake", "--id", "gw-1"),
        ("edge", "list"),
        ("edge", "revoke", "gw-1"),
        ("records", "import", "../lake.toml"),
        ("bill", "list"),
    ],
)
def test_every_command_says_that_there_is_no_database_yet(central: Central, words: tuple[str, ...]) -> None:
    spoken = central(*words)
    assert spoken.exit_code == 2
    assert "Run 'central migrate' first" in spoken.stderr
    written = central(*words, "--json")
    assert written.exit_code == 2
    assert "central migrate" in written.stdout


def test_settings_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEHOUSE_CENTRAL_CONFIG", raising=False)
    for words in (["-c", "nowhere.toml", "edge", "list"], ["edge", "list"]):
        result = CliRunner().invoke(app, words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "--config" in result.stderr
        assert error_of(CliRunner().invoke(app, [*words, "--json"]))["fields"]["faults"][0]["remedy"]


@pytest.mark.parametrize("words", [("edge", "invite", "lake"), ("edge",), ("nonsense",), ("run", "--fast")])
def test_wrong_usage_ends_with_two(ready: Central, words: tuple[str, ...]) -> None:
    assert ready(*words).exit_code == 2


def secret_hash(settings: Path) -> str:
    connection = sqlite3.connect(settings.parent / "data" / "central.db")
    (found,) = connection.execute("SELECT secret_hash FROM gateway").fetchone()
    connection.close()
    return str(found)


def test_a_secret_that_cannot_be_written_leaves_the_old_one_in_force(
    ready: Central, settings: Path, tmp_path: Path
) -> None:
    ready("edge", "invite", "lake", "--id", "gw-1")
    before = secret_hash(settings)
    for path in (tmp_path / "nowhere" / "gw-1.secret", tmp_path):
        result = ready("edge", "invite", "lake", "--id", "gw-1", "--secret-file", str(path))
        assert result.exit_code == 2
        assert f"The secret cannot be written to {path}" in result.stderr
    assert secret_hash(settings) == before


def test_an_invitation_that_fails_leaves_the_file_that_was_there(ready: Central, tmp_path: Path) -> None:
    path = tmp_path / "gw-1.secret"
    path.write_text("in force")
    assert ready("edge", "invite", "nowhere", "--id", "gw-1", "--secret-file", str(path)).exit_code == 1
    assert path.read_text() == "in force"
    assert list(tmp_path.glob(".gw-1*")) == []


def test_a_database_that_breaks_later_is_a_clear_sentence(ready: Central, settings: Path) -> None:
    connection = sqlite3.connect(settings.parent / "data" / "central.db")
    connection.execute("ALTER TABLE gateway RENAME TO away")
    connection.commit()
    connection.close()
    result = ready("edge", "list")
    assert result.exit_code == 2
    assert result.stderr.startswith("central: The database failed: no such table: gateway")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [("run",), ("migrate",), ("edge", "list")])
def test_a_damaged_database_is_a_clear_sentence_and_stays_as_it_is(
    central: Central, settings: Path, words: tuple[str, ...]
) -> None:
    path = settings.parent / "data" / "central.db"
    path.parent.mkdir()
    path.write_bytes(b"\x00rubbish" * 1000)
    result = central(*words)
    assert result.exit_code == 2
    assert f"{path} cannot be read as a database" in result.stderr
    assert path.read_bytes() == b"\x00rubbish" * 1000


@pytest.mark.parametrize("words", [("run",), ("migrate",), ("edge", "list")])
def test_a_newer_database_is_refused_and_not_a_byte_is_changed(
    ready: Central, settings: Path, words: tuple[str, ...]
) -> None:
    path = settings.parent / "data" / "central.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    result = ready(*words)
    assert result.exit_code == 2
    assert "schema 9999" in result.stderr
    assert path.read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_a_clear_sentence(central: Central, settings: Path) -> None:
    settings.parent.chmod(0o555)
    assert central("migrate").exit_code == 2


def test_a_data_folder_that_cannot_be_made_is_a_clear_sentence(central: Central, settings: Path) -> None:
    (settings.parent / "data").write_text("a file where the folder should be")
    for words in (("migrate",), ("run",)):
        result = central(*words)
        assert result.exit_code == 2, result
        assert str(settings.parent / "data" / "central.key") in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_the_environment_names_the_settings_of_the_real_command(ready: Central, settings: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "central_server", "edge", "list", "--json"],
        env=os.environ | {"GATEHOUSE_CENTRAL_CONFIG": str(settings), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == {"gateways": []}


def test_a_key_of_another_database_is_refused_before_anything_is_sealed_with_it(ready: Central, settings: Path) -> None:
    (settings.parent / "owners.toml").write_text('[[owner]]\ncode = "o-1"\nname = "王芳"\n', encoding="utf-8")
    assert ready("records", "import", str(settings.parent / "owners.toml")).exit_code == 0
    (settings.parent / "data" / "central.key").write_bytes(base64.b64encode(bytes(32)))
    for words in (("edge", "list"), ("run",)):
        result = ready(*words)
        assert result.exit_code == 2
        assert "not the one it was sealed with" in result.stderr
