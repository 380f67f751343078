"""Beacons, through bleak and a BlueZ of our own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.bus.ble import BleBus
from drivers.bus.settings import BleSettings
from drivers.factory import complaint, create_driver
from drivers.profile import load_profile, parse_profile
from drivers.sensor.beacon import Beacon
from protocols.quantity import Quality
from tests.drivers.bluez import FakeBluez, Station, bluez_on, needs_dbus

ADDRESS = "DD:33:16:00:02:DC"
UUID = "fda50693-a4e2-4fb1-afcf-c6eb07647825"
IBEACON = bytes.fromhex(f"0215{UUID.replace('-', '')}00010002c5")
# google/eddystone: UID with tx -18 dBm; TLM with 3000 mV, 23.5 degC, 100 adverts, 60.0 s.
UID = bytes.fromhex("00ee" + "0102030405060708090a" + "0000000000aa" + "0000")
TLM = bytes.fromhex("2000" + "0bb8" + "1780" + "00000064" + "00000258")


@asynccontextmanager
async def beacon_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, address: str
) -> AsyncIterator[tuple[Beacon, FakeBluez]]:
    text = Path(load_profile(name).file).read_text().replace("max_age_s = 30", "max_age_s = 0.6")
    async with bluez_on(folder, monkeypatch) as bluez, asyncio.timeout(10):
        bus = BleBus(BleSettings("ble"))
        beacon = create_driver(parse_profile(text, name, f"{name}.toml"), bus, address)
        assert isinstance(beacon, Beacon)
        async with bus:
            yield beacon, bluez


async def presence(beacon: Beacon) -> Decimal | None:
    return (await beacon.read(["presence"]))[0].quantity.value


@needs_dbus
async def test_a_beacon_is_present_while_it_is_heard_strongly_and_absent_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with beacon_of(tmp_path, monkeypatch, "beacon/ibeacon", f"{UUID.upper()}/1/2") as (beacon, bluez):
        other = bluez.place(Station("DD:33:16:00:02:DD", makers={0x4C: IBEACON[:-2] + b"\x03\xc5"}))
        assert await presence(beacon) == 0
        station = bluez.place(Station(ADDRESS, makers={0x4C: IBEACON}, rssi=-95))
        await asyncio.sleep(0.3)
        values = {it.point: it.quantity for it in await beacon.read()}
        assert (values["presence"].value, values["rssi"].value) == (0, -95), "too weak to be near"
        station.rssi = -62
        await asyncio.sleep(0.3)
        values = {it.point: it.quantity for it in await beacon.read()}
        assert (values["presence"].value, values["rssi"].value, values["txPower"].value) == (1, -62, -59)
        bluez.remove(ADDRESS)
        await asyncio.sleep(0.8)
        values = {it.point: it.quantity for it in await beacon.read()}
        assert (values["presence"].value, values["rssi"].quality) == (0, Quality.NOT_AVAILABLE)
        assert other.rssi == -60


@needs_dbus
async def test_an_eddystones_telemetry_is_taken_from_the_device_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "0102030405060708090A/0000000000AA"
    async with beacon_of(tmp_path, monkeypatch, "beacon/eddystone", address) as (beacon, bluez):
        bluez.place(Station("DD:33:16:00:02:DD", {"feaa": TLM[:2] + b"\x07\xd0" + TLM[4:]}))
        station = bluez.place(Station(ADDRESS, {"feaa": UID}))
        assert await presence(beacon) == 1
        station.services = {"feaa": TLM}
        await asyncio.sleep(0.3)
        values = {it.point: (it.quantity.value, it.quantity.unit) for it in await beacon.read()}
        assert values["batteryVoltage"] == (Decimal("3.000"), "V")
        assert values["temperature"] == (Decimal("23.5"), "degC")
        assert (values["advertCount"][0], values["uptime"]) == (100, (Decimal("60.0"), "s"))
        assert values["txPower"] == (Decimal(-18), "dBm")


@pytest.mark.parametrize(
    ("address", "is_right"),
    [
        (ADDRESS.lower(), True),
        (f"{UUID}/0/65535", True),
        ("0102030405060708090a/0000000000aa", True),
        (f"{UUID}/1/65536", False),
        (UUID, False),
        ("0102030405060708090a", False),
        ("DD:33:16", False),
    ],
)
def test_a_beacon_is_named_by_address_or_by_what_it_says(address: str, is_right: bool) -> None:
    profile = load_profile("beacon/ibeacon")
    reason = complaint(profile, "ble", address)
    assert (reason is None) == is_right
    assert is_right or (reason is not None and "names no beacon; write its Bluetooth address" in reason)
