"""``edge write``, ``capture``, ``scan`` and ``probe`` on the lines of a running gateway, and without one."""

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge_agent.capture_file import parse_capture
from edge_agent.cli import app
from edge_agent.config import load_settings
from edge_agent.replay import decode_chunks
from edge_agent.store_file import peek_records
from protocols.sync import Event, Lane

METER = "202611000103"
SITE = """\
[site]
seed = 3

[[line]]
id = "tcp-1"
kind = "modbus-tcp"
port = {port}

[[line]]
id = "line-1"
kind = "serial"
path = "line-1"
baudrate = 9600
reply_ms = 5

[[device]]
id = "em-1"
line = "tcp-1"
profile = "electricity/eastron-sdm630"
address = "1"
period_s = 1

[[device]]
id = "em-2"
line = "line-1"
profile = "electricity/dlt645-2007-relay"
address = "202611000103"
period_s = 2
"""


@contextmanager
def running(folder: Path, *command: str, ready: str) -> Iterator[subprocess.Popen[bytes]]:
    log = folder / f"{command[0]}.log"
    with log.open("wb") as target:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge_agent", *command], cwd=folder, stdout=target, stderr=target
        )
    try:
        deadline = time.monotonic() + 20
        while ready not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("site")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "site.toml").write_text(SITE.format(port=port))
    (folder / "password").write_text("000000\n")
    (folder / "password").chmod(0o600)
    with running(folder, "sim", "site.toml", "--write-config", "edge.toml", ready="ready"):
        yield folder


@pytest.fixture(scope="module")
def gateway(site: Path) -> Iterator[Path]:
    with running(site, "run", ready="ready"):
        time.sleep(0.5)
        yield site


def edge(folder: Path, *args: str) -> tuple[int, str, str]:
    """Run a command in a folder, with nobody at its standard input."""
    with chdir(folder):
        done = CliRunner().invoke(app, list(args))
    return done.exit_code, done.stdout, done.stderr


def journal(folder: Path) -> list[Event]:
    return [it for _, it in peek_records(folder / "data/edge.db", Lane.CONTROL, 100) if isinstance(it, Event)]


def at_a_terminal(folder: Path, answer: bytes, *args: str) -> tuple[int, str]:
    """Run a command as a person does, who answers the question it asks."""
    child, fd = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ["GATEHOUSE_LANG"] = "en"
        os.execv(sys.executable, [sys.executable, "-m", "edge_agent", *args])
    seen, is_answered, deadline = b"", False, time.monotonic() + 30
    with suppress(OSError):
        while time.monotonic() < deadline:
            if not select.select([fd], [], [], 1)[0]:
                continue
            data = os.read(fd, 4096)
            if not data:
                break
            seen += data
            if b"[y/N]" in seen and not is_answered:
                is_answered = True
                os.write(fd, answer)
    _, status = os.waitpid(child, 0)
    os.close(fd)
    return os.waitstatus_to_exitcode(status), seen.decode()


def test_without_a_gateway_the_line_is_used_directly_and_the_journal_is_kept_all_the_same(site: Path) -> None:
    order = ("write", "em-2", "relayState", "open", "--password-file", "password", "--yes", "--json")
    (site / "password").chmod(0o644)
    code, stdout, _ = edge(site, *order)
    assert (code, "chmod 600 password" in json.loads(stdout)["error"]) == (2, True)
    assert not (site / "data").exists()
    (site / "password").chmod(0o600)
    code, stdout, _ = edge(site, *order)
    assert (code, json.loads(stdout)["read_back"]["word"]) == (0, "open")
    assert [event.kind for event in journal(site)] == ["write_ordered", "write_finished"]
    assert edge(site, *("closed" if word == "open" else word for word in order))[0] == 0
    code, _, stderr = edge(site, "capture", "tcp-1", "--seconds", "1")
    assert (code, "can only be recorded while it is. Start it with 'edge run'." in stderr) == (1, True)


def test_a_write_through_the_gateway_is_recorded_and_told_with_what_was_and_is(gateway: Path) -> None:
    word = ("em-2", "relayState", "open", "--password-file", "password", "--operator", "4711")
    code, _, stderr = edge(gateway, "write", *word)
    assert (code, "there is nobody to ask here. Say --yes" in stderr) == (2, True)
    before = len(journal(gateway))
    code, stdout, _ = edge(gateway, "write", *word, "--yes", "--json")
    told = json.loads(stdout)
    assert (code, told["ok"], told["outcome"]) == (0, True, "done")
    assert (told["old"]["word"], told["word"], told["read_back"]["word"]) == ("closed", "open", "open")
    ordered, finished = journal(gateway)[before:]
    assert (ordered.kind, ordered.body["operator"], finished.body["outcome"]) == ("write_ordered", "4711", "done")


def test_a_person_is_shown_what_is_and_what_is_to_be_and_may_say_no(gateway: Path) -> None:
    before = len(journal(gateway))
    word = ("write", "em-2", "keepPower", "on", "--password-file", "password")
    code, seen = at_a_terminal(gateway, b"n\r", *word)
    assert (code, "nothing was written" in seen) == (1, True), seen
    for words in ("em-2", f"line-1, {METER}", "keepPower", "off", "on"):
        assert words in seen
    assert len(journal(gateway)) == before
    code, seen = at_a_terminal(gateway, b"y\r", *word)
    assert (code, "was off, ordered on, reads back on" in " ".join(seen.split())) == (0, True), seen


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("em-9", "x", "1"), 2, "there is no device 'em-9'. There are: em-1, em-2."),
        (("em-2", "x", "1"), 2, "Those that may be written: relayState, keepPower."),
        (("em-2", "relayState", "-5"), 2, "has no state '-5'"),
        (("em-2", "relayState", "half"), 2, "There are: 'closed', 'open'."),
        (("em-1", "voltageL1", "230"), 1, "does not list 'voltageL1' as writable"),
        (("em-2", "relayState", "open", "--password-file", "/nowhere"), 2, "the password cannot be read"),
    ],
)
def test_a_write_that_cannot_be_is_one_sentence(gateway: Path, args: tuple[str, ...], code: int, words: str) -> None:
    done = CliRunner().invoke(app, ["-c", str(gateway / "edge.toml"), "write", *args, "--yes"])
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in " ".join(done.stderr.split())


def test_a_line_of_the_gateway_is_recorded_while_its_polls_go_on(gateway: Path) -> None:
    code, _, stderr = edge(gateway, "capture", "line-1", "--seconds", "2.5", "-o", "line.jsonl")
    assert (code, "in line.jsonl" in stderr) == (0, True), stderr
    capture = parse_capture((gateway / "line.jsonl").read_text(), "line.jsonl")
    assert (capture.head.bus, capture.head.protocols, capture.head.line["baudrate"]) == ("line-1", ("dlt645",), 9600)
    decoded = decode_chunks(capture.chunks, capture.head.protocols)
    frames = [told for told in decoded if "noise" not in told]
    assert {told["dir"] for told in frames} == {"in", "out"}
    assert all(told["ok"] for told in frames)
    assert any(value["name"] == "voltageL1" for told in frames for value in told["values"])
    status = json.loads(edge(gateway, "status", "--json")[1])
    assert {row["id"]: row["state"] for row in status["devices"]} == {"em-1": "ok", "em-2": "ok"}
    assert edge(gateway, "capture", "line-1", "-o", "line.jsonl")[0] == 2, "a file is not overwritten unasked"


def test_a_modbus_tcp_bus_is_recorded_until_enough_frames_and_replayed(gateway: Path) -> None:
    code, stdout, _ = edge(gateway, "capture", "tcp-1", "--frames", "2", "--seconds", "20", "--json")
    assert code == 0
    (gateway / "tcp.jsonl").write_text(stdout)
    code, stdout, _ = edge(gateway, "replay", "tcp.jsonl", "--json", "--update", "tcp.expected")
    frames = json.loads(stdout)["frames"]
    assert (code, {told["protocol"] for told in frames}) == (0, {"modbus-tcp"})
    assert edge(gateway, "replay", "tcp.jsonl", "--check", "tcp.expected")[0] == 0
    expected = gateway / "tcp.expected"
    expected.write_text(expected.read_text().replace('"device_id": 1', '"device_id": 2', 1))
    code, stdout, _ = edge(gateway, "replay", "tcp.jsonl", "--check", "tcp.expected")
    assert (code, '-{"t"' in stdout.replace("\n", ""), "+" in stdout) == (1, True, True)


def test_a_bus_of_the_gateway_is_searched_by_the_gateway_also_by_the_name_of_its_port(gateway: Path) -> None:
    for place in ("tcp-1", f"127.0.0.1:{load_settings(gateway / 'edge.toml').buses[0].port}"):  # type: ignore[union-attr]
        code, stdout, stderr = edge(gateway, "scan", place, "-a", "1", "-a", "2", "--timeout", "0.1", "--json")
        (found,) = json.loads(stdout)["found"]
        assert (code, found["address"]) == (0, "1"), stderr
    code, stdout, _ = edge(gateway, "scan", "line-1", "-p", "dlt645", "-a", METER, "--write-config", "-")
    assert (code, f"# {METER} on 'line-1' is in the settings already." in stdout) == (0, True)


def test_a_device_of_the_gateway_is_probed_without_stopping_it(gateway: Path) -> None:
    code, stdout, _ = edge(gateway, "probe", "em-1", "--json")
    told = json.loads(stdout)
    assert (code, told["ok"], told["alive"], told["round_trip"]["lost"]) == (0, True, True, 0)
    assert [(row["profile"], row["verdict"]) for row in told["profiles"]] == [("electricity/eastron-sdm630", "fits")]
    code, stdout, _ = edge(gateway, "probe", "line-1", METER, "--profile", "electricity/dlt645-1997")
    assert code == 1
    assert "The profile electricity/dlt645-1997 does not fit: " in " ".join(stdout.split())


def test_a_port_that_the_gateway_has_is_busy_for_everybody_else(gateway: Path, tmp_path: Path) -> None:
    port = gateway / "line-1"
    for command in (("scan", str(port), "-p", "dlt645"), ("capture", str(port)), ("probe", str(port), METER)):
        code, _, stderr = edge(tmp_path, *command)  # a folder without these settings
        assert (code, "is in use by another program. Stop it" in " ".join(stderr.split())) == (1, True), command
