"""What inputs mean and pulses are worth, as the settings say it."""

from decimal import Decimal
from pathlib import Path

import pytest

from drivers.modbus_value import quantity_of
from edge_agent.config import Settings, load_settings
from protocols.toml import SettingsError

SETTINGS = """
[edge]
id = "gw-1"

[[bus]]
id = "tcp-1"
kind = "modbus-tcp"
host = "127.0.0.1"

[[device]]
id = "io-1"
bus = "tcp-1"
profile = "{profile}"
address = "1"
{map}
"""
LEAKS = """
[device.input.input1]
means = "leak"
after_s = 3
[device.input.input4]
means = "leak"
invert = true
[device.input.input2]
means = "pump-running"
[device.pulse.counter5]
register = "volumeTotal"
weight = 0.01
unit = "m3"
"""


def load(tmp_path: Path, told: str, profile: str = "io/moxa-iologik-e1210") -> Settings:
    path = tmp_path / "edge.toml"
    path.write_text(SETTINGS.format(profile=profile, map=told))
    return load_settings(path)


def test_inputs_and_counters_become_what_they_mean(tmp_path: Path) -> None:
    (device,) = load(tmp_path, LEAKS).devices
    names = [point.name for point in device.profile.points]
    assert {"leak", "leak2", "pumpRunning", "volumeTotal"} <= set(names)
    assert not {"input1", "input4", "input2", "counter5"} & set(names)
    assert len(names) == 32
    volume = device.profile.point("volumeTotal")
    assert (volume.is_register, volume.canonical_unit, volume.modulus) == (True, "m3", Decimal(2**32) / 100)
    assert quantity_of(volume, (123456).to_bytes(4, "big")).value == Decimal("1234.56")
    assert [(it.point, it.source, it.condition, it.after_s) for it in device.watched] == [
        ("leak", "input1", "water_leak", 3),
        ("leak2", "input4", "water_leak", 0),
    ]


def test_a_contact_that_opens_when_it_means_it_is_turned_round_with_its_code(tmp_path: Path) -> None:
    (device,) = load(tmp_path, LEAKS).devices
    plain, inverted = device.profile.point("leak"), device.profile.point("leak2")
    assert [quantity_of(plain, bytes([bit])).value for bit in (0, 1)] == [0, 1]
    assert [quantity_of(inverted, bytes([bit])).value for bit in (0, 1)] == [1, 0]
    assert plain.states == inverted.states == {0: "dry", 1: "wet"}


@pytest.mark.parametrize(
    ("told", "profile", "said"),
    [
        ('[device.input.input99]\nmeans = "leak"', "io/moxa-iologik-e1210", "has no input 'input99'. It has: input1"),
        ('[device.input.output1]\nmeans = "leak"', "io/waveshare-io-8ch", "has no input 'output1'"),
        ('[device.input.input1]\nmeans = "leek"', "io/moxa-iologik-e1210", "input should be 'leak', 'smoke'"),
        (
            '[device.pulse.counter1]\nregister = "x"\nweight = 1\nunit = "V"',
            "io/moxa-iologik-e1210",
            "'V' is neither. Write kWh",
        ),
        (
            '[device.pulse.input1]\nregister = "x"\nweight = 1\nunit = "m3"',
            "io/moxa-iologik-e1210",
            "has no counter 'input1'. It has: counter1",
        ),
        (
            '[device.pulse.counter1]\nregister = "counter2"\nweight = 1\nunit = "m3"',
            "io/moxa-iologik-e1210",
            "a point 'counter2' already",
        ),
        (
            '[device.input.input1]\nmeans = "leak"',
            "electricity/eastron-sdm630",
            "kind 'electricity' has no inputs to map",
        ),
        ('[device.pulse.counter1]\nregister = "x"\nweight = 0\nunit = "m3"', "io/moxa-iologik-e1210", "greater than 0"),
    ],
)
def test_what_does_not_go_together_is_said_with_the_remedy(tmp_path: Path, told: str, profile: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, told, profile)
    assert said in str(refused.value)
