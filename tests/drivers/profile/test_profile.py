"""Profiles: the shipped ones load, and a wrong one is told where and how."""

from decimal import Decimal
from pathlib import Path

import pytest

from drivers.errors import ProfileError
from drivers.profile import dlt645, load_profile, modbus, parse_profile, profile_directory, profile_names
from drivers.profile.file import untraceable
from protocols.toml import parse

GOOD = """\
title = "A meter"
kind = "electricity"
protocol = "modbus"
sources = ["its manual"]

[modbus]
function = 3
type = "f32"

[[point]]
name = "energyImportTotal"
address = 100
unit = "kWh"
register = true

[[point]]
name = "powerTotal"
address = 102
unit = "kW"
scale = 0.1
"""
DLT645 = """\
title = "A meter"
kind = "electricity"
protocol = "dlt645"
sources = ["its manual"]

[[point]]
name = "energyImportTotal"
di = "00010000"
unit = "kWh"
"""


def faults_of(text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "electricity/x", "x.toml")
    assert all(fault.file == "x.toml" for fault in caught.value.faults)
    return [(fault.line, fault.key, f"{fault.message}. {fault.remedy}") for fault in caught.value.faults]


def only_fault(text: str) -> tuple[int, str, str]:
    (fault,) = faults_of(text)
    return fault


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_loads_and_names_its_source(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert all(profile.sources)
    assert profile.point(profile.probe) in profile.points
    if profile.kind in ("electricity", "water"):
        assert any(point.is_register for point in profile.points)


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_has_sources_that_can_be_looked_up(name: str) -> None:
    path = Path(load_profile(name).file)
    document = parse(path.read_text(encoding="utf-8"), path.name)
    assert [str(fault) for fault in untraceable(document, load_profile(name).sources)] == []


@pytest.mark.parametrize("name", [name for name in profile_names() if name.startswith("electricity/")])
def test_every_electricity_meter_says_what_was_drawn(name: str) -> None:
    registers = {point.name for point in load_profile(name).points if point.is_register}
    # Some models count each tariff apart and have no sum.
    assert "energyImportTotal" in registers or {"energyImportTariff1", "energyImportTariff2"} <= registers


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("https://www.example.com/manual.pdf", True),
        ("volkszaehler/mbmd, meters/rs485/sdm.go (commit 13a3019)", True),
        ("Eltako Modbus-RTU protocol V1.6", True),
        ("Siemens manual A5E01168664B-04", True),
        ("Our own template", True),
        ("the manual", False),
        ("notes of a colleague", False),
        ("", False),
    ],
)
def test_a_source_names_a_document_or_an_address(source: str, is_found: bool) -> None:
    faults = list(untraceable(parse(f'sources = [\n  "{source}",\n]\n', "x.toml"), [source]))
    assert [(fault.file, fault.key) for fault in faults] == ([] if is_found else [("x.toml", "sources[1]")])
    assert all(fault.line for fault in faults)
    assert all("Name the document with its number" in fault.remedy for fault in faults)


def test_the_demos_profiles_are_there() -> None:
    assert {
        "electricity/eastron-sdm630",
        "electricity/chint-dtsu666",
        "electricity/dlt645-2007",
        "water/cjt188",
        "elevator/modbus-gateway",
        "access/modbus-door",
    } <= set(profile_names())


def test_the_sdm630_has_its_import_energy_in_input_register_72() -> None:
    point = load_profile("electricity/eastron-sdm630").point("energyImportTotal")
    assert point.source == modbus.Source(4, 72, "f32", "ABCD", Decimal(1), 2)
    assert (point.unit, point.is_register) == ("kWh", True)


def test_the_dtsu666_has_tenths_of_a_volt_in_holding_register_2006() -> None:
    point = load_profile("electricity/chint-dtsu666").point("voltageL1")
    assert point.source == modbus.Source(3, 0x2006, "f32", "ABCD", Decimal("0.1"), 2)


def test_a_dlt645_point_takes_its_length_and_decimals_from_the_codec() -> None:
    point = load_profile("electricity/dlt645-2007").point("voltageL2")
    assert point.source == dlt645.Source(0x02010200, 0x0201FF00, 2, 1, is_signed=False, is_common=True)


def test_a_good_profile_has_its_defaults_and_canonical_units() -> None:
    profile = parse_profile(GOOD, "electricity/x", "x.toml")
    energy, power = profile.points
    assert (profile.probe, energy.canonical_unit, power.canonical_unit) == ("energyImportTotal", "kWh", "W")
    assert isinstance(power.source, modbus.Source)
    assert power.source.scale == Decimal("0.1")


def test_an_unknown_profile_is_met_with_the_nearest_name() -> None:
    with pytest.raises(ProfileError, match="Did you mean 'electricity/eastron-sdm630'"):
        load_profile("electricity/eastron-sdm360")


@pytest.mark.parametrize("name", ["../../README", "/etc/passwd", "electricity/../../pyproject"])
def test_a_name_cannot_leave_the_folder(name: str) -> None:
    with pytest.raises(ProfileError, match="there is no profile"):
        load_profile(name)


def test_profiles_of_an_own_folder_are_found_by_their_path(tmp_path: Path) -> None:
    (tmp_path / "electricity").mkdir()
    (tmp_path / "electricity" / "own.toml").write_text(GOOD, encoding="utf-8")
    assert load_profile("electricity/own", tmp_path).title == "A meter"


def test_a_checkout_keeps_its_profiles_in_config() -> None:
    assert profile_directory().parts[-2:] == ("config", "devices")


def test_broken_toml_is_told_with_its_line(tmp_path: Path) -> None:
    line, _, message = only_fault(GOOD.replace("address = 102", "address ="))
    assert line == 18
    assert "not valid TOML" in message


def test_an_unknown_protocol_is_met_with_the_nearest() -> None:
    line, key, message = only_fault(GOOD.replace('"modbus"', '"modbuss"'))
    assert (line, key) == (3, "protocol")
    assert "Did you mean 'modbus'?" in message


def test_a_misspelt_key_is_met_with_the_nearest() -> None:
    line, key, message = only_fault(GOOD.replace("address = 102", "adress = 102\naddress = 102"))
    assert (line, key) == (18, "point[2].adress")
    assert "Did you mean 'address'?" in message


def test_an_unknown_unit_is_met_with_the_nearest() -> None:
    line, key, message = only_fault(GOOD.replace('"kW"', '"kw"'))
    assert (line, key) == (19, "point[2].unit")
    assert "unknown unit 'kw'; did you mean 'kW'?" in message


def test_overlapping_registers_are_found_with_both_names() -> None:
    line, key, message = only_fault(GOOD.replace("address = 102", "address = 101"))
    assert (line, key) == (18, "point[2].address")
    assert "register 101 is already part of 'energyImportTotal'" in message


def test_the_same_address_of_another_function_is_no_overlap() -> None:
    parse_profile(GOOD.replace("address = 102", "address = 101\nfunction = 4"), "x", "x.toml")


def test_a_length_that_contradicts_the_type_is_found() -> None:
    line, key, message = only_fault(GOOD.replace("address = 102", "address = 102\nlength = 4"))
    assert (line, key) == (19, "point[2].length")
    assert "a f32 has 2 registers, not 4" in message


def test_a_point_named_twice_is_found() -> None:
    line, key, message = only_fault(GOOD.replace("powerTotal", "energyImportTotal"))
    assert (line, key) == (17, "point[2].name")
    assert "already point 1" in message


@pytest.mark.parametrize(("address", "line"), [("65536", 18), ("-1", 18), ("65535", 18)])
def test_an_address_out_of_range_is_found(address: str, line: int) -> None:
    found, key, _ = only_fault(GOOD.replace("address = 102", f"address = {address}"))
    assert (found, key) == (line, "point[2].address")


def test_a_missing_source_is_found() -> None:
    _, key, message = only_fault(GOOD.replace('sources = ["its manual"]\n', ""))
    assert key == "sources"
    assert "missing" in message


def test_a_coil_cannot_hold_a_float() -> None:
    line, _, message = only_fault(GOOD.replace("address = 102", 'address = 102\nfunction = 1\ntype = "f32"'))
    assert line == 16
    assert "coils and discrete inputs hold bits" in message


def test_a_coil_is_a_bit_without_saying_so() -> None:
    text = GOOD.replace("address = 102", "address = 102\nfunction = 1").replace('unit = "kW"\nscale = 0.1\n', "")
    source = parse_profile(text, "x", "x.toml").points[1].source
    assert isinstance(source, modbus.Source)
    assert (source.type, source.count) == ("bit", 1)


def test_a_state_cannot_have_a_unit() -> None:
    _, key, message = only_fault(GOOD.replace("scale = 0.1", 'states = { 0 = "off" }'))
    assert key == "point[2]"
    assert "neither a unit nor 'register'" in message


def test_a_state_is_written_as_the_number_that_is_sent() -> None:
    _, key, message = only_fault(GOOD.replace('unit = "kW"\nscale = 0.1', 'states = { off = "off" }'))
    assert key == "point[2].states"
    assert "'off' is not a code" in message


def test_only_energy_and_volume_are_registers() -> None:
    line, key, message = only_fault(GOOD.replace('unit = "kW"', 'unit = "kW"\nregister = true'))
    assert (line, key) == (19, "point[2].unit")
    assert "a register counts energy or volume, and 'kW' is neither" in message


def test_a_register_without_a_unit_is_no_energy() -> None:
    _, key, message = only_fault(GOOD.replace('unit = "kW"', "register = true"))
    assert key == "point[2].unit"
    assert "leave 'register' out" in message


def test_a_probe_must_be_a_point() -> None:
    line, key, message = only_fault('probe = "powrTotal"\n' + GOOD)
    assert (line, key) == (1, "probe")
    assert "Did you mean 'powerTotal'?" in message


def test_every_fault_is_told_at_once() -> None:
    text = GOOD.replace('"kW"', '"kw"').replace("address = 100", "address = 70000")
    assert [key for _, key, _ in faults_of(text)] == ["point[1].address", "point[2].unit"]


def test_a_data_identifier_is_eight_hex_digits() -> None:
    _, key, message = only_fault(DLT645.replace('"00010000"', '"0001"'))
    assert key == "point[1].di"
    assert "eight hex digits" in message


def test_a_block_is_not_a_number() -> None:
    _, key, message = only_fault(DLT645.replace("00010000", "0201FF00"))
    assert key == "point[1].di"
    assert "a block of 3 numbers" in message


def test_an_uncommon_identifier_needs_length_and_decimals() -> None:
    text = DLT645.replace("00010000", "0280AA07").replace("kWh", "degC")
    _, key, message = only_fault(text)
    assert key == "point[1].di"
    assert "Say its 'length'" in message
    (point,) = parse_profile(text + "length = 2\ndecimals = 1\n", "x", "x.toml").points
    assert point.source == dlt645.Source(0x0280AA07, None, 2, 1, is_signed=False, is_common=False)


def test_a_common_identifier_has_the_codecs_unit() -> None:
    _, key, message = only_fault(DLT645.replace("kWh", "Wh"))
    assert key == "point[1].unit"
    assert "Write 'kWh'" in message


def test_a_point_must_be_in_its_block() -> None:
    _, key, message = only_fault(DLT645 + 'block = "0201FF00"\n')
    assert key == "point[1].block"
    assert "not in the block" in message


def test_a_water_meter_has_no_flow_rate() -> None:
    text = load_profile("water/cjt188").file
    changed = Path(text).read_text(encoding="utf-8").replace('name = "settlementVolume"', 'name = "flowRate"')
    _, key, message = only_fault(changed)
    assert key == "point[2].name"
    assert "the current data hold no 'flowRate'" in message
