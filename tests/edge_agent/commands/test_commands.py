"""Every command as a new user would try it: with and without a gateway, right and wrong."""

import asyncio
import io
import json
import os
import signal
import sqlite3
import sys
import tempfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from edge_agent.cli import app
from edge_agent.commands.shell import out
from edge_agent.config import load_settings
from edge_agent.identity import load_signer
from edge_agent.store import Store
from protocols.export import read_export
from protocols.quantity import Quality
from protocols.sync import Lane, Reading, Series, batch_header, decode_batch
from tests.edge_agent.site import SITE, Site, open_site
from tests.edge_agent.test_config import GOOD

ROOT = Path(__file__).resolve().parents[3]
STATUS = {"edge_id", "epoch", "uptime_s", "clock", "lanes", "uplink", "buses", "devices"}
LANE = {"next_seq", "acked_seq", "pending", "oldest_age_s", "tombstones", "thinned"}
UPLINK = {"state", "last_ack_at", "retry_in_s"}
BUS = {"id", "state", "utilisation", "period_ms", "nominal_ms"}
DEVICE = {"id", "bus", "profile", "state", "last_ok_at", "error", "breaker"}
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


def test_config_check_takes_a_device_profile_too(tmp_path: Path) -> None:
    profile = ROOT / "config/devices/electricity/eastron-sdm630.toml"
    done = edge("config", "check", str(profile))
    assert (done.exit_code, "modbus" in done.stdout) == (0, True), done.stderr
    broken = tmp_path / "mine.toml"
    broken.write_text(profile.read_text().replace("scale", "scael").replace("function =", "functoin =", 1))
    done = edge("config", "check", str(broken))
    assert (done.exit_code, "unknown key 'functoin'. Did you mean 'function'?" in done.stderr) == (2, True), done.stderr


def test_brackets_in_a_name_are_only_brackets(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(GOOD.replace('"1-102"', '"B[1] [/] [red]x"'))
    done = edge("-c", str(path), "devices")
    assert (done.exit_code, "B[1] [/] [red]x" in done.stdout) == (0, True), done.stderr


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
    assert found.keys() >= STATUS
    assert all(set(lane) == LANE for lane in found["lanes"].values())
    assert len(found["lanes"]) == 4
    assert found["uplink"].keys() >= UPLINK
    assert all(bus.keys() >= BUS for bus in found["buses"])
    assert all(device.keys() >= DEVICE for device in found["devices"])
    rows = json.loads(edge("-c", file, "devices", "--json").stdout)["devices"]
    assert [row["id"] for row in rows] == ["em-1", "em-2"]
    done = edge("-c", file, "sync", "now")
    assert (done.exit_code, "edge run" in done.stderr) == (1, True)


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


def test_a_data_folder_that_cannot_be_is_told(file: str, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("I am a file")
    done = edge("-c", file, "run")
    assert (done.exit_code, "data folder cannot be made" in done.stderr) == (2, True)
    assert edge("-c", file, "status").exit_code == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_elses_gateway_is_not_taken_for_one_that_does_not_run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        (path / "edge.toml").write_text(GOOD)
        (path / "data").mkdir(0o700)
        (path / "data/edge.db").write_text("")
        os.seteuid(65534)
        try:
            told = [
                edge("-c", f"{folder}/edge.toml", *command)
                for command in (("status",), ("buffer", "status"), ("buffer", "peek"))
            ]
        finally:
            os.seteuid(0)
    assert [(done.exit_code, "account" in done.stderr) for done in told] == [(1, True), (1, True), (2, True)]


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


@pytest.mark.parametrize("text", ["68:AA:AA", "0x68,0xAA,0xAA", "68-aa-aa", " 68 AA AA "])
def test_decode_takes_hex_as_other_programs_print_it(text: str) -> None:
    found = json.loads(edge("decode", "dlt645", text, "--json").stdout)
    assert sum(frame["length"] for frame in found["frames"]) + sum(map(len, found["noise"])) // 2 == 3


def test_decode_refuses_what_is_no_hex_and_no_protocol() -> None:
    assert edge("decode", "dlt645", "zz").exit_code == 2
    done = edge("decode", "dlt646", "00")
    assert (done.exit_code, "dlt645" in done.stderr) == (2, True)
    assert json.loads(edge("decode", "dlt645", "zz", "--json").stdout)["ok"] is False


def test_decode_shows_a_table_to_people() -> None:
    shown = edge("decode", "dlt645", "68030100112620689108333334338967453" + "3f916").stdout
    assert "energyImportTotal" in shown
    assert "1234.56" in shown


async def beside(folder: Path, *args: str) -> Result:
    """Run a command in this process while the site runs in others."""
    return await asyncio.to_thread(edge, "-c", str(folder / "edge.toml"), *args)


async def json_of(folder: Path, *args: str) -> Any:
    return json.loads((await beside(folder, *args, "--json")).stdout)


async def test_every_command_beside_a_running_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out, "width", 80)
    async with open_site(tmp_path) as site:
        directly = await json_of(tmp_path, "read", "em-2", "energyImportTotal")
        assert directly["values"][0]["unit"] == "kWh", "without a gateway the line is read directly"

        gateway = await site.start("run")

        async def is_read() -> bool:
            rows = (await site.ask())["devices"]
            return all(row["state"] == "ok" for row in rows if row["id"] != "em-4")

        await site.until(is_read)
        status = await json_of(tmp_path, "status")
        assert status.keys() >= STATUS
        assert set(status["lanes"]) == {"safety", "control", "billing", "telemetry"}
        assert all(set(lane) == LANE for lane in status["lanes"].values())
        assert status["uplink"].keys() >= UPLINK
        assert all(bus.keys() >= BUS for bus in status["buses"])
        assert all(device.keys() >= DEVICE for device in status["devices"])
        assert len(status["epoch"]) == 16

        for command in (("status",), ("devices",), ("buffer", "status"), ("buffer", "peek"), ("read", "em-1")):
            done = await beside(tmp_path, *command)
            assert (done.exit_code, bool(done.stdout)) == (0, True), done.stderr
            assert all(len(line) <= 80 for line in done.stdout.splitlines()), "it fits a terminal of 80 columns"
        assert "202611000103" in (await beside(tmp_path, "devices")).stdout, "an address is never cut"
        peeked = await json_of(tmp_path, "buffer", "peek", "--lane", "billing", "-n", "3")
        assert [row["seq"] for row in peeked["records"]] == [1, 2, 3]
        assert datetime.fromisoformat(peeked["records"][0]["at"]).tzinfo is not None
        silent = await beside(tmp_path, "read", "em-4")
        assert (silent.exit_code, "em-4: no answer" in silent.stderr) == (1, True)
        silent = await beside(tmp_path, "read", "em-4", "--json")
        assert (json.loads(silent.stdout)["ok"], silent.exit_code) == (False, 1)

        code, _, words = await site.edge("-c", "edge.toml", "run")
        assert (code, "in use by process" in words) == (2, True), "a second gateway on the same data is refused"
        assert "Traceback" not in words
        gateway.send_signal(signal.SIGTERM)
        assert await gateway.wait() == 0
        stopped = await json_of(tmp_path, "status")
        assert (stopped["epoch"], stopped["running"]) == (status["epoch"], False)
        assert stopped["lanes"]["billing"]["next_seq"] >= status["lanes"]["billing"]["next_seq"]
        assert (await json_of(tmp_path, "buffer", "status"))["running"] is False


async def test_watch_shows_values_until_ctrl_c_and_only_of_the_devices_named(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        gateway = await site.start("run")
        await site.until(lambda: has_values(site, "em-2"))
        for words in ((), ("--json",)):
            watching = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "edge_agent", "watch", "em-2", *words, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
            )  # fmt: skip
            assert watching.stdout is not None
            async with asyncio.timeout(10):
                heard = ""
                while "energyImportTotal" not in heard:
                    heard += (await watching.stdout.readline()).decode()
            assert "em-1" not in heard
            watching.send_signal(signal.SIGINT)
            await watching.stdout.read()
            assert await watching.wait() == 0
        assert (await beside(tmp_path, "watch", "em-9")).exit_code == 2
        gateway.send_signal(signal.SIGTERM)
        await gateway.wait()


async def has_values(site: Site, device: str) -> bool:
    return any(row["id"] == device and row["values"] for row in await site.ask("values"))


async def test_a_simulator_that_cannot_serve_says_why(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        twin = (
            (tmp_path / "site.toml").read_text().replace("journal.jsonl", "twin.jsonl").replace('"line-1"', '"line-2"')
        )
        (tmp_path / "twin.toml").write_text(twin)
        (tmp_path / "mine.toml").write_text(GOOD)
        for args, words in (
            (("site.toml",), "held by another simulator"),
            (("twin.toml",), "another program uses that port"),
            (("twin.toml", "--write-config", "mine.toml"), "has not written it"),
            (("nowhere.toml",), "cannot be read"),
        ):
            code, _, told = await site.edge("sim", *args)
            assert (code, words in told, "Traceback" in told) == (2, True, False), told
        assert (tmp_path / "mine.toml").read_text() == GOOD


async def test_the_simulator_writes_settings_that_are_right_and_writes_them_again(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SITE.format(port=0))
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge_agent", "sim", "site.toml", "--write-config", "written.toml", "--speed", "10",
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        async with asyncio.timeout(20):
            while (await process.stdout.readline()).strip() != b"ready":
                pass
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0, "SIGTERM is a good end"
    done = edge("config", "check", str(tmp_path / "written.toml"))
    assert (done.exit_code, "2 buses, 4 devices" in done.stdout) == (0, True), done.stderr


async def test_what_waits_is_exported_once_and_the_store_is_proved(tmp_path: Path) -> None:
    file = tmp_path / "edge.toml"
    file.write_text(GOOD)
    settings = load_settings(file)
    settings.data.mkdir(mode=0o700)
    async with await Store.open(settings.store_path, settings.edge_id, window_s=0) as store:
        series = Series("em-1", "energyImportTotal", "kWh")
        await store.append(Lane.BILLING, [Reading(series, n, Decimal(n), Quality.GOOD) for n in range(30)])
    carried = tmp_path / "carried.ghx"
    args = ("-c", str(file), "buffer", "export", str(carried))
    done = edge(*args)
    assert (done.exit_code, "30 records are in" in done.stdout, "central sync import" in done.stdout) == (0, True, True)
    (body,) = read_export(io.BytesIO(carried.read_bytes()).read)
    assert len(decode_batch(body).records) == 30
    assert batch_header(body).is_signed_by(load_signer(settings.data).public)
    assert (edge(*args).exit_code, "is there already" in edge(*args).stderr) == (2, True)
    assert edge(*args[:-1], str(tmp_path / "b.ghx"), "--lane", "bills").exit_code == 2
    assert edge("-c", str(file), "buffer", "verify").exit_code == 0
    with sqlite3.connect(settings.store_path) as connection:
        connection.execute("DELETE FROM record WHERE seq = 7")
    connection.close()
    done = edge("-c", str(file), "buffer", "verify", "--json")
    assert (done.exit_code, "the billing lane holds 29 records" in json.loads(done.stdout)["faults"][0]) == (1, True)
