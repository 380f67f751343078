"""ThingsBoard's modbus.json becomes settings and profiles that read the same numbers."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from drivers.profile import load_profile
from drivers.profile.modbus import Source
from edge_agent.cli import app
from edge_agent.config import load_settings
from edge_agent.importer.source import leaves, place

HERE = Path(__file__).parent


def taken_over(file: Path, folder: Path, kind: str = "thingsboard") -> dict[str, Any]:
    done = CliRunner().invoke(app, ["import", kind, str(file), "-o", str(folder / "edge.toml"), "--json"])
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def told_of(path: str, report: dict[str, Any]) -> bool:
    """Whether a field is carried by its very name, or listed by itself or with what is around it."""
    if path in {entry["key"] for entry in report["carried"]}:
        return True
    return any(
        path == left or path.startswith((f"{left}.", f"{left}["))
        for left in (entry["key"] for entry in report["not_carried"])
    )


@pytest.mark.parametrize("name", ["thingsboard.json", "thingsboard_old.json"])
def test_every_field_is_carried_or_listed_with_its_line(name: str, tmp_path: Path) -> None:
    report = taken_over(HERE / name, tmp_path)
    fields = [place(path) for path in leaves(json.loads((HERE / name).read_text()))]
    assert len(fields) > 20
    assert [field for field in fields if not told_of(field, report)] == []
    assert all(entry["reason"] for entry in report["not_carried"])
    text = (HERE / name).read_text().splitlines()
    for entry in report["carried"]:
        last = entry["key"].rpartition(".")[2].partition("[")[0]
        assert f'"{last}"' in text[entry["line"] - 1], entry


def test_settings_and_profiles_pass_the_check_and_hold_what_theirs_held(tmp_path: Path) -> None:
    report = taken_over(HERE / "thingsboard.json", tmp_path)
    for file in (report["settings"], *report["profiles"]):
        checked = CliRunner().invoke(app, ["config", "check", file])
        assert checked.exit_code == 0, checked.output
    settings = load_settings(tmp_path / "edge.toml")
    assert [(it.id, it.bus, it.address, it.period_s) for it in settings.devices] == [
        ("meter-a", "meter-a", "1", 5.0),
        ("line-meter", "line-meter", "7", 1.0),
        ("line-meter-two", "line-meter", "8", 1.0),
    ]
    # Two meters with one register map share a profile.
    assert settings.devices[1].profile.name == settings.devices[2].profile.name


def points(folder: Path, profile: str) -> dict[str, tuple[int, int, str, str, str]]:
    found = {}
    for point in load_profile(profile, folder / "profiles").points:
        assert isinstance(point.source, Source)
        it = point.source
        found[point.name] = (it.function, it.address, it.type, it.order, str(it.scale))
    return found


def test_types_orders_and_factors_are_those_of_the_file(tmp_path: Path) -> None:
    taken_over(HERE / "thingsboard.json", tmp_path)
    (meter,) = (tmp_path / "profiles").rglob("meter-a.toml")
    found = points(tmp_path, f"{meter.parent.name}/meter-a")
    assert found["voltageL1"] == (4, 14, "f32", "CDAB", "1")
    assert found["power"] == (3, 20, "i16", "ABCD", "0.1")
    assert found["energy"] == (3, 30, "i64", "CDAB", "0.01")
    assert found["relays1"][:3] == (1, 1, "bit")
    assert found["relays2"][:3] == (1, 2, "bit")
    assert "half" not in found, "it would share a register with another number"
    assert "third" not in found, "a third has no exact decimal"


def test_an_order_left_out_is_written_as_the_swapped_one_it_means(tmp_path: Path) -> None:
    """Source: field.md, chapter Importers: both left out means LITTLE and LITTLE, which swaps 16-bit values too."""
    taken_over(HERE / "thingsboard.json", tmp_path)
    (line,) = (tmp_path / "profiles").rglob("line-meter.toml")
    found = points(tmp_path, f"{line.parent.name}/line-meter")
    assert (found["plain"][3], found["wide"][3]) == ("BADC", "DCBA")


def test_nothing_that_wrote_may_write_here(tmp_path: Path) -> None:
    report = taken_over(HERE / "thingsboard.json", tmp_path)
    assert not any("write" in Path(profile).read_text() for profile in report["profiles"])
    left = {entry["key"]: entry["reason"] for entry in report["not_carried"]}
    assert "by hand" in left["master.slaves[1].rpc[2]"]


def test_a_secret_of_theirs_is_in_nothing_that_is_written(tmp_path: Path) -> None:
    report = taken_over(HERE / "thingsboard.json", tmp_path)
    texts = [Path(file).read_text() for file in (report["settings"], *report["profiles"])]
    assert not any("hush" in text for text in [*texts, json.dumps(report)])
