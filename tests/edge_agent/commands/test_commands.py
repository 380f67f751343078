"""Every command as a new user would try it: with and without a gateway, right and wrong."""

import json
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from edge_agent.cli import app
from edge_agent.commands.shell import age
from tests.edge_agent.site import open_site
from tests.edge_agent.test_config import GOOD

READ_TOTAL = "68AAAAAAAAAAAA68110433333433AE16"


def edge(*args: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(args), input=stdin)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "edge.toml"
    path.write_text(GOOD)
    return str(path)


def test_config_check_says_what_a_good_file_holds(file: str) -> None:
    done = edge("config", "check", file)
    assert (done.exit_code, "2 buses, 2 devices" in done.stdout) == (0, True)
    assert json.loads(edge("config", "check", file, "--json").stdout)["ok"] is True


def test_config_check_ends_with_2_and_names_line_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(GOOD.replace("host =", "hots ="))
    done = edge("config", "check", str(path))
    assert done.exit_code == 2
    assert "edge.toml:11: bus[1].hots: unknown key 'hots'. Did you mean 'host'?" in done.stderr
    faults = json.loads(edge("config", "check", str(path), "--json").stdout)["faults"]
    assert (11, "bus[1].hots") in [(fault["line"], fault["key"]) for fault in faults]


def test_a_missing_settings_file_is_wrong_usage() -> None:
    done = edge("-c", "/nowhere/edge.toml", "status")
    assert done.exit_code == 2
    assert "No such file" in done.stderr


def test_without_a_gateway_status_and_devices_show_the_settings_and_say_so(file: str) -> None:
    done = edge("-c", file, "status")
    assert done.exit_code == 1
    assert "em-2" in done.stdout
    assert "not running" in done.stderr
    found = json.loads(edge("-c", file, "status", "--json").stdout)
    assert (found["edge_id"], found["running"], found["uplink"]["state"]) == ("gw-1", False, "stopped")
    rows = json.loads(edge("-c", file, "devices", "--json").stdout)["devices"]
    assert [row["id"] for row in rows] == ["em-1", "em-2"]


def test_watch_without_a_gateway_says_how_to_start_it(file: str) -> None:
    done = edge("-c", file, "watch")
    assert (done.exit_code, "edge run" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("read", "em-9"), "there is no device 'em-9'. There are: em-1, em-2."),
        (("read", "em-2", "voltageL9"), "has no point 'voltageL9'"),
        (("buffer", "peek", "--lane", "fast"), "there is no lane 'fast'"),
    ],
)
def test_a_wrong_word_is_met_with_the_right_ones(file: str, args: tuple[str, ...], words: str) -> None:
    done = edge("-c", file, *args)
    assert done.exit_code == 2
    assert words in done.stderr


def test_reading_through_a_port_that_is_not_there_says_so(file: str) -> None:
    done = edge("-c", file, "read", "em-2")
    assert done.exit_code == 1
    assert "/dev/ttyUSB0" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_buffer_that_was_never_made_is_told(file: str) -> None:
    for command in ("status", "peek"):
        done = edge("-c", file, "buffer", command)
        assert (done.exit_code, "edge run" in done.stderr) == (1, True)


def test_a_store_of_a_newer_version_is_refused_with_the_remedy(file: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    newer = sqlite3.connect(tmp_path / "data/edge.db")
    newer.execute("PRAGMA user_version = 99")
    newer.execute("CREATE TABLE meta (x)")
    newer.close()
    (tmp_path / "gw-1.secret").write_text("s3cret\n")
    (tmp_path / "gw-1.secret").chmod(0o600)
    for command in (("run",), ("buffer", "status")):
        done = edge("-c", file, *command)
        assert done.exit_code == 2
        assert "99" in done.stderr or "newer" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_secret_that_others_can_read_stops_the_start(file: str, tmp_path: Path) -> None:
    (tmp_path / "gw-1.secret").write_text("s3cret\n")
    (tmp_path / "gw-1.secret").chmod(0o644)
    done = edge("-c", file, "run")
    assert (done.exit_code, "chmod 600" in done.stderr) == (2, True)


def test_decode_explains_a_frame() -> None:
    done = edge("decode", "dlt645", "FE" + READ_TOTAL, "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.exit_code == 0
    assert found["protocol"] == "dlt645"
    assert found["noise"] == ["fe"]
    assert found["frames"][0]["ok"] is True
    assert found["frames"][0]["header"]["di"] == "00010000"


def test_decode_takes_lines_from_standard_input_one_object_each() -> None:
    done = edge("decode", "dlt645", "-", "--json", stdin=f"{READ_TOTAL}\n\n{READ_TOTAL[:-4]}0016\n")
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["frames"][0]["ok"] is True
    assert second["frames"][0]["error"]["kind"] == "checksum"
    assert done.exit_code == 1


def test_decode_refuses_what_is_no_hex_and_no_protocol() -> None:
    assert edge("decode", "dlt645", "zz").exit_code == 2
    done = edge("decode", "dlt646", "00")
    assert (done.exit_code, "dlt645" in done.stderr) == (2, True)


def test_decode_shows_a_table_to_people() -> None:
    shown = edge("decode", "dlt645", "68030100112620689108333334338967453" + "3f916").stdout
    assert "energyImportTotal" in shown
    assert "1234.56" in shown


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (3.2, "3 s"), (200, "3 min"), (8000, "2 h"), (900_000, "10 d")]
)
def test_an_age_is_said_as_people_say_it(seconds: float | None, text: str) -> None:
    assert age(seconds) == text


async def test_every_command_beside_a_running_gateway(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        code, out, _ = await site.edge("read", "em-2", "energyImportTotal", "--json")
        assert code == 0, "without a gateway the line is read directly"
        assert json.loads(out)["values"][0]["unit"] == "kWh"

        gateway = await site.start("run")

        async def is_read() -> bool:
            rows = (await site.json("devices"))["devices"]
            return all(row["state"] == "ok" for row in rows if row["id"] != "em-4")

        await site.until(is_read)
        status = await site.json("status")
        keys = {"edge_id", "epoch", "uptime_s", "clock", "lanes", "uplink", "buses", "devices"}
        assert keys <= status.keys()
        assert set(status["lanes"]) == {"safety", "control", "billing", "telemetry"}
        assert set(status["lanes"]["billing"]) == {"next_seq", "acked_seq", "pending", "oldest_age_s", "tombstones"}
        assert {"id", "state", "utilisation", "period_ms", "nominal_ms"} <= status["buses"][0].keys()
        assert {"id", "bus", "profile", "state", "last_ok_at", "error", "breaker"} <= status["devices"][0].keys()

        for command in (("status",), ("devices",), ("buffer", "status"), ("buffer", "peek"), ("read", "em-1")):
            code, out, err = await site.edge(*command)
            assert (code, bool(out)) == (0, True), err
            assert all(len(line) <= 80 for line in out.splitlines()), "it fits a terminal of 80 columns"
        peeked = await site.json("buffer", "peek", "--lane", "billing", "-n", "3")
        assert [row["seq"] for row in peeked["records"]] == [1, 2, 3]

        code, _, err = await site.edge("run")
        assert code == 2, "a second gateway on the same data is refused"
        assert "Traceback" not in err
        twin = (
            (tmp_path / "site.toml").read_text().replace("journal.jsonl", "twin.jsonl").replace('"line-1"', '"line-2"')
        )
        (tmp_path / "twin.toml").write_text(twin)
        for file, words in (
            ("site.toml", "held by another simulator"),
            ("twin.toml", "another program uses that port"),
        ):
            code, _, err = await site.edge("sim", file)
            assert (code, words in err) == (2, True), err
            assert "Traceback" not in err
        gateway.send_signal(signal.SIGTERM)
        assert await gateway.wait() == 0
        code, out, err = await site.edge("buffer", "status", "--json")
        assert code == 0, err
        assert json.loads(out)["running"] is False


async def test_the_simulator_writes_settings_that_are_right(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        text = (tmp_path / "site.toml").read_text()
        text = (
            text.replace("port = ", "port = 0 # ").replace("line-1", "line-9").replace("journal.jsonl", "other.jsonl")
        )
        (tmp_path / "other.toml").write_text(text)
        await site.start("sim", "other.toml", "--write-config", "written.toml", "--seed", "5", "--speed", "10")
        await site.until(lambda: (tmp_path / "written.toml").exists())
        code, out, err = await site.edge("config", "check", "written.toml")
        assert code == 0, err
        assert "4 devices" in out
        code, _, err = await site.edge("sim", "nowhere.toml")
        assert (code, "cannot be read" in err) == (2, True)
