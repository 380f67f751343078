"""``edge doctor`` as an engineer meets it: beside a running gateway, without one, with broken settings."""

import json
import os
import re
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from edge_agent.check import CHECKS
from edge_agent.cli import app
from edge_agent.commands.shell import out
from tests.edge_agent.check.world import HEAD, UPLINK, serial
from tests.edge_agent.site import open_site

CHINESE = re.compile("[\u4e00-\u9fff]")


def edge(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Settings with one fault that no machine can have by itself: a port that is not there."""
    path = tmp_path / "edge.toml"
    path.write_text(HEAD + serial("/dev/there-is-no-such-port"))
    return str(path)


def levels(document: dict[str, Any]) -> dict[str, str | None]:
    return {row["name"]: row["level"] for row in document["checks"]}


def test_a_fault_is_shown_with_its_remedy_and_ends_with_1(file: str) -> None:
    done = edge("-c", file, "doctor", "--only", "port-exists", "--only", "settings")
    assert done.exit_code == 1
    failures, fine = done.stdout.split("Fine")
    assert "there is no serial port /dev/there-is-no-such-port" in failures
    assert "-> Plug the adapter in" in failures
    assert "edge.toml are right" in fine
    assert "2 checks in" in done.stdout
    done = edge("-c", file, "doctor", "--only", "settings")
    assert done.exit_code == 0


def test_it_speaks_chinese_where_it_is_asked_to_before_or_after_its_name(file: str) -> None:
    for words in (("--lang", "zh", "-c", file, "doctor"), ("-c", file, "doctor", "--lang", "zh")):
        shown = edge(*words).stdout
        assert "没有串口 /dev/there-is-no-such-port" in shown
        assert "请插上适配器" in shown
        heads = [line for line in shown.splitlines() if line and not line.startswith(" ")]
        assert all(CHINESE.search(line) for line in heads), heads


def test_json_has_both_languages_and_every_check(file: str) -> None:
    done = edge("-c", file, "doctor", "--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["ok"]) == (1, False)
    assert [row["name"] for row in document["checks"]] == [check.name for check in CHECKS]
    assert sum(document["counts"].values()) == len(CHECKS)
    (finding,) = next(row for row in document["checks"] if row["name"] == "port-exists")["findings"]
    assert finding["level"] == "failure"
    assert not CHINESE.search(finding["text"] + finding["remedy"])
    assert CHINESE.search(finding["text_zh"])
    assert CHINESE.search(finding["remedy_zh"])


def test_a_check_there_is_none_of_is_wrong_usage(file: str) -> None:
    done = edge("-c", file, "doctor", "--only", "karma")
    assert (done.exit_code, "There are: settings, profiles" in done.stderr) == (2, True)
    done = edge("-c", file, "doctor", "--only", "karma", "--json")
    assert (done.exit_code, json.loads(done.stdout)["ok"]) == (2, False)


def test_broken_settings_are_told_and_the_machine_is_looked_at_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(HEAD.replace("data =", "dta ="))
    done = edge("-c", str(path), "doctor", "--json")
    document = json.loads(done.stdout)
    found = levels(document)
    assert (done.exit_code, found["settings"], found["versions"], found["profiles"]) == (1, "failure", "ok", "ok")
    assert found["memory"] is not None
    (finding,) = next(row for row in document["checks"] if row["name"] == "settings")["findings"]
    assert "unknown key 'dta'" in finding["text"]
    assert finding["remedy"] == "Did you mean 'data'?"
    assert "您是不是想写“data”？" in finding["remedy_zh"]


def test_no_settings_at_all_are_told(tmp_path: Path) -> None:
    done = edge("-c", str(tmp_path / "none.toml"), "doctor", "--only", "settings")
    assert (done.exit_code, "No such file" in done.stdout) == (1, True)


def test_every_line_fits_a_terminal_of_80_columns(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out, "width", 80)
    assert all(len(line.rstrip()) <= 80 for line in edge("-c", file, "doctor", "-v").stdout.splitlines())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_account_that_may_see_little_is_told_so_and_no_check_breaks() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "edge.toml").write_text(HEAD + UPLINK + serial("/dev/there-is-no-such-port"))
        (folder / "data").mkdir(0o700)
        (folder / "data/edge.db").write_text("")
        edge("-c", f"{folder}/edge.toml", "doctor")  # what it loads at first use, root may read only
        os.seteuid(65534)
        try:
            told = edge("-c", f"{folder}/edge.toml", "doctor", "--json")
            packed = edge("-c", f"{folder}/edge.toml", "bundle", "-o", f"{folder}/help.zip")
        finally:
            os.seteuid(0)
    findings = [row for check in json.loads(told.stdout)["checks"] for row in check["findings"]]
    assert not [row for row in findings if "failed in itself" in row["text"]]
    assert any("may not read the store" in row["text"] for row in findings)
    assert (packed.exit_code, "cannot be written" in packed.stderr) == (2, True)


async def test_doctor_and_bundle_beside_a_running_gateway_and_after_it(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        gateway = await site.start("run")

        async def is_read() -> bool:
            rows = {row["id"]: row["state"] for row in (await site.ask())["devices"]}
            return (rows.pop("em-4") != "ok", set(rows.values())) == (True, {"ok"})

        await site.until(is_read)
        code, words, errors = await site.edge("-c", "edge.toml", "doctor", "--json")
        assert "Traceback" not in errors
        document = json.loads(words)
        found = levels(document)
        assert code == (0 if document["ok"] else 1)
        assert found["settings"] == found["gateway"] == found["bus-state"] == found["store-file"] == "ok"
        assert found["bus-reach"] == found["store-error"] == found["port-exists"] == found["guard-doubt"] == "ok"
        silent = next(row for row in document["checks"] if row["name"] == "device-offline")["findings"]
        assert ["'em-4'" in row["text"] for row in silent] == [True], "one device is silent, and the others are not"
        assert found["port-holder"] == "ok", "neither the gateway nor the line's other end is in its way"
        assert all(row["seconds"] < 3 for row in document["checks"])
        status = await site.ask()
        assert {row["id"]: row["state"] for row in status["buses"]} == {"tcp-1": "up", "line-1": "up"}

        code, words, errors = await site.edge("-c", "edge.toml", "bundle", "--json", "-o", "help.zip")
        assert (code, errors) == (0, "")
        names = {row["name"] for row in json.loads(words)["files"]}
        assert {"status.json", "guard.json", "store.json", "buffer.json", "doctor.json"} <= names

        gateway.send_signal(signal.SIGTERM)
        await gateway.wait()
        _, words, _ = await site.edge("-c", "edge.toml", "doctor", "--json")
        found = levels(json.loads(words))
        assert (found["gateway"], found["bus-state"], found["bus-reach"]) == ("note", None, "ok")
        assert found["store-file"] == "ok"
