import pytest

from central_server.records.model import read_records
from protocols.toml import SettingsError

SITE = '[[site]]\ncode = "lake"\nname = "Lake"\n'


def faults_of(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_records(text, "r.toml")
    return [str(fault) for fault in caught.value.faults]


def test_a_file_is_read_with_its_defaults() -> None:
    records = read_records(
        SITE + '[[installation]]\nmetering_point = "1-101-e"\ngateway = "gw-1"\ndevice = "em-1"\n'
        'point = "energyImportTotal"\nfrom = 2026-11-01T00:00:00+08:00\ninitial = "20417.35"\n',
        "r.toml",
    ).records
    (site,), (installation,) = records.site, records.installation
    assert site.zone == "Asia/Shanghai"
    assert (str(installation.multiplier), str(installation.initial), installation.to) == ("1", "20417.35", None)


def test_an_empty_file_is_no_fault() -> None:
    assert read_records("", "r.toml").records.site == ()


def test_every_fault_comes_with_its_line_and_all_at_once() -> None:
    found = faults_of(SITE + '[[site]]\ncode = ""\nname = "x"\nzone = "Mars/Phobos"\n[[owner]]\ncode = "o"\n')
    assert len(found) == 3
    assert found[0].startswith("r.toml:5: site[2].code:")
    assert found[1].startswith("r.toml:7: site[2].zone: 'Mars/Phobos' is not a time zone")
    assert found[2].startswith("r.toml:8: owner[1].name: the key 'name' is missing")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[[site]\n", "r.toml:1: not valid TOML"),
        ('[[sites]]\ncode = "x"\n', "Did you mean 'site'?"),
        (SITE + 'nmae = "x"\n', "Did you mean 'name'?"),
        ('[[unit]]\nsite = "a"\nbuilding = "b"\ncode = "c"\narea_m2 = 97.41\n', 'write it in quotes: "97.41"'),
        ('[[unit]]\nsite = "a"\nbuilding = "b"\ncode = "c"\narea_m2 = "-1"\n', "r.toml:5: unit[1].area_m2"),
        ('[[unit]]\nsite = "a"\nbuilding = "b"\ncode = " c"\n', "r.toml:4: unit[1].code"),
        (SITE + SITE, "r.toml:4: site[2]: the same site stands on line 1. Remove one of them."),
        ("site = 5\n", "r.toml:1: site"),
    ],
)
def test_a_fault_says_what_to_do(text: str, wanted: str) -> None:
    assert any(wanted in fault for fault in faults_of(text)), faults_of(text)


INSTALLATION = {
    "metering_point": '"1-101-e"',
    "gateway": '"gw-1"',
    "device": '"em-1"',
    "point": '"energyImportTotal"',
    "from": "2026-11-01T00:00:00+08:00",
}


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("from", "2026-11-01T00:00:00", "an instant is written with its offset"),
        ("from", "2026-11-01", "an instant is written with its offset"),
        ("from", '"yesterday"', "an instant is written with its offset"),
        ("gateway", '"GW 1"', "cannot name a gateway"),
        ("multiplier", "0", "installation[1].multiplier"),
        ("multiplier", "1.5", "not exact"),
        ("multiplier", '"NaN"', "installation[1].multiplier"),
        ("multiplier", "true", "installation[1].multiplier"),
        ("initial", "-1", "installation[1].initial"),
        ("initial", '"1e40"', "installation[1].initial"),
        ("initial", '"0.0000000000000000000001"', "installation[1].initial"),
        ("initial", '"inf"', "installation[1].initial"),
    ],
)
def test_a_fault_of_an_installation_names_its_key(key: str, value: str, wanted: str) -> None:
    rows = INSTALLATION | {key: value}
    found = faults_of("[[installation]]\n" + "".join(f"{name} = {what}\n" for name, what in rows.items()))
    line = list(rows).index(key) + 2
    assert len(found) == 1
    assert found[0].startswith(f"r.toml:{line}: ")
    assert wanted in found[0]


def test_a_building_of_the_same_code_at_two_sites_is_two_buildings() -> None:
    rows = [f'[[building]]\nsite = "{site}"\ncode = "1"\nname = "1"\n' for site in ("a", "b")]
    assert len(read_records("".join(rows), "r.toml").records.building) == 2
    assert len(faults_of(rows[0] * 2)) == 1
