"""What was found becomes settings that a gateway can run with."""

from pathlib import Path

import pytest

from drivers.bus.settings import BusSettings, OsdpSettings, SerialSettings, TcpSettings
from drivers.search import Sighting
from edge_agent.config import load_settings
from edge_agent.found_config import Found, Known, settings_blocks
from protocols.toml import SettingsError

EDGE = '[edge]\nid = "gw-1"\n\n'
METER = Sighting("dlt645", "202611000103", "DL/T 645-2007,\n 1234.89 kWh", "electricity/dlt645-2007")
WATER = Sighting("cjt188", "20261100000201", "water meter", "water/cjt188")
UNKNOWN = Sighting("modbus", "3", "holding register 0 is 17")
LINE = SerialSettings("scan", "/dev/ttyUSB0", 2400, 8, "E")


def load(text: str, folder: Path) -> list[tuple[str, str, str, str]]:
    (folder / "edge.toml").write_text(EDGE + text)
    settings = load_settings(folder / "edge.toml")
    return [(it.id, it.bus, it.profile.name, it.address) for it in settings.devices]


def test_the_blocks_are_good_settings(tmp_path: Path) -> None:
    text = settings_blocks([Found(METER, LINE), Found(WATER, LINE)], "/dev/ttyUSB0", Known())
    assert load(text, tmp_path) == [
        ("em-1", "line-1", "electricity/dlt645-2007", "202611000103"),
        ("wm-1", "line-1", "water/cjt188", "20261100000201"),
    ]
    (bus,) = load_settings(tmp_path / "edge.toml").buses
    assert isinstance(bus, SerialSettings)
    assert (bus.port, bus.baudrate, bus.parity) == ("/dev/ttyUSB0", 2400, "E")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (TcpSettings("scan", "192.0.2.10", 502), 'kind = "modbus-tcp"\nhost = "192.0.2.10"\nport = 502'),
        (SerialSettings("scan", "tcp://192.0.2.10:4001"), 'kind = "serial"\nhost = "192.0.2.10"\ntcp_port = 4001'),
        (OsdpSettings("scan", "/dev/ttyUSB1"), 'kind = "osdp"\nport = "/dev/ttyUSB1"\nbaudrate = 9600'),
    ],
)
def test_each_kind_of_line_has_its_block(line: BusSettings, words: str) -> None:
    assert words in settings_blocks([Found(UNKNOWN, line)], "x", Known())


def test_a_profile_that_is_still_to_be_chosen_is_a_comment_and_the_check_names_it(tmp_path: Path) -> None:
    text = settings_blocks([Found(UNKNOWN, TcpSettings("scan", "192.0.2.10"))], "192.0.2.10:502", Known())
    assert "# profile = \"...\"   'edge probe 192.0.2.10:502 3' says which fits\n" in text
    with pytest.raises(SettingsError) as told:
        load(text, tmp_path)
    assert [fault.key for fault in told.value.faults] == ["device[1].profile"]


def test_what_the_settings_have_already_is_not_written_again(tmp_path: Path) -> None:
    known = Known("line-7", LINE, frozenset({"line-7", "em-1"}), frozenset({METER.address}))
    text = settings_blocks([Found(METER, LINE), Found(WATER, LINE)], "line-7", known)
    assert "# The bus 'line-7' is in the settings already.\n" in text
    assert text.count("[[device]]") == 1
    assert "[[bus]]" not in text
    fast = SerialSettings("scan", "/dev/ttyUSB0", 9600, 8, "E")
    assert "set otherwise: these answered at 9600 8E1" in settings_blocks([Found(WATER, fast)], "line-7", known)


def test_a_port_that_answered_at_two_settings_gets_one_bus_and_the_rest_as_comments(tmp_path: Path) -> None:
    other = SerialSettings("scan", "/dev/ttyUSB0", 9600, 8, "N")
    text = settings_blocks([Found(METER, LINE), Found(WATER, LINE), Found(UNKNOWN, other)], "/dev/ttyUSB0", Known())
    assert [row[0] for row in load(text, tmp_path)] == ["em-1", "wm-1"]
    assert '# address = "3"' in text
    assert "One line has one owner and one setting" in text


def test_a_pattern_is_no_device() -> None:
    crowd = Sighting("cjt188", "A" * 14, "several meters answer at once")
    text = settings_blocks([Found(crowd, LINE)], "/dev/ttyUSB0", Known())
    assert "\n[[device]]" not in text
