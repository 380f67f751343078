"""The command line: what an operator types, reads and gets as an exit code."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from central_server.cli import app
from central_server.migrate import newest_version

RECORDS = """
[[site]]
code = "lake"
name = "湖畔"
"""


class Shell:
    """Runs ``central`` in a folder with settings of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "central.toml"
        self.config.write_text("[central]\n")

    def run(self, *words: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, ["-c", str(self.config), *words], input=stdin)

    def json(self, *words: str, code: int = 0, stdin: str = "") -> Any:
        result = self.run(*words, "--json", stdin=stdin)
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)


@pytest.fixture
def new(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def shell(new: Shell) -> Shell:
    """A shell whose database is made and has a site."""
    assert new.json("migrate") == {"before": None, "after": newest_version()}
    (new.folder / "site.toml").write_text(RECORDS, encoding="utf-8")
    assert new.json("records", "import", str(new.folder / "site.toml"))["tables"] == {"site": {"added": 1}}
    return new


def test_migrate_says_what_it_did(new: Shell) -> None:
    assert f"has schema {newest_version()} now (before: none)" in new.run("migrate").stdout
    assert f"has schema {newest_version()} already" in new.run("migrate").stdout


@pytest.mark.parametrize(
    "words", [("edge", "list"), ("user", "add", "ann"), ("edge", "invite", "lake", "--id", "gw-1")]
)
def test_a_command_without_a_database_says_to_make_one(new: Shell, words: tuple[str, ...]) -> None:
    result = new.run(*words)
    assert result.exit_code == 2
    assert "Run 'central migrate' first" in result.stderr
    assert "Traceback" not in result.output
    assert new.json(*words, code=2)["error"]["key"] == "database_empty"


def test_an_account_gets_a_password_that_is_shown_once(shell: Shell) -> None:
    made = shell.json("user", "add", "ann", "--name", "安")
    assert made["login"] == "ann"
    assert len(made["password"]) >= 16
    reset = shell.json("user", "reset", "ann")
    assert reset["password"] != made["password"]
    assert "Password (shown once): " in shell.run("user", "reset", "ann").stdout


def test_a_password_of_ones_own_is_read_from_standard_input_and_not_shown(shell: Shell) -> None:
    assert shell.json("user", "add", "ann", "--password-stdin", stdin="correct horse 7\n") == {
        "login": "ann", "password": None,
    }  # fmt: skip
    assert shell.json("user", "add", "bob", "--password-stdin", code=2, stdin="short\n")["error"]["key"] == (
        "password_weak"
    )


@pytest.mark.parametrize(
    ("words", "code", "key"),
    [
        (("user", "add", "ann"), 1, "login_taken"),
        (("user", "add", " x"), 2, "login_form"),
        (("user", "add", "bob", "--lang", "fr"), 2, "bad_language"),
        (("user", "reset", "nobody"), 1, "no_account"),
        (("edge", "invite", "park", "--id", "gw-1"), 1, "no_site"),
        (("edge", "invite", "lake", "--id", "GW"), 2, "edge_id_form"),
        (("edge", "revoke", "gw-9"), 1, "no_gateway"),
        (("records", "import", "nowhere.toml"), 2, "settings"),
    ],
)
def test_what_cannot_be_done_has_a_key_and_an_exit_code(
    shell: Shell, words: tuple[str, ...], code: int, key: str
) -> None:
    shell.json("user", "add", "ann")
    assert shell.json(*words, code=code)["error"]["key"] == key
    plain = shell.run(*words)
    assert (plain.exit_code, plain.stdout) == (code, "")
    assert plain.stderr.count("\n") == 1, "one clear sentence"


def test_a_gateway_is_invited_listed_and_shut_out(shell: Shell) -> None:
    assert "central edge invite SITE" in shell.run("edge", "list").stdout
    made = shell.json("edge", "invite", "lake", "--id", "gw-1")
    assert (made["edge_id"], made["secret_file"], len(made["secret"]) >= 43) == ("gw-1", None, True)
    row = {"edge_id": "gw-1", "site": "lake", "name": "gw-1", "last_seen_at": None, "revoked_at": None}
    assert shell.json("edge", "list") == {"gateways": [{**row, "certificate_until": None, "clock": None}]}
    assert "last heard never" in shell.run("edge", "list").stdout
    assert shell.json("edge", "revoke", "gw-1") == {"revoked": "gw-1"}
    assert shell.json("edge", "list")["gateways"][0]["revoked_at"].endswith("Z")
    assert "revoked" in shell.run("edge", "list").stdout


def test_a_secret_file_is_for_its_owner_alone_even_where_another_stood(shell: Shell) -> None:
    path = shell.folder / "gw-1.secret"
    path.write_text("an old one")
    path.chmod(0o644)
    made = shell.json("edge", "invite", "lake", "--id", "gw-1", "--secret-file", str(path))
    assert made == {"edge_id": "gw-1", "secret_file": str(path)}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_text().strip()) >= 43


def test_a_secret_file_that_cannot_be_written_leaves_the_gateway_as_it_was(shell: Shell) -> None:
    before = shell.json("edge", "invite", "lake", "--id", "gw-1", "--secret-file", str(shell.folder / "one"))
    failed = shell.json(
        "edge", "invite", "lake", "--id", "gw-1", "--secret-file", str(shell.folder / "no" / "two"), code=2
    )
    assert failed["error"]["key"] == "secret_file"
    assert "No such file" in failed["error"]["message"]
    assert Path(before["secret_file"]).exists()


def test_records_are_imported_with_counts_and_a_dry_run_says_so(shell: Shell) -> None:
    path = str(shell.folder / "site.toml")
    assert shell.json("records", "import", path, "--dry-run") == {"dry_run": True, "tables": {"site": {"same": 1}}}
    assert "Nothing was written (dry run)." in shell.run("records", "import", path, "--dry-run").stdout
    assert "1 same" in shell.run("records", "import", path).stdout


def test_a_fault_in_records_is_told_with_its_line(shell: Shell) -> None:
    path = shell.folder / "bad.toml"
    path.write_text('[[site]]\ncode = "a"\nnmae = "b"\n')
    result = shell.run("records", "import", str(path))
    assert result.exit_code == 2
    assert f"{path}:3: site[1].nmae: unknown key 'nmae'. Did you mean 'name'?" in result.stderr
    faults = shell.json("records", "import", str(path), code=2)["error"]["fields"]["faults"]
    assert (3, "site[1].nmae") in [(fault["line"], fault["key"]) for fault in faults]


def test_faulty_settings_end_every_command_alike(new: Shell) -> None:
    new.config.write_text('[central]\nlisten = "0.0.0.0:1"\n')
    for words in (("run",), ("migrate",), ("edge", "list")):
        result = new.run(*words)
        assert result.exit_code == 2
        assert f"{new.config}:2: central.listen:" in result.stderr


def test_the_settings_are_found_by_the_environment(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_CENTRAL_CONFIG", str(shell.config))
    assert CliRunner().invoke(app, ["edge", "list", "--json"]).exit_code == 0


def test_every_command_has_a_help_and_those_with_results_print_json(new: Shell) -> None:
    for words in (("migrate",), ("user", "add"), ("user", "reset"), ("edge", "invite"), ("edge", "list"),
                  ("edge", "revoke"), ("records", "import"), ("bill", "run"), ("tariff", "check")):  # fmt: skip
        result = CliRunner().invoke(app, [*words, "--help"])
        assert result.exit_code == 0
        assert "--json" in result.stdout
