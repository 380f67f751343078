"""The commands of accounts, of the audit and of the outbox."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from central_server.cli import app

RECORDS = """
[[site]]
code = "lake"
name = "湖畔"
[[owner]]
code = "P-1"
name = "王芳"
"""


class Shell:
    """Runs ``central`` in a folder with a database and a site."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "central.toml").write_text("[central]\n")
        (folder / "site.toml").write_text(RECORDS, encoding="utf-8")
        for words in (("migrate",), ("records", "import", str(folder / "site.toml"))):
            assert self.run(*words).exit_code == 0

    def run(self, *words: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, ["-c", str(self.folder / "central.toml"), *words], input=stdin)

    def json(self, *words: str, code: int = 0) -> Any:
        result = self.run(*words, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def sql(self, text: str) -> list[Any]:
        connection = sqlite3.connect(self.folder / "data" / "central.db")
        rows = connection.execute(text).fetchall()
        connection.commit()
        connection.close()
        return rows


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_an_account_is_kept_to_a_role_a_site_and_a_person(shell: Shell) -> None:
    shell.json("user", "add", "guard", "--role", "guard", "--site", "lake")
    shell.json("user", "add", "wang", "--role", "resident", "--person", "P-1")
    rows = shell.sql("SELECT login, role, site_id, person_id, must_change FROM account ORDER BY id")
    assert rows == [("guard", "guard", 1, None, 1), ("wang", "resident", None, 1, 1)]


@pytest.mark.parametrize(
    ("words", "code", "key"),
    [
        (("--role", "guard", "--site", "hill"), 1, "no_site_code"),
        (("--role", "resident"), 2, "person_wanted"),
        (("--role", "guard", "--person", "P-1"), 2, "person_wanted"),
        (("--role", "resident", "--person", "P-9"), 1, "no_person_code"),
    ],
)
def test_a_scope_that_cannot_be_is_refused(shell: Shell, words: tuple[str, ...], code: int, key: str) -> None:
    assert shell.json("user", "add", "ann", *words, code=code)["error"]["key"] == key


def test_the_chain_is_checked_and_a_cut_end_shows_by_a_hash_noted_before(shell: Shell) -> None:
    for login in ("ann", "bob", "eve"):
        shell.json("user", "add", login, "--role", "guard")
    found = shell.json("audit", "verify")
    assert (found["ok"], found["broken_id"]) == (True, None)
    assert shell.json("audit", "verify", "--holds", found["head"])["held"] is True
    newest = shell.sql("SELECT max(id) FROM audit")[0][0]
    shell.sql(f"DELETE FROM audit WHERE id = {newest}")
    assert shell.json("audit", "verify")["ok"] is True, "an end that was cut leaves no gap"
    assert shell.json("audit", "verify", "--holds", found["head"], code=1)["held"] is False
    shell.sql("UPDATE audit SET login = 'x' WHERE id = 1")
    assert shell.json("audit", "verify", code=1)["broken_id"] == 1
    assert "does not fit" in shell.run("audit", "verify").output


def test_an_empty_outbox_says_so(shell: Shell) -> None:
    assert shell.json("outbox", "list") == {"messages": []}
    assert "Nothing waits" in shell.run("outbox", "list").stdout
