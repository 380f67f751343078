"""What goes wrong in a plant room, told in the engineer's language."""

import fcntl
import json
import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge_agent.cli import app

SETTINGS = """
[edge]
id = "edge-1"
data = "data"

[[bus]]
id = "rs485-1"
kind = "serial"
port = "{port}"
baudrate = 9600

[[device]]
id = "em-1"
bus = "{bus}"
profile = "{profile}"
address = "1"
"""
CHINESE = re.compile("[\u4e00-\u9fff]")


@pytest.fixture(autouse=True)
def no_language_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATEHOUSE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


def settings(
    folder: Path, port: str = "/dev/none", bus: str = "rs485-1", profile: str = "electricity/eastron-sdm630"
) -> str:
    path = folder / "edge.toml"
    path.write_text(SETTINGS.format(port=port, bus=bus, profile=profile))
    return str(path)


def told(*args: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, args)
    return done.exit_code, done.stderr + done.stdout


@pytest.mark.parametrize(
    ("changes", "english", "chinese"),
    [
        (
            {"bus": "rs485-2"},
            "there is no bus 'rs485-2'. Did you mean 'rs485-1'?",
            "没有总线“rs485-2”。您是不是想写“rs485-1”？",
        ),
        (
            {"profile": "electricity/dlt645-2007"},
            "'1' is not",
            "“1”不是",
        ),
        (
            {"profile": "water/none"},
            "there is no profile 'water/none'",
            "没有档案“water/none”",
        ),
    ],
)
def test_bad_settings_are_told_with_their_remedy_in_both(
    tmp_path: Path, changes: dict[str, str], english: str, chinese: str
) -> None:
    path = settings(tmp_path, **changes)
    code, text = told("config", "check", path)
    assert (code, english in text) == (2, True), text
    code, text = told("--lang", "zh", "config", "check", path)
    assert (code, chinese in text) == (2, True), text
    assert "edge.toml:1" in text  # the line is named in either


def test_a_missing_port_and_a_held_one_are_told_in_both(tmp_path: Path) -> None:
    path = settings(tmp_path)
    assert "Plug the adapter in" in told("-c", path, "read", "em-1")[1]
    assert "请插上适配器" in told("--lang", "zh", "-c", path, "read", "em-1")[1]
    master, slave = os.openpty()
    fcntl.flock(slave, fcntl.LOCK_EX | fcntl.LOCK_NB)
    path = settings(tmp_path, os.ttyname(slave))
    try:
        assert "is in use by another program. Stop it" in told("-c", path, "read", "em-1")[1]
        assert "正被另一个程序占用。请停止该程序" in told("--lang", "zh", "-c", path, "read", "em-1")[1]
    finally:
        os.close(master)
        os.close(slave)


def test_json_and_a_language_there_is_none(tmp_path: Path) -> None:
    path = settings(tmp_path)
    found = json.loads(told("--lang", "zh", "-c", path, "read", "em-1", "--json")[1])
    assert found["ok"] is False
    assert not CHINESE.search(found["error"])
    code, text = told("--lang", "fr", "-c", path, "status")
    assert (code, "There are: en, zh." in text) == (2, True)


def test_status_of_a_stopped_gateway_is_chinese_throughout(tmp_path: Path) -> None:
    code, text = told("--lang", "zh", "-c", settings(tmp_path), "status")
    assert code == 1
    assert "没有运行" in text
    assert "设备" in text
    assert "已停止" in text
