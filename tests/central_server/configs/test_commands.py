"""``central edge config`` as an operator meets it."""

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from central_server.cli import app


def central(folder: Path, *args: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(folder / "central.toml"), *args])


def test_settings_are_pushed_and_listed(tmp_path: Path) -> None:
    (tmp_path / "central.toml").write_text('[central]\nlisten = "127.0.0.1:0"\n')
    (tmp_path / "records.toml").write_text('[[site]]\ncode = "s1"\nname = "Site"\n')
    assert central(tmp_path, "migrate").exit_code == 0
    assert central(tmp_path, "records", "import", str(tmp_path / "records.toml")).exit_code == 0
    secret = str(tmp_path / "gw-1.secret")
    assert central(tmp_path, "edge", "invite", "s1", "--id", "gw-1", "--secret-file", secret).exit_code == 0
    assert "Nothing was pushed" in central(tmp_path, "edge", "config", "history", "gw-1").stdout
    file = tmp_path / "edge.toml"
    missing = central(tmp_path, "edge", "config", "push", "gw-1", str(file))
    assert (missing.exit_code, "cannot be read" in missing.output) == (2, True)
    file.write_text('[edge]\nid = "gw-1"\n')
    done = central(tmp_path, "edge", "config", "push", "gw-1", str(file), "--json")
    assert (done.exit_code, json.loads(done.stdout)["state"]) == (0, "offered")
    told = central(tmp_path, "edge", "config", "list").stdout
    assert "has not told what it runs; revision 1 of this centre waits for it" in told
    waited = central(tmp_path, "edge", "config", "push", "gw-1", str(file), "--wait", "1")
    assert (waited.exit_code, "Revision 2 is offered" in waited.stdout) == (1, True)
    listed = json.loads(central(tmp_path, "edge", "config", "history", "gw-1", "--json").stdout)["revisions"]
    assert [(row["number"], row["state"]) for row in listed] == [(2, "offered"), (1, "superseded")]
