"""Names are the house's where it is certain, and always ones that a profile takes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.importer.naming import id_of, known_unit, point_name
from protocols.quantity import UNITS


@pytest.mark.parametrize(
    ("label", "unit", "name"),
    [
        ("Voltage L1", "V", "voltageL1"),
        ("L2_Current", "A", "currentL2"),
        ("Total Active Power", "W", "powerTotal"),
        ("Reactive power total", "var", "reactivePowerTotal"),
        ("Grid frequency", "Hz", "freq"),
        ("Total energy import", "kWh", "energyImportTotal"),
        ("energy_export_L3", "kWh", "energyExportL3"),
        ("Solar yield today", "kWh", "solarYieldToday"),  # no word of ours says this
        ("Voltage L1 L2", "V", "voltageL1L2"),  # between two phases is not one phase
        ("Voltage L1", "", "voltageL1"),
        ("3-phase kVA!", "", "phaseKVA3"),
        ("有功电能", "kWh", "holding72"),
        ("", "", "holding72"),
    ],
)
def test_a_point_is_named_as_the_house_does_where_its_unit_agrees(label: str, unit: str, name: str) -> None:
    assert point_name(label, unit, "holding72", set()) == name


@given(st.lists(st.tuples(st.text(max_size=60), st.sampled_from(sorted(UNITS))), max_size=12))
def test_names_and_ids_are_always_taken_by_the_check_and_never_twice(rows: list[tuple[str, str]]) -> None:
    names: set[str] = set()
    ids: set[str] = set()
    for label, unit in rows:
        assert re.fullmatch(r"[a-z][A-Za-z0-9]{0,39}", point_name(label, unit, "coil0", names))
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", id_of(label, "device", ids))
    assert len(names) == len(ids) == len(rows)


def test_units_are_known_by_the_signs_that_others_write() -> None:
    assert [known_unit(text) for text in ("°C", "m³/h", "kWh", "°F", "mg")] == ["degC", "m3/h", "kWh", None, None]
