"""Home Assistant's Modbus hubs become settings and profiles that read the same numbers."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from drivers.profile import load_profile
from drivers.profile.modbus import Source
from edge_agent.cli import app
from edge_agent.config import load_settings
from edge_agent.importer.source import leaves, place, read_yaml
from tests.edge_agent.importer.test_thingsboard import points, taken_over, told_of

FILE = Path(__file__).parent / "homeassistant.yaml"


class Plain(yaml.SafeLoader):
    """An independent reading of the example: every tag of theirs is a text."""


Plain.add_multi_constructor("!", lambda _loader, suffix, node: f"{suffix} {node.value}")


def test_every_field_is_carried_or_listed(tmp_path: Path) -> None:
    report = taken_over(FILE, tmp_path, "homeassistant")
    with FILE.open() as file:
        data = yaml.load(file, Plain)
    # PyYAML makes a truth of the bare word; a mode is called off here.
    fields = [place(tuple("off" if key is False else key for key in path)) for path in leaves(data)]
    assert len(fields) > 150
    assert [field for field in fields if not told_of(field, report)] == []
    unknown = [entry["key"] for entry in report["not_carried"] if "not known here, and nothing" in entry["reason"]]
    assert unknown == []


def test_settings_and_profiles_pass_the_check(tmp_path: Path) -> None:
    report = taken_over(FILE, tmp_path, "homeassistant")
    for file in (report["settings"], *report["profiles"]):
        checked = CliRunner().invoke(app, ["config", "check", file])
        assert checked.exit_code == 0, checked.output
    settings = load_settings(tmp_path / "edge.toml")
    assert [(it.bus, it.address) for it in settings.devices] == [
        ("plant-room", "1"),
        ("plant-room", "2"),
        ("plant-room", "3"),
        ("plant-room", "4"),
        ("basement-line", "6"),
        ("converter", "7"),
    ]
    # The shortest of a device's periods; what was never polled is not polled.
    assert settings.devices[0].period_s == 10
    assert "longCounter" not in settings.devices[1].points


def test_numbers_are_read_as_theirs_were(tmp_path: Path) -> None:
    taken_over(FILE, tmp_path, "homeassistant")
    meter = points(tmp_path, "electricity/plant-room-1")
    assert meter["energyImportTotal"] == (4, 72, "f32", "ABCD", "1")
    assert meter["voltageL1"] == (4, 0, "f32", "CDAB", "1")
    assert meter["frequenz"] == (3, 70, "u16", "BADC", "0.01")
    water = load_profile("water/basement-line-6", tmp_path / "profiles").point("water")
    assert (water.unit, water.is_register) == ("m3", True)


def test_a_thermostats_two_temperatures_have_each_its_own_factor(tmp_path: Path) -> None:
    taken_over(FILE, tmp_path, "homeassistant")
    (file,) = (tmp_path / "profiles").rglob("plant-room-4.toml")
    found = points(tmp_path, f"{file.parent.name}/plant-room-4")
    assert found["bedroomTemperature"] == (3, 10, "i16", "ABCD", "0.1")
    assert found["bedroomTarget"] == (3, 12, "i16", "ABCD", "0.5")
    assert found["bedroomFanMode"][:2] == (3, 14)


def test_only_a_counter_in_a_billed_unit_is_a_register(tmp_path: Path) -> None:
    taken_over(FILE, tmp_path, "homeassistant")
    registers = {
        point.name
        for name in ("electricity/plant-room-1", "water/basement-line-6")
        for point in load_profile(name, tmp_path / "profiles").points
        if point.is_register
    }
    assert registers == {"energyImportTotal", "water"}


def test_switches_are_read_as_states_and_never_written(tmp_path: Path) -> None:
    taken_over(FILE, tmp_path, "homeassistant")
    (file,) = (tmp_path / "profiles").rglob("plant-room-3.toml")
    profile = load_profile(f"{file.parent.name}/plant-room-3", tmp_path / "profiles")
    mode = profile.point("modeRegister")
    assert isinstance(mode.source, Source)
    assert (mode.source.address, mode.states) == (127, {1: "off", 25: "on", 26: "on"})
    assert not any(point.write for point in profile.points)
    alarms = [profile.point(name).source for name in ("pumpAlarm", "pumpAlarm1")]
    assert [(it.address, it.mask) for it in alarms if isinstance(it, Source)] == [(300, 1), (301, 1)]


def test_rounding_and_clamps_do_not_reach_a_billed_point(tmp_path: Path) -> None:
    report = taken_over(FILE, tmp_path, "homeassistant")
    left = {entry["key"] for entry in report["not_carried"]}
    for key in ("precision", "min_value", "max_value", "zero_suppress"):
        assert f"modbus[1].sensors[1].{key}" in left


def test_a_value_that_needs_its_offset_is_not_read_without_it(tmp_path: Path) -> None:
    report = taken_over(FILE, tmp_path, "homeassistant")
    reasons = {entry["key"]: entry["reason"] for entry in report["not_carried"]}
    assert "offset" in reasons["modbus[1].sensors[4]"]


@pytest.mark.parametrize("text", ["a list of hubs, as !include names it"])
def test_a_file_that_holds_only_the_hubs_is_taken_too(text: str, tmp_path: Path) -> None:
    file = tmp_path / "modbus.yaml"
    file.write_text(f"# {text}\n- type: tcp\n  host: h\n  port: 502\n  sensors:\n  - name: a\n    address: 1\n")
    assert taken_over(file, tmp_path, "homeassistant")["devices"] == 1


def test_a_tag_is_named_and_nothing_of_it_is_run(tmp_path: Path) -> None:
    file = tmp_path / "modbus.yaml"
    mark = tmp_path / "made"
    file.write_text(f"modbus: !!python/object/apply:os.system ['touch {mark}']\n")
    done = CliRunner().invoke(app, ["import", "homeassistant", str(file), "-o", str(tmp_path / "edge.toml")])
    assert done.exit_code == 2
    assert not mark.exists()
    assert "Traceback" not in done.output
    assert read_yaml(FILE).line(("modbus", 1, "port")) == 162
