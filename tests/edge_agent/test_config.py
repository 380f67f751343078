"""A wrong settings file names every fault with its line and its remedy."""

from pathlib import Path

import pytest

from drivers.bus.settings import BleSettings, SerialSettings, TcpSettings
from edge_agent.config import ENVIRONMENT, find_config, load_settings
from protocols.toml import SettingsError

ROOT = Path(__file__).resolve().parents[2]

GOOD = """\
[edge]
id = "gw-1"

[uplink]
url = "http://127.0.0.1:8470"
secret_file = "gw-1.secret"

[[bus]]
id = "tcp-1"
kind = "modbus-tcp"
host = "127.0.0.1"

[[bus]]
id = "line-1"
kind = "serial"
port = "/dev/ttyUSB0"
baudrate = 9600
timeout_ms = 500

[[device]]
id = "em-1"
bus = "tcp-1"
profile = "electricity/eastron-sdm630"
address = "1"
period_s = 10

[[device]]
id = "em-2"
name = "1-102"
bus = "line-1"
profile = "electricity/dlt645-2007"
address = "202611000103"
points = ["energyImportTotal"]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "edge.toml"
    path.write_text(text)
    return path


def wrong(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(write(folder, text))
    return str(caught.value)


def test_a_good_file_becomes_settings_with_absolute_paths(tmp_path: Path) -> None:
    found = load_settings(write(tmp_path, GOOD))
    assert found.edge_id == "gw-1"
    assert found.store_path == tmp_path / "data/edge.db"
    assert found.uplink is not None
    assert found.uplink.secret_file == tmp_path / "gw-1.secret"
    assert found.buses == (
        TcpSettings("tcp-1", "127.0.0.1", 502, 1.0),
        SerialSettings("line-1", "/dev/ttyUSB0", 9600, 8, "E", 1, 0.5),
    )
    first, second = found.devices
    assert (first.name, first.period_s) == ("em-1", 10)
    assert "energyImportTotal" in first.points
    assert len(first.points) == len(first.profile.points)
    assert (second.name, second.points, second.period_s) == ("1-102", ("energyImportTotal",), 60)


def test_a_site_may_have_profiles_of_its_own_before_those_that_are_shipped(tmp_path: Path) -> None:
    shipped = (ROOT / "config/devices/electricity/eastron-sdm630.toml").read_text()
    (tmp_path / "own/electricity").mkdir(parents=True)
    (tmp_path / "own/electricity/eastron-sdm630.toml").write_text(shipped.replace("Eastron SDM630", "Ours"))
    text = GOOD.replace('id = "gw-1"\n', 'id = "gw-1"\nprofiles = "own"\n', 1)
    first, second = load_settings(write(tmp_path, text)).devices
    assert first.profile.title.startswith("Ours")
    assert not second.profile.title.startswith("Ours")
    with pytest.raises(SettingsError, match="no folder 'gone'"):
        load_settings(write(tmp_path, text.replace('"own"', '"gone"')))


def test_the_example_that_comes_with_gatehouse_is_right() -> None:
    assert load_settings(ROOT / "config/edge.example.toml").devices


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('id = "gw-1"', 'id = "GW 1"', "edge.toml:2: edge.id:"),
        (
            'host = "127.0.0.1"',
            'hots = "127.0.0.1"',
            "edge.toml:11: bus[1].hots: unknown key 'hots'. Did you mean 'host'?",
        ),
        ("baudrate = 9600", "baudrate = 9601", "edge.toml:17: bus[2].baudrate:"),
        (
            'kind = "serial"',
            'kind = "rs485"',
            "edge.toml:15: bus[2].kind: 'rs485' is not a choice here. Choose one of 'modbus-tcp', 'serial', 'osdp', 'ble'.",
        ),
        (
            'bus = "tcp-1"',
            'bus = "tpc-1"',
            "edge.toml:22: device[1].bus: there is no bus 'tpc-1'. Did you mean 'tcp-1'?",
        ),
        (
            "eastron-sdm630",
            "eastron-sdm63",
            "edge.toml:23: device[1].profile: there is no profile 'electricity/eastron-sdm63'."
            " Did you mean 'electricity/eastron-sdm630'?",
        ),
        ('address = "1"', 'address = "300"', "edge.toml:24: device[1].address:"),
        ("202611000103", "2026", "edge.toml:32: device[2].address:"),
        (
            '["energyImportTotal"]',
            '["energyImportTotl"]',
            "device[2].points: the profile has no point 'energyImportTotl'",
        ),
        ('["energyImportTotal"]', "[]", "edge.toml:33: device[2].points:"),
        (
            '["energyImportTotal"]',
            '["powerTotal", "powerTotal"]',
            "edge.toml:33: device[2].points: the point 'powerTotal' stands here twice",
        ),
        ("period_s = 10", "period_s = 0", "edge.toml:25: device[1].period_s:"),
        (
            'id = "gw-1"\n',
            f'id = "gw-1"\ndata = "{"d" * 110}"\n',
            "edge.toml:3: edge.data: the folder's path is too long",
        ),
        ('id = "em-2"', 'id = "em-1"', "edge.toml:28: device[2].id: the id 'em-1' stands on line 21 already"),
        ('bus = "line-1"\nprofile', 'bus = "tcp-1"\nprofile', "edge.toml:32: device[2].address: the profile"),
        ("http://127.0.0.1:8470", "http://centre.example:8470", "edge.toml:5: uplink.url:"),
        ('secret_file = "gw-1.secret"', "", "a centre on this machine knows the gateway by a secret"),
        ('secret_file = "gw-1.secret"', 'transport = "mqtt"', "the address begins with http"),
        ('id = "gw-1"\n', 'id = "gw-1\n', "edge.toml:2: not valid TOML"),
    ],
)
def test_each_fault_names_its_line(tmp_path: Path, old: str, new: str, fault: str) -> None:
    assert fault in wrong(tmp_path, GOOD.replace(old, new, 1))


def test_all_faults_are_told_at_once_in_the_files_order(tmp_path: Path) -> None:
    text = GOOD.replace('bus = "tcp-1"', 'bus = "x"').replace('bus = "line-1"', 'bus = "y"')
    faults = wrong(tmp_path, text).splitlines()
    assert ["device[1].bus" in faults[0], "device[2].bus" in faults[1]] == [True, True]


def test_a_port_has_one_owner(tmp_path: Path) -> None:
    second = '[[bus]]\nid = "line-2"\nkind = "serial"\nport = "/dev/../dev/ttyUSB0"\n\n'
    assert "bus 'line-1' has this port already" in wrong(tmp_path, GOOD.replace("[[device]]", second + "[[device]]", 1))


@pytest.mark.parametrize("address", ["1", "01"])
def test_two_devices_cannot_share_an_address(tmp_path: Path, address: str) -> None:
    twin = f'\n[[device]]\nid = "em-3"\nbus = "tcp-1"\nprofile = "electricity/chint-dtsu666"\naddress = "{address}"\n'
    assert "device 'em-1' has this address on the same bus" in wrong(tmp_path, GOOD + twin)


def test_a_file_that_is_not_there_is_told_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    with pytest.raises(SettingsError, match="no settings file here"):
        find_config(None)
    monkeypatch.setenv(ENVIRONMENT, "other.toml")
    assert find_config(None) == Path("other.toml")
    with pytest.raises(SettingsError, match="No such file"):
        load_settings(tmp_path / "none.toml")


def test_only_a_door_has_a_reader_to_look_at(tmp_path: Path) -> None:
    door = GOOD.replace("electricity/eastron-sdm630", "access/modbus-door").replace("period_s = 10", "card_ms = 100")
    assert [device.card_ms for device in load_settings(write(tmp_path, door)).devices] == [100, 200]
    meter = GOOD.replace("period_s = 10", "card_ms = 100")
    assert "device[1].card_ms: a device of kind 'electricity' has no reader. Remove it." in wrong(tmp_path, meter)


BLE = """\
[edge]
id = "gw-1"

[[bus]]
id = "air"
kind = "ble"

[[device]]
id = "leak-1"
bus = "air"
profile = "sensor/bthome-leak"
address = "A4:C1:38:11:22:33"
key_file = "leak-1.key"
"""


def test_a_bluetooth_adapter_carries_what_advertises_and_nothing_else(tmp_path: Path) -> None:
    found = load_settings(write(tmp_path, BLE))
    assert found.buses == (BleSettings("air", "hci0", "active", 10.0, 60),)
    assert found.devices[0].options.key_file == tmp_path / "leak-1.key"
    meter = BLE.replace("sensor/bthome-leak", "electricity/eastron-sdm630")
    assert "speaks modbus, which a bus of kind 'ble' does not carry" in wrong(tmp_path, meter)
    assert "write it as A4:C1:38:11:22:33" in wrong(tmp_path, BLE.replace("A4:C1:38:11:22:33", "A4C138112233"))
    lock = BLE.replace("sensor/bthome-leak", "access/ble-lock").replace('key_file = "leak-1.key"\n', "")
    assert "a lock is opened with a key of its own. Name a file" in wrong(tmp_path, lock)
    twice = BLE.replace("[[device]]", '[[bus]]\nid = "air-2"\nkind = "ble"\n\n[[device]]')
    assert "bus[2].adapter: bus 'air' has this port already" in wrong(tmp_path, twice)
    assert "bus[1].adapter:" in wrong(tmp_path, BLE.replace('kind = "ble"', 'kind = "ble"\nadapter = "/dev/hci0"'))
