"""A profile of a CJ/T 188 meter says what its maker does in its own way, or what is wrong with it."""

import pytest

from drivers.errors import ProfileError
from drivers.profile import load_profile, parse_profile
from drivers.profile.cjt188 import Link
from protocols.cjt188_data import Layout

HEAT_PROFILE = """
title = "t"
kind = "heat"
protocol = "cjt188"
sources = ["s"]
[cjt188]
meter_type = "20"
unit_first = false
[[point]]
name = "energyTotal"
unit = "kWh"
register = true
[[point]]
name = "valveState"
states = { 0 = "open", 1 = "closed" }
"""


def test_what_a_maker_does_differently_is_a_line_of_a_file() -> None:
    more = 'unit_first = true\nfirst_energy = "cooling"\nflow_decimals = 2\nopen_code = "66"\nclose_code = "77"'
    profile = parse_profile(HEAT_PROFILE.replace("unit_first = false", more), "heat/x", "x.toml")
    assert profile.link == Link(3, 0x20, "auto", Layout(True, "cooling", 2), open_code=0x66, close_code=0x77)


@pytest.mark.parametrize("kind", ["water", "heat", "gas"])
def test_only_a_water_valve_is_written_and_only_where_its_profile_says_so(kind: str) -> None:
    assert not any(point.write for point in load_profile(f"{kind}/cjt188").points)
    written = [point.name for point in load_profile("water/cjt188-valve").points if point.write]
    assert written == ["valveState"]


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('name = "energyTotal"', 'name = "energyTotl"', "Did you mean 'energyTotal'"),
        ('unit = "kWh"', 'unit = "m3"', "in kWh or GJ"),
        ("unit_first = false", 'open_code = "99"', "the same code"),
        ("register = true", "write = { min = 0, max = 1 }", "Only a valve"),
        ('kind = "heat"', 'kind = "water"', "hold no 'energyTotal'"),
    ],
)
def test_a_profile_that_cannot_be_is_explained(old: str, new: str, match: str) -> None:
    with pytest.raises(ProfileError, match=match):
        parse_profile(HEAT_PROFILE.replace(old, new), "heat/x", "x.toml")
