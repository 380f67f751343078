"""The archive of a gateway that runs, with secrets in what it says of itself too."""

import json
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.bundle.archive import MANIFEST, write_archive
from edge_agent.bundle.content import gather
from edge_agent.bundle.redact import Scrubber
from edge_agent.bundle.secret import find_secrets
from tests.edge_agent.bundle.planted import SECRETS, plant
from tests.edge_agent.check.world import HEAD, World

NOW = datetime(2026, 11, 1, tzinfo=UTC)


async def test_what_the_gateway_says_of_itself_loses_its_secrets_too(tmp_path: Path) -> None:
    world = World(tmp_path)
    file = await plant(world)
    errors = [f"refused: {secret}" for name, secret in SECRETS.items() if "key" in name or "secret" in name]
    errors = [error for error in errors if SECRETS["a password in an unknown key"] not in error]
    status = {"edge_id": "gw-1", "devices": [{"id": SECRETS["a key"], "error": error} for error in errors]}
    scene = world.scene(file.read_text().removeprefix(HEAD), status=status, doubts=[{"device": errors[0]}])
    secrets = find_secrets(file)
    content = gather(scene, secrets, {"errors": errors, "number": 7}, None)
    manifest = write_archive(tmp_path / "a.zip", content, Scrubber(secrets.values), "gw-1", NOW)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert not [name for name, secret in SECRETS.items() if any(secret in text for text in texts.values())]
    assert json.loads(texts["doctor.json"]) == {"errors": ["refused: (left out)"] * len(errors), "number": 7}
    assert json.loads(texts["status.json"])["edge_id"] == "gw-1"
    assert "guard.json" in texts
    assert manifest == json.loads(texts[MANIFEST])
    assert manifest["secrets_removed"] > len(errors)


def test_a_clock_that_was_never_set_still_makes_an_archive(tmp_path: Path) -> None:
    world = World(tmp_path)
    scene = world.scene()
    content = gather(scene, find_secrets(tmp_path / "edge.toml"), {}, tmp_path / "no.log")
    write_archive(tmp_path / "a.zip", content, Scrubber(()), "gw-1", datetime(1970, 1, 1, tzinfo=UTC))
    assert any("no.log cannot be read" in line.en for line in content.left_out)
    assert zipfile.is_zipfile(tmp_path / "a.zip")


def test_a_pipe_in_place_of_a_key_holds_nothing_up(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.scene('[uplink]\nurl = "http://127.0.0.1:9"\nsecret_file = "pipe"\n')
    (tmp_path / "pipe").unlink(missing_ok=True)
    os.mkfifo(tmp_path / "pipe")
    assert find_secrets(tmp_path / "edge.toml").settings is not None
