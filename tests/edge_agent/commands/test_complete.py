"""What the shell offers after the tab key: names of these very settings, and nothing where they cannot be read."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge_agent.cli import app
from edge_agent.commands import complete

EDGE = """\
[edge]
id = "gw-1"

[[bus]]
id = "line-1"
kind = "serial"
port = "/dev/ttyUSB0"

[[device]]
id = "em-1"
name = "Shop 12"
bus = "line-1"
profile = "electricity/dlt645-2007-relay"
address = "202611000103"

[[device]]
id = "wm-1"
bus = "line-1"
profile = "no/such-profile"
address = "1"
"""


@pytest.fixture
def settings(tmp_path: Path) -> str:
    file = tmp_path / "edge.toml"
    file.write_text(EDGE)
    return str(file)


def offered(line: str, shell: str = "bash") -> list[str]:
    words = line.split(" ")
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_TYPER_COMPLETE_ARGS": line}
    done = CliRunner().invoke(app, prog_name="edge", env={"_EDGE_COMPLETE": f"complete_{shell}", **asked})
    assert not done.stderr
    return done.stdout.split("\n") if shell == "zsh" else done.stdout.split()


def test_devices_buses_points_states_and_profiles_are_offered(settings: str) -> None:
    edge = f"edge -c {settings}"
    assert offered(f"{edge} read ") == ["em-1", "wm-1"]
    assert offered(f"{edge} watch em-1 w") == ["wm-1"]
    assert offered(f"{edge} read em-1 energyImportTa") == [f"energyImportTariff{number}" for number in range(1, 5)]
    assert offered(f"{edge} write em-1 ") == ["relayState", "keepPower"]
    assert offered(f"{edge} write em-1 relayState ") == ["closed", "open"]
    assert offered(f"{edge} capture ") == ["line-1"]
    assert offered(f"{edge} probe ") == ["em-1", "wm-1", "line-1"]
    assert offered(f"{edge} probe em-1 --profile elev") == ["elevator/modbus-gateway"]
    assert offered(f"{edge} scan line-1 -p dl") == ["dlt645"]


def test_zsh_is_told_what_each_is(settings: str) -> None:
    assert '"em-1":"Shop 12"' in offered(f"edge -c {settings} read em", "zsh")[0]


@pytest.mark.parametrize("text", ["", "[[device]]\nid = ", "device = 3", '[[device]]\nname = "x"'])
def test_settings_that_cannot_be_read_offer_nothing_and_say_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "edge.toml").write_text(text)
    assert offered(f"edge -c {tmp_path / 'edge.toml'} write ") == []
    assert offered(f"edge -c {tmp_path / 'nowhere.toml'} probe ") == []


def test_a_device_with_a_profile_that_is_not_there_has_no_points_to_offer(settings: str) -> None:
    assert offered(f"edge -c {settings} read wm-1 ") == []
    assert complete.profiles("electricity/dlt645-2007-r") == ["electricity/dlt645-2007-relay"]
