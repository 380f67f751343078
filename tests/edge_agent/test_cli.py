"""The command line as a whole: what it offers, and how it is misused."""

import subprocess
import sys

from typer.testing import CliRunner

from edge_agent.cli import app

COMMANDS = ("run", "status", "devices", "read", "watch", "buffer", "decode", "door", "doors", "config", "sim")


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    assert [command for command in COMMANDS if command not in shown] == []


def test_every_command_explains_itself() -> None:
    for command in COMMANDS:
        done = CliRunner().invoke(app, [command, "--help"])
        assert (done.exit_code, "Usage" in done.stdout) == (0, True), command


def test_wrong_usage_ends_with_2() -> None:
    assert CliRunner().invoke(app, ["reed", "em-1"]).exit_code == 2
    assert CliRunner().invoke(app, ["read"]).exit_code == 2


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "edge_agent", "decode", "dlt645", "68AAAAAAAAAAAA681300DF16"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "13" in done.stdout) == (0, True), done.stderr
