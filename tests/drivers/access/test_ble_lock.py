"""A lock opened over GATT, through bleak, a BlueZ of our own, and a lock that checks its orders."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.access import ble_lock as access
from drivers.access.ble_lock import BleLock
from drivers.base import DoorStatus, Options
from drivers.bus.ble import BleBus
from drivers.bus.exchange import GattExchange, GattPlace, GattSession, Priority
from drivers.bus.settings import BleSettings
from drivers.errors import DeviceOffline, DeviceRefused, DriverError
from drivers.factory import create_driver
from drivers.profile import load_profile
from protocols.ble_lock import LockOrder
from tests.drivers.bluez import SERVICE, STATE, FakeBluez, Lock, Station, bluez_on, needs_dbus

pytestmark = needs_dbus
ADDRESS = "C4:7C:8D:6A:00:11"
PROFILE = load_profile("access/ble-lock")


@asynccontextmanager
async def lock_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, has_key: bool = True, timeout_s: float = 5.0
) -> AsyncIterator[tuple[BleLock, Lock, FakeBluez]]:
    key = secrets.token_bytes(16)
    path = folder / "lock.key"
    path.touch(mode=0o600)
    path.write_text(key.hex())
    lock = Lock(key)
    async with bluez_on(folder, monkeypatch) as bluez, asyncio.timeout(20):
        bus = BleBus(BleSettings("ble", timeout_s=timeout_s))
        driver = create_driver(PROFILE, bus, ADDRESS, Options(key_file=path if has_key else None))
        assert isinstance(driver, BleLock)
        bluez.place(Station(ADDRESS, lock=lock))
        async with bus:
            yield driver, lock, bluez


async def test_a_lock_tells_its_state_and_is_left_in_peace_until_that_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lock_of(tmp_path, monkeypatch) as (driver, lock, bluez):
        values = {it.point: it.quantity for it in await driver.read()}
        assert (values["battery"].value, values["battery"].unit) == (87, "%")
        assert await driver.read_door() == DoorStatus("closed", "locked", "ok")
        lock.state[1] = 1
        for _ in range(5):
            assert (await driver.read_door()).door == "closed"
        await driver.read(["battery"])
        assert bluez.connects == 1, "the lock lives on a battery"
        await driver.read(priority=Priority.COMMAND)
        assert (await driver.read_door()).door == "open"
        assert await driver.read_card() is None


async def test_opening_answers_the_nonce_once_and_the_lock_tells_that_it_has_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lock_of(tmp_path, monkeypatch) as (driver, lock, bluez):
        await driver.open_door(4_950)
        assert lock.opened == [LockOrder(1, 50)]
        assert (await driver.read_door()).lock == "unlocked"
        assert bluez.connects == 1
        lock.state[0] = 0
        monkeypatch.setattr(access, "_BOLT_S", -0.1)
        await driver.open_door(100)
        lock.state[0] = 0
        assert (await driver.read_door()).lock == "locked", "it takes its bolt back by itself"
        await driver.open_door(10_000_000)
        assert lock.opened[-1] == LockOrder(1, access.LONGEST_PULSE_MS // 100)
        assert lock.orders[0][3:] != lock.orders[1][3:]


async def test_a_lock_whose_nonce_repeats_is_not_told_to_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with lock_of(tmp_path, monkeypatch) as (driver, lock, _):
        lock.fixed_nonce = bytes(range(16))
        await driver.open_door(3_000)
        with pytest.raises(DeviceRefused, match=r"a nonce for the second time"):
            await driver.open_door(3_000)
        lock.fixed_nonce = bytes(16)
        with pytest.raises(DeviceRefused, match=r"nonce"):
            await driver.open_door(3_000)
        lock.fixed_nonce = b"short"
        with pytest.raises(DeviceRefused, match=r"a nonce of 5 bytes and not 16"):
            await driver.open_door(3_000)
        assert len(lock.orders) == 1


async def test_an_order_whose_answer_is_lost_is_never_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lock_of(tmp_path, monkeypatch) as (driver, lock, bluez):
        lock.drops_on_write = lambda: bluez.drop(ADDRESS)
        with pytest.raises(DeviceOffline, match=r"lost on writing; it may have taken what was written"):
            await driver.open_door(3_000)
        await asyncio.sleep(0.3)
        assert len(lock.orders) == 1


async def test_a_wrong_key_is_the_locks_refusal_and_without_a_key_nothing_is_even_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lock_of(tmp_path, monkeypatch) as (driver, lock, _):
        lock.key = secrets.token_bytes(16)
        with pytest.raises(DeviceRefused, match=r"refuses") as refused:
            await driver.open_door(3_000)
        assert refused.value.code == 0x80
        assert not lock.opened
    bare = tmp_path / "bare"
    bare.mkdir()
    async with lock_of(bare, monkeypatch, has_key=False) as (driver, _, bluez):
        with pytest.raises(DeviceRefused, match=r"no key_file"):
            await driver.open_door(3_000)
        assert bluez.connects == 0


async def test_a_lock_out_of_range_fails_at_once_and_is_not_tried_again_at_every_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lock_of(tmp_path, monkeypatch, timeout_s=0.3) as (driver, lock, bluez):
        lock.is_gone = True
        with pytest.raises(DeviceOffline, match=r"lost on connecting"):
            await driver.read_door()
        for _ in range(5):
            with pytest.raises(DeviceOffline):
                await driver.read_door()
        assert bluez.connects == 1
        bluez.connect_s = 5.0
        with pytest.raises(DeviceOffline, match=r"did not finish a conversation within 0.3 s"):
            await driver.open_door(3_000)
        monkeypatch.setattr("drivers.bus.ble._NEAR_S", 0.0)
        with pytest.raises(DeviceOffline, match=r"Nothing has been heard from .* lately"):
            await driver.open_door(3_000)


async def test_only_what_the_profile_lists_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def overwrite(session: GattSession) -> bytes:
        await session.write(GattPlace(SERVICE, STATE), b"\x01")
        return b""

    async def read_other(session: GattSession) -> bytes:
        return await session.read(GattPlace("0000180a-0000-1000-8000-00805f9b34fb", STATE))

    async with lock_of(tmp_path, monkeypatch) as (driver, _, _bluez):
        await driver.read()
        with pytest.raises(DriverError, match=r"is not permitted: its profile does not list it"):
            await driver.bus.execute(GattExchange(ADDRESS, overwrite))
        with pytest.raises(DeviceRefused, match=r"has no service 0000180a.*choose its own"):
            await driver.bus.execute(GattExchange(ADDRESS, read_other))
