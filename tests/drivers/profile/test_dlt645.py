"""Profiles of DL/T 645 meters: variants, bits of status words, relay commands, and what is wrong with them."""

import pytest

from drivers.errors import ProfileError
from drivers.profile import load_profile, parse_profile
from drivers.profile.dlt645 import Link, Source

METER = """\
title = "A meter"
kind = "electricity"
protocol = "dlt645"
sources = ["its manual"]

[[point]]
name = "energyImportTotal"
di = "00010000"
unit = "kWh"
"""
RELAY = """
[[point]]
name = "relayState"
di = "04000503"
bit = 4
states = { 0 = "closed", 1 = "open" }
control = { 0 = "1C", 1 = "1A" }
write = {}
"""
OLD = METER.replace('sources = ["its manual"]', 'sources = ["its manual"]\n[dlt645]\nvariant = "1997"').replace(
    "00010000", "9010"
)


def only_fault(text: str) -> tuple[str, str]:
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "electricity/x", "x.toml")
    (fault,) = caught.value.faults
    return fault.key, f"{fault.message}. {fault.remedy}"


def test_a_relay_is_a_bit_with_a_command_for_each_state() -> None:
    point = parse_profile(METER + RELAY, "electricity/x", "x.toml").point("relayState")
    assert isinstance(point.source, Source)
    assert (point.source.bit, dict(point.source.controls)) == (4, {0: 0x1C, 1: 0x1A})
    assert point.write is not None


def test_two_bits_of_one_word_are_two_points() -> None:
    more = RELAY.replace("relayState", "keepPower").replace("bit = 4", "bit = 12")
    assert len(parse_profile(METER + RELAY + more, "electricity/x", "x.toml").points) == 3
    assert only_fault(METER + RELAY + more.replace("bit = 12", "bit = 4"))[0] == "point[3].di"


def test_a_meter_of_1997_has_identifiers_of_four_digits_and_is_only_read() -> None:
    link = parse_profile(OLD, "electricity/x", "x.toml").link
    assert isinstance(link, Link)
    assert link.variant == "1997"
    assert "identifier of 2007" in only_fault(OLD.replace("9010", "00010000"))[1]
    assert "not a data identifier of 2007" in only_fault(METER.replace("00010000", "9010"))[1]
    assert "only read" in only_fault(OLD + RELAY.replace("04000503", "C020"))[1]


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        (('control = { 0 = "1C", 1 = "1A" }\n', ""), "point[2].control", "no relay commands"),
        ((', 1 = "1A" }\nwrite', " }\nwrite"), "point[2]", ""),
        (('1 = "1A"', '1 = "1D"'), "point[2].control", "not a relay command"),
        (("write = {}\n", ""), "point[2].control", "control without write"),
        (('states = { 0 = "closed", 1 = "open" }\ncontrol', "control"), "point[2]", ""),
        (("bit = 4", "bit = 16"), "point[2].bit", "15"),
    ],
)
def test_what_is_wrong_with_a_relay_is_said(change: tuple[str, str], key: str, message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile((METER + RELAY).replace(*change), "electricity/x", "x.toml")
    told = [(fault.key, f"{fault.message}. {fault.remedy}") for fault in caught.value.faults]
    assert any(got.startswith(key) and message in text for got, text in told)


@pytest.mark.parametrize("name", ["electricity/dlt645-2007", "electricity/dlt645-2007-single-phase"])
def test_a_meter_whose_profile_names_no_relay_has_nothing_to_write(name: str) -> None:
    assert [point.name for point in load_profile(name).points if point.write] == []
    assert [point.name for point in load_profile(f"{name}-relay").points if point.write] == ["relayState", "keepPower"]
