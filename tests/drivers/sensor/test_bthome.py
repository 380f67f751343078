"""A sensor that broadcasts BTHome, through bleak and a BlueZ of our own."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Options
from drivers.bus.ble import BleBus, Heard
from drivers.bus.settings import BleSettings
from drivers.errors import DeviceOffline, DeviceRefused
from drivers.factory import create_driver
from drivers.profile import load_profile, parse_profile
from drivers.sensor.bthome import BthomeSensor
from drivers.sensor.memory import recall
from protocols.ble.advertisement import Advertisement
from protocols.ble.bthome import SERVICES, V2, encode_sealed
from protocols.ble.bthome_guard import Seen
from protocols.quantity import Quality
from tests.drivers.bluez import FakeBluez, Station, bluez_on, needs_dbus

pytestmark = needs_dbus
ADDRESS = "A4:C1:38:11:22:33"
MAC = bytes.fromhex("a4c138112233")
PROFILE = load_profile("sensor/bthome-thermometer")
CANONICAL = bytes.fromhex("4002C40903BF13")  # bthome.io: 25.00 degC, 50.55 %


@asynccontextmanager
async def sensor_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch, key: bytes | None = None
) -> AsyncIterator[tuple[BthomeSensor, FakeBluez]]:
    path = None
    if key is not None:
        path = folder / "sensor.key"
        path.touch(mode=0o600)
        path.write_text(key.hex())
    async with bluez_on(folder, monkeypatch) as bluez, asyncio.timeout(20):
        bus = BleBus(BleSettings("ble"), watch_s=0.1)
        sensor = create_driver(PROFILE, bus, ADDRESS.lower(), Options(key_file=path))
        assert isinstance(sensor, BthomeSensor)
        async with bus:
            yield sensor, bluez


async def test_what_a_thermometer_said_is_read_with_the_instant_at_which_it_was_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sensor_of(tmp_path, monkeypatch) as (sensor, bluez):
        bluez.place(Station(ADDRESS, {V2: CANONICAL}, rssi=-71))
        before = datetime.now(UTC)
        values = {it.point: it for it in await sensor.read()}
        assert values["temperature"].quantity == (Decimal("25.00"), "degC", Quality.GOOD)
        assert values["humidity"].quantity.value == Decimal("50.55")
        assert values["rssi"].quantity == (Decimal(-71), "dBm", Quality.GOOD)
        assert values["battery"].quantity.quality is Quality.NOT_AVAILABLE
        assert before <= values["temperature"].taken_at <= datetime.now(UTC)


async def test_a_sealed_frame_counts_once_and_a_recording_of_it_is_refused_for_all_to_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = secrets.token_bytes(16)

    def sealed(counter: int, clear: str) -> dict[str, bytes]:
        return {V2: encode_sealed(V2, bytes.fromhex(clear), mac=MAC, key=key, counter=counter)}

    async with sensor_of(tmp_path, monkeypatch, key=key) as (sensor, bluez):
        station = bluez.place(Station(ADDRESS, sealed(700, "02C409")))
        assert (await sensor.read(["temperature"]))[0].quantity.value == Decimal("25.00")
        station.services = sealed(701, "021400")
        await asyncio.sleep(0.2)
        (value,) = await sensor.read(["temperature"])
        assert value.quantity.value == Decimal("0.20")
        await asyncio.sleep(0.2)
        (again,) = await sensor.read(["temperature"])
        assert again.taken_at == value.taken_at, "the same frame once more is no fault, and no sign of life"
        station.services = sealed(700, "02C409")
        await asyncio.sleep(0.2)
        with pytest.raises(DeviceRefused, match=r"is not believed: counter 700 after 701.*imitates") as refused:
            await sensor.read(["temperature"])
        assert [it.quantity.value for it in refused.value.partial] == [Decimal("0.20")]
        station.services = {V2: CANONICAL}
        await asyncio.sleep(0.2)
        with pytest.raises(DeviceRefused, match=r"in clear from a device that encrypts. Turn on its encryption"):
            await sensor.read(["temperature"])
        station.services = sealed(702, "02C409")
        await asyncio.sleep(0.2)
        assert (await sensor.read(["temperature"]))[0].quantity.value == Decimal("25.00")


async def test_a_wrong_key_a_missing_one_and_one_that_others_can_read_each_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = encode_sealed(V2, bytes.fromhex("02C409"), mac=MAC, key=bytes(16), counter=9)
    async with sensor_of(tmp_path, monkeypatch, key=secrets.token_bytes(16)) as (sensor, bluez):
        bluez.place(Station(ADDRESS, {V2: frame}))
        with pytest.raises(DeviceRefused, match=r"its proof does not fit.*Compare its key with the key_file"):
            await sensor.read()
        (tmp_path / "sensor.key").chmod(0o644)
        with pytest.raises(DeviceRefused, match=r"others can read the key.*chmod 600"):
            await sensor.read()
    bare = tmp_path / "bare"
    bare.mkdir()
    async with sensor_of(bare, monkeypatch) as (sensor, bluez):
        bluez.place(Station(ADDRESS, {V2: frame}))
        with pytest.raises(DeviceRefused, match=r"Name its key_file"):
            await sensor.read()


async def test_a_sensor_that_falls_silent_is_offline_once_its_last_word_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path(PROFILE.file).read_text().replace("max_age_s = 900", "max_age_s = 0.6\nlisten_s = 0.4")
    profile = parse_profile(text, "sensor/short", "short.toml")
    async with bluez_on(tmp_path, monkeypatch) as bluez, asyncio.timeout(10):
        bus = BleBus(BleSettings("ble"))
        sensor = create_driver(profile, bus, ADDRESS)
        async with bus:
            with pytest.raises(DeviceOffline, match=rf"Nothing has been heard from {ADDRESS} for 0 s"):
                await sensor.read()
            station = bluez.place(Station(ADDRESS, {"180f": b"\x01"}))
            await asyncio.sleep(0.2)
            with pytest.raises(DeviceOffline, match=r"does not send BTHome"):
                await sensor.read()
            station.services = {V2: CANONICAL}
            await asyncio.sleep(0.2)
            assert (await sensor.read(["humidity"]))[0].quantity.value == Decimal("50.55")
            bluez.is_mute = True
            await asyncio.sleep(0.8)
            with pytest.raises(DeviceOffline, match=r"for 1 s. Check its battery and its range"):
                await sensor.read()


async def test_a_recording_is_refused_also_after_the_gateway_was_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, path, memory = secrets.token_bytes(16), tmp_path / "sensor.key", tmp_path / "data" / "s.json"
    path.touch(mode=0o600)
    path.write_text(key.hex())

    def sealed(counter: int) -> dict[str, bytes]:
        return {V2: encode_sealed(V2, bytes.fromhex("02C409"), mac=MAC, key=key, counter=counter)}

    async with bluez_on(tmp_path, monkeypatch) as bluez, asyncio.timeout(10):
        station = bluez.place(Station(ADDRESS, sealed(900)))
        for counter in (900, 899):
            station.services = sealed(counter)
            bus = BleBus(BleSettings("ble"))
            sensor = create_driver(PROFILE, bus, ADDRESS, Options(key_file=path, memory=memory))
            async with bus:
                if counter == 900:
                    assert (await sensor.read(["temperature"]))[0].quantity.value == Decimal("25.00")
                    assert memory.stat().st_mode & 0o777 == 0o600
                    continue
                with pytest.raises(DeviceRefused, match=rf"counter 899 after 900.*remove {memory} and restart"):
                    await sensor.read(["temperature"])
    memory.write_text("{")
    assert recall(memory).counter is None


def heard_of(service: str, data: bytes, maker: int) -> Heard:
    told = Advertisement(ADDRESS, -60, None, {service: data, "feaa": data}, {maker: b"\x02\x15" + data})
    return Heard(told, datetime.now(UTC), 0.0)


@given(
    st.lists(st.tuples(st.sampled_from(SERVICES), st.binary(max_size=40), st.sampled_from((0x4C, 1))), max_size=20),
    st.booleans(),
)
@settings(max_examples=60)
def test_whatever_is_on_the_air_no_sensor_and_no_beacon_falls_over(
    frames: list[tuple[str, bytes, int]], has_key: bool
) -> None:
    async def listen() -> None:
        bus = BleBus(BleSettings("ble"))
        sensor = create_driver(PROFILE, bus, ADDRESS)
        for name in ("ibeacon", "eddystone"):
            create_driver(load_profile(f"beacon/{name}"), bus, ADDRESS)
        assert isinstance(sensor, BthomeSensor)
        for frame in frames:
            for listener in bus._listeners[ADDRESS]:
                listener(heard_of(*frame))
        sensor._take_in(bytes(16) if has_key else None, Seen())

    asyncio.run(listen())
