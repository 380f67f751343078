"""A profile of an M-Bus meter names records, or says what is wrong with it."""

import pytest

from drivers.errors import ProfileError
from drivers.profile import load_profile, parse_profile
from drivers.profile.mbus import QUANTITIES, Link, Source
from protocols.mbus.vif import units_of

PROFILE = """
title = "t"
kind = "electricity"
protocol = "mbus"
sources = ["s"]
[[point]]
name = "energyImportTotal"
unit = "kWh"
register = true
quantity = "energy"
qualifiers = ["forward"]
[[point]]
name = "voltageL2"
unit = "V"
quantity = "voltage"
index = 1
[[point]]
name = "powerL1"
unit = "kW"
quantity = "power"
vib = "AB FF 01"
[[point]]
name = "humidity"
unit = "%"
quantity = "plain-text"
text = "%RH"
"""


def test_a_point_is_a_record_by_what_it_says_of_itself() -> None:
    profile = parse_profile(PROFILE, "electricity/x", "x.toml")
    assert profile.link == Link(has_reset=True, telegrams=8)
    assert [point.source for point in profile.points] == [
        Source("energy", qualifiers=("forward",)),
        Source("voltage", nth=1),
        Source("power", vib="ABFF01"),
        Source("plain-text", text="%RH"),
    ]


@pytest.mark.parametrize("kind", ["heat", "water", "gas", "electricity"])
def test_there_is_a_profile_for_any_meter_of_a_kind(kind: str) -> None:
    profile = load_profile(f"{kind}/mbus-generic")
    assert profile.kind == kind
    assert any(point.is_register for point in profile.points)


def test_only_numbers_can_be_points() -> None:
    assert {"energy", "volume", "power-low"} <= set(QUANTITIES)
    assert not {"date", "datetime", "fabrication-number"} & set(QUANTITIES)
    assert units_of("volume-flow") == {"m3/h"}


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('quantity = "energy"', 'quantity = "enrgy"', "Did you mean 'energy'"),
        ('unit = "V"', 'unit = "A"', "'voltage' is in V"),
        ('text = "%RH"', "", "belong together"),
        ('vib = "AB FF 01"', 'vib = "xx"', "vib"),
        ('quantity = "power"\nvib = "AB FF 01"', 'quantity = "energy"\nqualifiers = ["forward"]', "unit|already"),
    ],
)
def test_a_profile_that_cannot_be_is_explained(old: str, new: str, match: str) -> None:
    with pytest.raises(ProfileError, match=match):
        parse_profile(PROFILE.replace(old, new), "electricity/x", "x.toml")
