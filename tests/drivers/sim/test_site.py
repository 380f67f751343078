"""Site files: what is wrong is named with its line; the built-in site is whole and so is its edge's side."""

import tomllib
from pathlib import Path

import pytest

from drivers.profile import load_profile, profile_names
from drivers.sim.edge_config import edge_config
from drivers.sim.site import load_site, parse_site
from drivers.sim.training import TRAINING_FILE, training_site
from protocols.toml import SettingsError
from tests.drivers.sim.served import opened, running, site_from

_GOOD = """[site]
seed = 3
[[line]]
id = "tcp-1"
kind = "modbus-tcp"
port = 5020
[[line]]
id = "line-1"
kind = "serial"
path = "line-1"
[[device]]
id = "em-1"
line = "tcp-1"
profile = "electricity/eastron-sdm630"
address = "1"
[[device]]
id = "em-2"
line = "line-1"
profile = "electricity/dlt645-2007"
address = "202611000103"
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed = 3", "sped = 3", "site.toml:2: site.sped: unknown key 'sped'. Did you mean 'speed'?"),
        ('line = "tcp-1"', 'line = "tpc-1"', "site.toml:13: device[1].line: there is no line 'tpc-1'. Did you mean 'tcp-1'?"),
        ("eastron-sdm630", "eastron-sdm631", "site.toml:14: device[1].profile: there is no profile"),
        ('address = "1"', 'address = "248"', "site.toml:15: device[1].address: '248' is not an address of modbus"),
        ('"202611000103"', '"2026"', "Use the twelve digits printed on the meter."),
        ('line = "line-1"', 'line = "tcp-1"', "site.toml:19: device[2].profile: the profile speaks dlt645"),
        ('path = "line-1"', 'port = 1', "site.toml:7: line[2]: a serial line has a 'path' and no 'port'."),
        ("port = 5020", "port = 5020\npaced = true", "are faults of serial lines only"),
        ("port = 5020", "port = 5020\nfaults = { noise = 0.5 }", "are faults of serial lines only"),
        ("port = 5020", "port = 5020\nfaults = { drop = 2 }", "site.toml:7: line[1].faults.drop: input should be less than"),
        ('id = "em-2"', 'id = "em-1"', "site.toml:17: device[2].id: em-1 is taken already"),
        ('address = "1"', 'address = "1"\ninitial = "1.234"', "device[1].initial: input should be a multiple of 0.01"),
        ('address = "1"', 'address = "1"\ninitial = "100000"', "device[1].initial: input should be less than 100000"),
        ("dlt645-2007", "p1", "device[2].profile: the simulator does not speak p1. It speaks modbus, dlt645"),
        ('103"', '103"\nmean = 20000', "device[2].mean: a mean of 20000 W does not fit"),
    ],
)  # fmt: skip
def test_a_fault_in_a_site_is_named_with_its_place_and_remedy(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in _GOOD
    with pytest.raises(SettingsError) as caught:
        parse_site(_GOOD.replace(old, new, 1), "site.toml", tmp_path)
    assert said in str(caught.value)


def test_a_site_that_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file or directory"):
        load_site(tmp_path / "none.toml")


def test_a_file_of_ones_own_is_read_with_paths_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(_GOOD.replace("seed = 3", 'journal = "j"\nstate = "s"'))
    site = load_site(tmp_path / "my.toml")
    assert (site.journal, site.state, site.lines[1].path) == (tmp_path / "j", tmp_path / "s", tmp_path / "line-1")


def test_the_built_in_site_is_the_small_building_it_says(tmp_path: Path) -> None:
    site = training_site(tmp_path)
    kinds = [load_profile(device.profile).kind for device in site.devices if not device.dead]
    assert sorted(kinds) == ["door"] + ["electricity"] * 5 + ["lift"] + ["water"] * 3
    assert [device.line for device in site.devices if device.dead] == ["line-1"]
    assert load_site(TRAINING_FILE).devices == site.devices


async def test_every_profile_of_a_simulated_protocol_can_be_simulated(tmp_path: Path) -> None:
    lines = {
        "modbus": 'kind = "modbus-tcp"\nport = 0',
        "dlt645": 'kind = "serial"\npath = "a"',
        "cjt188": 'kind = "serial"\npath = "b"',
        "mbus": 'kind = "serial"\npath = "c"',
    }
    text = "".join(f'[[line]]\nid = "{protocol}"\n{ends}\n' for protocol, ends in lines.items())
    addresses = {"modbus": "{}", "dlt645": "{:012d}", "cjt188": "{:014d}", "mbus": "{}"}
    for number, name in enumerate(profile_names(), start=1):
        protocol = load_profile(name).protocol
        if protocol not in lines:
            continue
        address = addresses[protocol].format(number)
        text += f'[[device]]\nid = "d{number}"\nline = "{protocol}"\nprofile = "{name}"\naddress = "{address}"\n'
    async with running(site_from(text, tmp_path)) as site:
        assert set(site.addresses) == set(lines)


async def test_the_edges_side_names_every_bus_and_device_where_it_is(tmp_path: Path) -> None:
    text = _GOOD.replace("5020", "0")
    async with running(site_from(text, tmp_path)) as site:
        config = tomllib.loads(
            edge_config(site.site, site.addresses, edge_id="gw-7", uplink_url="http://127.0.0.1:8470")
        )
        assert config["edge"]["id"] == "gw-7"
        assert config["uplink"] == {"url": "http://127.0.0.1:8470", "secret_file": "gw-1.secret"}
        tcp, line = config["bus"]
        assert tcp["port"] == site.port("tcp-1")
        assert line["parity"] == "N"
        with opened(line["port"]):
            pass
    assert [(it["id"], it["bus"], it["address"]) for it in config["device"]] == [
        ("em-1", "tcp-1", "1"),
        ("em-2", "line-1", "202611000103"),
    ]
