"""``edge import`` at the command line: what it writes, what it will not overwrite, and what it says."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drivers.profile import load_profile
from edge_agent.cli import app
from tests.drivers.modbus_server import Unit, modbus_server
from tests.edge_agent.commands.test_scan import edge

SLAVE = {"type": "tcp", "host": "127.0.0.1", "unitId": 3, "deviceName": "M", "byteOrder": "BIG", "wordOrder": "BIG"}
ROW = {"tag": "level", "type": "32float", "functionCode": 4, "objectsCount": 2, "address": 0}


def written(folder: Path, port: int = 502, **more: object) -> Path:
    file = folder / "modbus.json"
    file.write_text(json.dumps({"master": {"slaves": [{**SLAVE, "port": port, "timeseries": [ROW], **more}]}}))
    return file


async def test_what_was_taken_over_reads_the_device(tmp_path: Path) -> None:
    async with modbus_server({3: Unit(input_floats={0: 21.5})}) as port:
        file = written(tmp_path, port)
        code, _, said = await edge("import", "thingsboard", str(file), "-o", str(tmp_path / "edge.toml"))
        assert (code, "1 buses, 1 devices" in said) == (0, True)
        code, stdout, _ = await edge("-c", str(tmp_path / "edge.toml"), "read", "m", "--json")
    assert code == 0
    assert [value["value"] for value in json.loads(stdout)["values"]] == ["21.5"]


def test_a_file_that_is_there_is_left_alone_without_force(tmp_path: Path) -> None:
    target = tmp_path / "edge.toml"
    target.write_text("# mine\n")
    args = ["import", "thingsboard", str(written(tmp_path)), "-o", str(target)]
    done = CliRunner().invoke(app, args)
    assert (done.exit_code, target.read_text()) == (2, "# mine\n")
    assert "--force" in done.stderr
    assert not (tmp_path / "profiles").exists()
    assert CliRunner().invoke(app, [*args, "--force"]).exit_code == 0
    assert "[[device]]" in target.read_text()


def test_profiles_go_where_they_are_told_to_and_are_found_there(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    args = ["-o", str(tmp_path / "site" / "edge.toml"), "--profiles", str(folder), "--json"]
    done = CliRunner().invoke(app, ["import", "thingsboard", str(written(tmp_path)), *args])
    assert done.exit_code == 0, done.output
    (profile,) = json.loads(done.stdout)["profiles"]
    assert Path(profile).is_relative_to(folder)
    assert load_profile(f"{Path(profile).parent.name}/m", folder).points
    assert CliRunner().invoke(app, ["config", "check", str(tmp_path / "site" / "edge.toml")]).exit_code == 0


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("thingsboard", "{", "modbus.x:1: not valid JSON"),
        ("thingsboard", '{"bacnet": {}}', "no devices were found"),
        ("homeassistant", "light:\n  - a\n", "no hub was found"),
        ("homeassistant", "modbus:\n  - name: a\n   b: 2\n", "modbus.x:3: not valid YAML"),
    ],
)
def test_a_file_of_another_kind_is_told_in_one_sentence(kind: str, content: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "modbus.x"
    file.write_text(content)
    done = CliRunner().invoke(app, ["import", kind, str(file), "-o", str(tmp_path / "edge.toml")])
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == [file]


def test_where_nothing_can_be_carried_nothing_is_written(tmp_path: Path) -> None:
    file = written(tmp_path, timeseries=[{**ROW, "type": "string"}])
    done = CliRunner().invoke(app, ["import", "thingsboard", str(file), "-o", str(tmp_path / "edge.toml")])
    assert done.exit_code == 1
    assert "no type 'string'" in done.stderr
    assert list(tmp_path.iterdir()) == [file]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--lang", "en", "import", "homeassistant", str(tmp_path / "none.yaml")])
    assert (done.exit_code, "none.yaml" in done.stderr) == (2, True)
