"""Meters read by OBIS at a pty: mode C that is woken and reads itself out, P1 that is only listened to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Driver, Options
from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import SerialSettings
from drivers.errors import DeviceOffline, DeviceRefused, ProfileError
from drivers.factory import create_driver
from drivers.profile import load_profile, parse_profile
from protocols.iec62056 import Message, encode_data, encode_identification
from protocols.p1 import encode_telegram
from protocols.quantity import Quality, Quantity
from tests.drivers.peer import PtyPeer, Reply, pty_peer

READOUT = (
    "F.F(00)\r\n0.0.0(12345678)\r\n1.8.0(001234.56*kWh)\r\n1.8.0*05(001100.00*kWh)\r\n1.8.1(001000.00*kWh)\r\n"
    "2.8.0(000000.00*kWh)\r\n16.7.0(0.540*kW)\r\n32.7.0(230.1*V)\r\n52.7.0(broken*V)\r\n14.7.0(50*kWh)\r\n!\r\n"
)
BODY = (
    "1-3:0.2.8(50)\r\n0-0:96.1.1(4B384547)\r\n1-0:1.8.1(000004.426*kWh)\r\n1-0:1.7.0(00.244*kW)\r\n"
    "0-1:24.1.0(003)\r\n0-1:24.2.1(170102161005W)(00012.107*m3)\r\n"
)


def settings(peer: PtyPeer) -> SerialSettings:
    return SerialSettings("b", peer.path, 115200, timeout_s=0.1)


@asynccontextmanager
async def mode_c(folder: Path, readout: bytes, address: str = "any") -> AsyncIterator[tuple[Driver, PtyPeer]]:
    def answer(request: bytes, message: Message) -> Reply:
        if message.kind == "request":
            return [(0, encode_identification("ISk", "5", "MT174-0001"))] if message.text in ("", "12345678") else []
        return [(0, readout)] if message.kind == "selection" else []

    async with pty_peer("iec62056-21", answer, folder) as peer, SerialBus(settings(peer)) as bus:
        profile = load_profile("electricity/iec62056")
        yield create_driver(profile, bus, address, Options(timeout_s=0.2)), peer


async def test_a_meter_is_woken_and_read_out_at_the_lines_own_rate(tmp_path: Path) -> None:
    async with mode_c(tmp_path, encode_data(READOUT), "12345678") as (driver, peer):
        values = {value.point: value.quantity for value in await driver.read()}
        assert peer.requests == [b"/?12345678!\r\n", b"\x06000\r\n"]
    assert values["energyImportTotal"] == Quantity(Decimal("1234.56"), "kWh")
    assert values["powerTotal"] == Quantity(Decimal(540), "W")
    assert values["voltageL1"] == Quantity(Decimal("230.1"), "V")
    assert values["voltageL2"].quality is Quality.INVALID
    assert values["voltageL3"].quality is Quality.NOT_AVAILABLE
    assert values["freq"] == Quantity(None, "Hz", Quality.INVALID)  # kWh where Hz should stand


async def test_a_meter_that_does_not_wake_costs_only_its_sign_on(tmp_path: Path) -> None:
    async with mode_c(tmp_path, b"", "999") as (driver, peer):
        with pytest.raises(DeviceOffline):
            await driver.read()
        assert peer.requests == [b"/?999!\r\n"]


async def test_a_readout_whose_check_fails_gives_no_value(tmp_path: Path) -> None:
    damaged = encode_data(READOUT).replace(b"1234.56", b"1234.57")
    text = 'title = "t"\nkind = "electricity"\nprotocol = "iec62056"\nsources = ["own"]\n[iec62056]\nreadout_s = 0.2\n'
    text += '[[point]]\nname = "energyImportTotal"\nobis = "1.8.0"\nunit = "kWh"\nregister = true\n'

    async with mode_c(tmp_path, damaged) as (driver, _):
        own = create_driver(parse_profile(text, "x/y", "y.toml"), driver.bus, "any", Options(timeout_s=0.2))
        with pytest.raises(DeviceOffline, match="BCC"):
            await own.read()


async def test_a_refusal_is_the_meters_own(tmp_path: Path) -> None:
    async with mode_c(tmp_path, b"\x15") as (driver, _):
        with pytest.raises(DeviceRefused, match="NAK"):
            await driver.read()


async def test_telegrams_are_waited_for_and_those_of_another_meter_passed_over(tmp_path: Path) -> None:
    mine = encode_telegram("ISk5x", BODY)
    other = encode_telegram("ISk5y", BODY.replace("4B384547", "4B384548").replace("4.426", "9.999"))

    def nothing(request: bytes, telegram: Any) -> Reply:
        return []

    async with pty_peer("p1", nothing, tmp_path) as peer, SerialBus(settings(peer)) as bus:
        meter = create_driver(load_profile("electricity/p1"), bus, "K8EG")
        gas = create_driver(load_profile("gas/p1"), bus, "any")

        async def talk() -> None:
            for part in (other[40:], mine.replace(b"4.426", b"5.426"), other, mine[:30], mine[30:]) * 2:
                await asyncio.sleep(0.05)
                peer.say(part)

        async with asyncio.TaskGroup() as group:
            group.create_task(talk())
            values = {value.point: value.quantity for value in await meter.read(["energyImportTariff1", "powerImport"])}
            (volume,) = await gas.read()
    assert values == {
        "energyImportTariff1": Quantity(Decimal("4.426"), "kWh"),
        "powerImport": Quantity(Decimal(244), "W"),
    }
    assert volume.quantity == Quantity(Decimal("12.107"), "m3")
    assert peer.requests == []


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        (('obis = "1.8.1"', 'obis = "1-0:1.8.0*255"'), "point[2].obis", "already point 'energyImportTotal'"),
        (('obis = "1.8.1"', 'obis = "power"'), "point[2].obis", "not an OBIS code"),
        (('obis = "14.7.0"', 'obis = "14.7.0"\nwrite = { min = 0, max = 1 }'), "point[13].write", "only read"),
    ],
)
def test_a_profile_by_obis_is_linted(change: tuple[str, str], key: str, message: str) -> None:
    text = Path(load_profile("electricity/iec62056").file).read_text("utf-8").replace(*change)
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "x/y", "y.toml")
    (fault,) = caught.value.faults
    assert fault.key == key
    assert message in fault.message


@pytest.mark.parametrize(("profile", "address"), [("electricity/iec62056", "1!"), ("electricity/p1", "a b")])
async def test_an_address_that_the_protocol_does_not_have_is_refused(
    tmp_path: Path, profile: str, address: str
) -> None:
    async with pty_peer("p1", lambda *_: [], tmp_path) as peer, SerialBus(settings(peer)) as bus:
        with pytest.raises(ProfileError):
            create_driver(load_profile(profile), bus, address)
