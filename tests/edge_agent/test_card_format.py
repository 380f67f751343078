"""How the readers of a gateway send their cards, as its settings say it."""

from pathlib import Path

import pytest

from drivers.base import CardRead
from edge_agent.card_format import USUAL
from edge_agent.config import load_settings
from edge_agent.reader import known_as
from protocols.errors import LengthMismatch
from protocols.toml import SettingsError
from protocols.wiegand import encode_card

SETTINGS = """\
[edge]
id = "gw-1"

[[bus]]
id = "doors"
kind = "osdp"
port = "/dev/ttyUSB0"

[[card_format]]
id = "gate"
bits = 34
parity = ["EXXXXXXXXXXXXXXXX.................", ".................XXXXXXXXXXXXXXXXO"]
facility = [1, 16]
card = [17, 32]
order = "bytes-reversed"

[[device]]
id = "door-1"
bus = "doors"
profile = "access/generic-osdp"
address = "1"
key_file = "door-1.key"
card_formats = ["gate", "wiegand-26"]
"""


def wrong(tmp_path: Path, old: str, new: str) -> str:
    assert old in SETTINGS
    (tmp_path / "edge.toml").write_text(SETTINGS.replace(old, new, 1))
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "edge.toml")
    return str(caught.value)


def test_a_reader_takes_the_format_that_has_the_cards_number_of_bits(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(SETTINGS)
    (device,) = load_settings(tmp_path / "edge.toml").devices
    assert device.key_file == tmp_path / "door-1.key"
    turned = known_as(CardRead(7, 34, encode_card(34, 0x9B2D, 0xA204)), device.card_rules)
    assert turned == CardRead(7, 34, encode_card(34, 0x04A2, 0x2D9B))
    short = CardRead(8, 26, encode_card(26, 90, 324))
    assert known_as(short, device.card_rules) == short
    with pytest.raises(LengthMismatch, match="a card of 37 bits, where this reader's have 34 or 26"):
        known_as(CardRead(9, 37, 0), device.card_rules)
    assert known_as(CardRead(9, 37, 1), ()) == CardRead(9, 37, 1)
    assert sorted(USUAL) == ["wiegand-26", "wiegand-34", "wiegand-34-reversed", "wiegand-37"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"gate", ', '"gata", ', "device[1].card_formats: there is no card format 'gata'. Did you mean 'gate'?"),
        ('"wiegand-26"]', '"wiegand-34"]', "'gate' and 'wiegand-34' both have 34 bits"),
        ("[17, 32]", "[17, 34]", "card_format[1].card: bits 17 to 34 do not lie in order within the 34"),
        ('"EXXX', '"EXX', "card_format[1].parity: a mask of 33 bits, where the card has 34"),
        ('"bytes-reversed"', '"reversed"', "card_format[1].order"),
        ('id = "gate"', 'id = "wiegand-26"', "the id 'wiegand-26' is taken"),
        ("bits = 34", "bit = 34", "card_format[1].bit"),
        ('key_file = "door-1.key"\n', "", "device[1].key_file: an OSDP device needs a key of its own"),
        ('port = "/dev/ttyUSB0"', "", "nothing says where this line is"),
        ('port = "/dev/ttyUSB0"', 'port = "/dev/ttyUSB0"\nhost = "h"', "a serial port or behind a host, not both"),
        (
            'profile = "access/generic-osdp"\n',
            'profile = "access/modbus-door"\ninstall_mode = true\n',
            "modbus installs no key",
        ),
    ],
)
def test_each_fault_names_its_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert told in wrong(tmp_path, old, new)


def test_two_readers_never_share_a_key(tmp_path: Path) -> None:
    device = SETTINGS[SETTINGS.index("[[device]]") :]
    twin = device.replace('"door-1"', '"door-2"').replace('address = "1"', 'address = "2"')
    assert "device 'door-1' has this key already" in wrong(tmp_path, device, device + "\n" + twin)
