"""Which devices can stand on which bus."""

from pathlib import Path

import pytest

from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import SerialSettings, TcpSettings
from drivers.errors import ProfileError
from drivers.factory import complaint, create_bus, create_driver
from drivers.meter.modbus import ModbusMeter
from drivers.profile import load_profile, parse_profile

SDM630 = "electricity/eastron-sdm630"


@pytest.mark.parametrize(
    ("profile", "kind", "address", "reason"),
    [
        (SDM630, "modbus-tcp", "1", None),
        (SDM630, "serial", "247", None),
        (SDM630, "modbus-tcp", "248", "from 1 to 247"),
        ("electricity/dlt645-2007", "serial", "202611000103", None),
        ("electricity/dlt645-2007", "serial", "103", "twelve digits"),
        ("electricity/dlt645-2007", "modbus-tcp", "202611000103", "speaks dlt645"),
        ("water/cjt188", "modbus-tcp", "20261100000201", "speaks cjt188"),
        ("water/cjt188", "serial", "20261100000201", None),
    ],
)
def test_a_device_is_checked_before_anything_is_opened(
    profile: str, kind: str, address: str, reason: str | None
) -> None:
    found = complaint(load_profile(profile), kind, address)
    assert found is None if reason is None else reason in (found or "")


def test_a_kind_without_a_driver_is_told() -> None:
    text = Path(load_profile("water/cjt188").file).read_text(encoding="utf-8").replace('"water"', '"lift"')
    assert "no driver reads" in (complaint(parse_profile(text, "x", "x.toml"), "serial", "1") or "")


async def test_settings_make_their_bus() -> None:
    assert isinstance(create_bus(TcpSettings("tcp-1", "127.0.0.1")), ModbusTcpBus)
    assert isinstance(create_bus(SerialSettings("line-1", "/dev/ttyUSB0")), SerialBus)


async def test_a_modbus_meter_can_stand_on_a_serial_line() -> None:
    bus = create_bus(SerialSettings("line-1", "/dev/ttyUSB0", baudrate=9600, parity="N"))
    assert isinstance(create_driver(load_profile(SDM630), bus, "3"), ModbusMeter)


async def test_what_does_not_go_together_is_told_with_the_profiles_file() -> None:
    bus = create_bus(TcpSettings("tcp-1", "127.0.0.1"))
    with pytest.raises(ProfileError, match=r"dlt645-2007\.toml: address: .*does not carry"):
        create_driver(load_profile("electricity/dlt645-2007"), bus, "202611000103")
