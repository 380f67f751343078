"""``central edge invite`` with a door, ``central sync import`` and ``verify`` as an operator types them."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from central_server.cli import app
from protocols.enrolment import read_code
from protocols.export import write_export

SETTINGS = '[central]\n[gateways]\nlisten = "127.0.0.1:0"\nnames = ["centre.example"]\n'


@pytest.fixture
def central(tmp_path: Path) -> Any:
    """Give a centre's command line, with a database, a site and a door for gateways."""
    (tmp_path / "central.toml").write_text(SETTINGS)
    (tmp_path / "site.toml").write_text('[[site]]\ncode = "lake"\nname = "湖畔"\n', encoding="utf-8")

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["-c", str(tmp_path / "central.toml"), *words])
        return done.exit_code, done.stdout + done.stderr.strip()

    assert run("migrate")[0] == 0
    assert run("records", "import", str(tmp_path / "site.toml"))[0] == 0
    return run


def test_an_invitation_is_a_command_to_type_on_the_gateway(central: Any, tmp_path: Path) -> None:
    code, text = central("edge", "invite", "lake", "--id", "gw-7")
    assert code == 0
    _, _, line = text.partition("edge enroll https://centre.example:0 ")
    assert len(read_code(line).secret) == 16
    told = json.loads(central("edge", "invite", "lake", "--id", "gw-7", "--json")[1])
    assert {"edge_id", "code", "url"} <= told.keys()
    assert "secret" not in told
    assert (tmp_path / "data" / "authority" / "authority.key").stat().st_mode & 0o077 == 0
    code, text = central("edge", "invite", "lake", "--id", "gw-8", "--secret-file", str(tmp_path / "gw-8.secret"))
    assert (code, "its secret is in" in text) == (0, True)


def test_files_carried_by_hand_and_the_proof_of_the_log(central: Any, tmp_path: Path) -> None:
    empty, cut = tmp_path / "empty.ghx", tmp_path / "cut.ghx"
    empty.write_bytes(b"".join(write_export([])))
    cut.write_bytes(empty.read_bytes()[:-1])
    assert central("sync", "import", str(empty)) == (0, "0 batches, 0 of them new with 0 records.\n")
    code, text = central("sync", "import", str(cut))
    assert (code, "the file ends early" in text) == (2, True)
    assert central("sync", "import", str(tmp_path / "none.ghx"))[0] == 2
    assert central("sync", "verify") == (0, "0 batches with 0 records, 0 signed. Every one fits.\n")
    assert json.loads(central("sync", "verify", "--json")[1])["ok"] is True
