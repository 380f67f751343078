"""What the linter says of profiles of BLE sensors, beacons and locks."""

from pathlib import Path

import pytest

from drivers.errors import ProfileError
from drivers.profile import load_profile, parse_profile, profile_names
from drivers.profile.ble import BthomeLink, BthomeSource
from drivers.profile.ble_lock import LockLink, LockSource


def told(name: str, old: str, new: str) -> str:
    text = Path(load_profile(name).file).read_text()
    assert old in text
    with pytest.raises(ProfileError) as caught:
        parse_profile(text.replace(old, new, 1), "x/x", "x.toml")
    return str(caught.value)


def test_every_profile_that_is_delivered_names_a_source_and_a_caveat() -> None:
    names = [name for name in profile_names() if name.startswith(("sensor/", "beacon/")) or name == "access/ble-lock"]
    assert len(names) >= 11
    for name in names:
        profile = load_profile(name)
        assert profile.sources, name
        assert profile.caveats, name


def test_a_profile_says_what_is_read_and_for_how_long_it_holds() -> None:
    leak = load_profile("sensor/bthome-leak")
    assert leak.link == BthomeLink(max_age_s=7200, listen_s=12)
    assert leak.point("leak").source == BthomeSource("leak", 1)
    lock = load_profile("access/ble-lock")
    assert isinstance(lock.link, LockLink)
    assert lock.link.order is not None
    source = lock.point("battery").source
    assert isinstance(source, LockSource)
    assert source.place.service == "0000180f-0000-1000-8000-00805f9b34fb"


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("sensor/bthome-leak", 'measurand = "leak"', 'measurand = "leek"', "no measurand 'leek'. Did you mean 'leak'?"),
        ("sensor/bthome-leak", 'states = { 0 = "dry", 1 = "wet" }', "", "'leak' is a state. Give 0 and 1 their words."),
        ("sensor/bthome-leak", 'unit = "%"', 'unit = "V"', "'battery' comes in '%'. Write unit = '%'."),
        ("sensor/bthome-leak", 'measurand = "rssi"\nunit = "dBm"', 'measurand = "battery"\nunit = "%"', "number = 2"),
        ("sensor/bthome-leak", 'kind = "sensor"', 'kind = "water"', "no device of kind 'water'"),
        ("sensor/bthome-leak", '1 = "wet" }', '1 = "wet" }\nwrite = {}', "a BLE point is not written"),
        ("sensor/bthome-leak", "max_age_s = 7200", "max_age = 7200", "max_age_s"),
        ("beacon/ibeacon", 'fact = "txPower"', 'fact = "battery"', "an iBeacon does not tell its battery"),
        ("beacon/ibeacon", '{ 0 = "absent", 1 = "present" }', '{ 0 = "absent" }', "presence has the states 0 and 1"),
        ("beacon/eddystone", 'fact = "uptime"', 'fact = "adverts"', "this is 'advertCount' already"),
        ("access/ble-lock", 'characteristic = "2a19"', 'characteristic = "2a1"', "'2a1' is not a UUID"),
        ("access/ble-lock", 'nonce = "7d5e0003', 'nonce = "7d5e0004', "the nonce and the command are one"),
        ("access/ble-lock", 'command = "7d5e0004', 'command = "7d5e0002', "a point reads this characteristic"),
        ("access/ble-lock", "byte = 1", "byte = 0", "this is 'lockState' already"),
        ("access/ble-lock", "nonce_bytes = 16", "nonce_bytes = 4", "nonce_bytes"),
        ("access/ble-lock", 'tells = "7d5e0002', 'tells = "7d5e0009', "no point reads this characteristic"),
    ],
)
def test_each_fault_is_told(name: str, old: str, new: str, sentence: str) -> None:
    assert sentence in told(name, old, new)
