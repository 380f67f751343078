"""Looking for what advertises, through bleak and a BlueZ of our own."""

import asyncio
from pathlib import Path

import pytest

from drivers.bus.ble import BleBus
from drivers.bus.settings import BleSettings
from drivers.errors import BusDown
from drivers.search import Progress, Scope, Sighting
from drivers.search.ble import search
from protocols.ble.bthome import V2, encode_sealed
from tests.drivers.bluez import Station, bluez_on, needs_dbus

pytestmark = needs_dbus
IBEACON = bytes.fromhex("0215fda50693a4e24fb1afcfc6eb0764782500010002c5")


async def look(scope: Scope) -> tuple[dict[str, Sighting], list[Progress]]:
    found: dict[str, Sighting] = {}
    steps: list[Progress] = []
    async with BleBus(BleSettings("scan")) as bus:
        async for told in search(bus, scope):
            if isinstance(told, Progress):
                steps.append(told)
            else:
                assert told.address not in found
                found[told.address] = told
    return found, steps


async def test_everybody_is_named_by_what_it_says_and_given_its_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bluez_on(tmp_path, monkeypatch) as bluez, asyncio.timeout(10):
        sealed = encode_sealed(V2, b"\x02\xc4\x09", mac=bytes(6), key=bytes(16), counter=1)
        bluez.place(Station("A4:C1:38:00:00:01", {V2: bytes.fromhex("4002C40903BF13")}, rssi=-55))
        bluez.place(Station("A4:C1:38:00:00:02", {V2: sealed}))
        bluez.place(Station("A4:C1:38:00:00:03", {V2: bytes.fromhex("4401642001")}))
        bluez.place(Station("A4:C1:38:00:00:04", {V2: b"\x40\x02"}))
        bluez.place(Station("DD:33:16:00:00:01", makers={0x4C: IBEACON}))
        eddystone = bluez.place(Station("DD:33:16:00:00:02", {"feaa": bytes.fromhex("00ee" + "01" * 10 + "02" * 6)}))
        bluez.place(Station("C0:00:00:00:00:01", makers={0x0059: b"\x01"}))
        found = asyncio.ensure_future(look(Scope(timeout_s=1.0)))
        await asyncio.sleep(0.5)
        eddystone.services = {"feaa": bytes.fromhex("20000bb8178000000064000002580000")[:14]}
        sightings, steps = await found
        assert sightings["A4:C1:38:00:00:01"] == Sighting(
            "bthome",
            "A4:C1:38:00:00:01",
            "BTHome v2: temperature 25.00 degC, humidity 50.55 %, -55 dBm",
            "sensor/bthome-thermometer",
        )
        assert sightings["A4:C1:38:00:00:02"].detail == "BTHome v2, encrypted: needs a key_file, -60 dBm"
        assert sightings["A4:C1:38:00:00:03"].profile_hint == "sensor/bthome-leak"
        assert sightings["A4:C1:38:00:00:04"].detail.startswith("BTHome that cannot be read")
        assert sightings["DD:33:16:00:00:01"].detail == "iBeacon fda50693-a4e2-4fb1-afcf-c6eb07647825/1/2, -60 dBm"
        spoken = sightings["DD:33:16:00:00:02"].detail
        assert "Eddystone with telemetry" in spoken
        assert spoken.startswith("Eddystone 01010101010101010101/020202020202")
        stranger = sightings["C0:00:00:00:00:01"]
        assert (stranger.protocol, stranger.profile_hint) == ("ble", None)
        assert steps[-1].done == steps[-1].total


async def test_one_address_can_be_looked_for_and_a_missing_adapter_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bluez_on(tmp_path, monkeypatch) as bluez, asyncio.timeout(10):
        bluez.place(Station("A4:C1:38:00:00:01"))
        bluez.place(Station("A4:C1:38:00:00:02"))
        sightings, _ = await look(Scope(("a4:c1:38:00:00:02",), 0.5))
        assert list(sightings) == ["A4:C1:38:00:00:02"]
        with pytest.raises(ValueError, match=r"'12' is not a Bluetooth address"):
            await look(Scope(("12",), 0.5))
        bluez.pull_out()
        with pytest.raises(BusDown, match=r"Plug one in"):
            await look(Scope(None, 2))
