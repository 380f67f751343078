"""``central kpi`` as a script reads it."""

import base64
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from central_server.cli import app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    key = tmp_path / "data" / "central.key"
    key.parent.mkdir()
    key.write_text(base64.b64encode(bytes(range(32))).decode(), encoding="ascii")
    key.chmod(0o600)
    (tmp_path / "central.toml").write_text('[central]\ndatabase = "sqlite:///central.db"\n', encoding="utf-8")
    assert central(tmp_path, "migrate").exit_code == 0
    return tmp_path


def central(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["-c", str(folder / "central.toml"), *words])


def test_the_figures_of_months_come_as_json_and_as_lines(folder: Path) -> None:
    said = json.loads(central(folder, "kpi", "--month", "2026-01", "--months", "2", "--json").stdout)
    assert [each["month"] for each in said["months"]] == ["2025-12", "2026-01"]
    assert said["months"][0]["figures"]["online_rate"] == {"value": None, "unit": "percent", "part": 0, "whole": 0}
    assert "Collection rate" in central(folder, "kpi").stdout


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [(("--month", "soon"), 2, "'soon' is not a period"), (("--site", "sea"), 1, "no such site")],
)
def test_what_cannot_be_told_is_one_sentence(folder: Path, words: tuple[str, ...], code: int, message: str) -> None:
    result = central(folder, "kpi", *words)
    assert (result.exit_code, message in result.stderr) == (code, True), result.output
    assert message in json.loads(central(folder, "kpi", *words, "--json").stdout)["error"]["message"]
