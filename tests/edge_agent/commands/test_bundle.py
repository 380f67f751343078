"""The support archive: all that helps, and not one secret, whatever somebody has put where."""

import asyncio
import hashlib
import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from edge_agent.bundle.archive import MANIFEST
from edge_agent.cli import app
from tests.edge_agent.bundle.planted import SECRETS, plant
from tests.edge_agent.check.world import HEAD, World


def edge(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


def texts(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_no_secret_leaves_and_all_that_helps_does(tmp_path: Path) -> None:
    file = asyncio.run(plant(World(tmp_path)))
    target = tmp_path / "help.zip"
    done = edge("-c", str(file), "bundle", "-o", str(target), "--log", str(tmp_path / "edge.log"))
    assert done.exit_code == 0, done.stderr
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    found = texts(target)
    everything = "\n".join([*found, *found.values()]).lower()
    raw = target.read_bytes().lower()
    for what, secret in SECRETS.items():
        assert secret.lower() not in everything, what
        assert secret.lower().encode() not in raw, what
    assert {"doctor.json", "settings.json", "store.json", "buffer.json", "versions.json", "log.txt"} <= set(found)
    assert "profiles/electricity/dlt645-2007.toml" in found
    settings = json.loads(found["settings.json"])
    assert settings["edge"]["id"] == "gw-1"
    assert settings["uplink"]["secret_file"] == "gw-1.secret"
    assert "INFO edge: ready" in found["log.txt"]
    buffer = json.loads(found["buffer.json"])
    assert buffer["control"] == [{"seq": 1, "type": "event", "kind": "door_decision", "at": "2026-09-21T14:13:20.000Z"}]
    assert buffer["billing"][0]["point"] == "energyImportTotal"
    assert "value" not in buffer["billing"][0]
    names = [check["name"] for check in json.loads(found["doctor.json"])["checks"]]
    assert len(names) >= 25


def test_the_manifest_lists_each_file_with_its_hash_and_what_was_left_out(tmp_path: Path) -> None:
    file = asyncio.run(plant(World(tmp_path)))
    target = tmp_path / "help.zip"
    told: dict[str, Any] = json.loads(edge("-c", str(file), "bundle", "-o", str(target), "--json").stdout)
    found = texts(target)
    manifest = json.loads(found.pop(MANIFEST))
    assert {row["name"]: row["sha256"] for row in manifest["files"]} == {
        name: hashlib.sha256(text.encode()).hexdigest() for name, text in found.items()
    }
    assert told["files"] == manifest["files"]
    assert any("gw-1.secret" in line for line in manifest["left_out"])
    assert any("status.json" in line for line in manifest["left_out"])


def test_settings_that_cannot_be_read_are_left_out_and_the_rest_is_told(tmp_path: Path) -> None:
    secret = SECRETS["a password in an unknown key"]
    (tmp_path / "edge.toml").write_text(HEAD + f'password = "{secret}"\n[[broken\n')
    target = tmp_path / "help.zip"
    assert edge("-c", str(tmp_path / "edge.toml"), "bundle", "-o", str(target)).exit_code == 0
    found = texts(target)
    assert "settings.json" not in found
    assert "not valid TOML" in found[MANIFEST]
    assert secret not in "".join(found.values())


def test_wrong_settings_are_sent_without_their_secrets(tmp_path: Path) -> None:
    secret, word = SECRETS["a password in an unknown key"], SECRETS["a password in an address"]
    text = HEAD + f'password = "{secret}"\n[uplink]\nurl = "https://bob:{word}@centre.test"\n'
    (tmp_path / "edge.toml").write_text(text)
    target = tmp_path / "help.zip"
    assert edge("-c", str(tmp_path / "edge.toml"), "bundle", "-o", str(target)).exit_code == 0
    found = texts(target)
    assert json.loads(found["settings.json"])["edge"]["password"] == "(left out)"
    assert secret not in "".join(found.values())
    assert word not in "".join(found.values())
    assert "password" in found["doctor.json"], "what is wrong with it is told"


def test_a_file_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(HEAD)
    target = tmp_path / "help.zip"
    target.write_text("my holiday")
    done = edge("-c", str(tmp_path / "edge.toml"), "bundle", "-o", str(target))
    assert (done.exit_code, "is there already" in done.stderr, target.read_text()) == (2, True, "my holiday")
    done = edge("-c", str(tmp_path / "edge.toml"), "--lang", "zh", "bundle", "-o", str(tmp_path / "none/help.zip"))
    assert (done.exit_code, "无法写入压缩包" in done.stderr) == (2, True)


def test_the_archive_is_named_after_the_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edge.toml").write_text(HEAD)
    done = edge("bundle")
    assert done.exit_code == 0, done.stderr
    (path,) = tmp_path.glob("edge-bundle-gw-1-*.zip")
    assert path.name in done.stdout
    assert zipfile.is_zipfile(io.BytesIO(path.read_bytes()))
