"""Drivers against a Bluetooth stack nobody here wrote: bumble's controllers, host and GATT over a link in memory."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from bleak.backends.device import BLEDevice
from bumble.att import ATT_Error, ErrorCode
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement as Report
from bumble.device import Connection, Device, Peer
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address
from bumble.host import Host
from bumble.link import LocalLink
from bumble.transport.common import AsyncPipeSink

from drivers.access.ble_lock import BleLock
from drivers.base import DoorStatus, Options
from drivers.bus.ble import BleBus
from drivers.bus.exchange import Exchange, GattExchange, GattPlace
from drivers.bus.settings import BleSettings
from drivers.errors import DeviceRefused
from drivers.factory import create_driver
from drivers.profile import load_profile
from protocols import ble_lock
from protocols.ble.advertisement import decode_advertisement
from protocols.errors import ProtocolError
from tests.drivers.bluez import BATTERY, BATTERY_SERVICE, COMMAND, NONCE, SERVICE, STATE

PEER, OURS = "F0:F1:F2:F3:F4:F5", "F5:F4:F3:F2:F1:F0"
_READ, _WRITE, _NOTIFY = (getattr(Characteristic.Properties, name) for name in ("READ", "WRITE", "NOTIFY"))


def device_on(link: LocalLink, address: str) -> Device:
    controller = Controller(address, link=link, public_address=address)
    host = Host(controller, AsyncPipeSink(controller))
    controller.host = host
    return Device(address=Address(address), host=host)


class BumbleBus(BleBus):
    """The owner of a bumble device in place of BlueZ's adapter."""

    def __init__(self, device: Device) -> None:
        super().__init__(BleSettings("bumble"))
        self._device = device

    async def _open(self) -> None:
        self._device.on("advertisement", self._reported)
        await self._device.start_scanning()
        self._opened_at = self._now()

    async def _close(self) -> None:
        self._device.remove_listener("advertisement", self._reported)

    def _reported(self, report: Report) -> None:
        address = report.address.to_string(with_type_qualifier=False)
        told = decode_advertisement(report.data_bytes, address=address, rssi=report.rssi)
        self._note(told, BLEDevice(address, None, {}))

    async def _exchange(self, exchange: Exchange) -> bytes:
        assert isinstance(exchange, GattExchange)
        connection = await self._device.connect(Address(exchange.address))
        try:
            peer = Peer(connection)
            await peer.discover_all()
            return await exchange.talk(Talk(peer, self._writable[exchange.address]))
        finally:
            await connection.disconnect()


class Talk:
    """A ``GattSession`` over bumble's client."""

    def __init__(self, peer: Peer, writable: set[GattPlace]) -> None:
        self._peer = peer
        self._writable = writable
        self._notes: asyncio.Queue[bytes] = asyncio.Queue()

    async def read(self, place: GattPlace) -> bytes:
        return bytes(await self._find(place).read_value())

    async def write(self, place: GattPlace, value: bytes) -> None:
        assert place in self._writable
        try:
            await self._find(place).write_value(value, with_response=True)
        except ATT_Error as error:
            raise DeviceRefused(str(error), error.error_code) from None

    async def follow(self, place: GattPlace) -> None:
        await self._find(place).subscribe(self._notes.put_nowait)

    async def told(self, place: GattPlace, within_s: float) -> bytes | None:
        return await asyncio.wait_for(self._notes.get(), within_s)

    def _find(self, place: GattPlace):  # type: ignore[no-untyped-def]
        (found,) = self._peer.get_characteristics_by_uuid(UUID(place.characteristic), UUID(place.service))
        return found


class BumbleLock:
    """The template's lock as a bumble GATT server."""

    def __init__(self, device: Device, key: bytes) -> None:
        self.key = key
        self.nonce = b""
        self.sizes: list[int] = []
        self.opened: list[ble_lock.LockOrder] = []
        readable, writable = Characteristic.Permissions.READABLE, Characteristic.Permissions.WRITEABLE
        self._state = Characteristic(STATE, _READ | _NOTIFY, readable, bytes(3))
        nonce = Characteristic(NONCE, _READ, readable, CharacteristicValue(read=self._give_nonce))
        command = Characteristic(COMMAND, _WRITE, writable, CharacteristicValue(write=self._take_order))
        battery = Characteristic(BATTERY, _READ, readable, b"\x57")
        self._device = device
        device.add_service(Service(SERVICE, [self._state, nonce, command]))
        device.add_service(Service(UUID.from_16_bits(int(BATTERY_SERVICE[4:8], 16)), [battery]))

    def _give_nonce(self, _: Connection) -> bytes:
        self.nonce = secrets.token_bytes(16)
        return self.nonce

    async def _take_order(self, _: Connection, value: bytes) -> None:
        self.sizes.append(len(value))
        try:
            self.opened.append(ble_lock.decode_order(bytes(value), self.nonce, self.key))
        except ProtocolError:
            raise ATT_Error(ErrorCode.INSUFFICIENT_AUTHORIZATION) from None
        self._state.value = b"\x01\x00\x00"
        await self._device.notify_subscribers(self._state)


@asynccontextmanager
async def two_devices() -> AsyncIterator[tuple[Device, Device]]:
    link = LocalLink()
    theirs, ours = device_on(link, PEER), device_on(link, OURS)
    async with asyncio.timeout(15):
        await theirs.power_on()
        await ours.power_on()
        yield theirs, ours


async def test_what_bumble_advertises_becomes_a_reading() -> None:
    async with two_devices() as (theirs, ours):
        bus = BumbleBus(ours)
        sensor = create_driver(load_profile("sensor/bthome-thermometer"), bus, PEER)
        said = AdvertisingData(
            [
                (AdvertisingData.FLAGS, b"\x06"),
                (AdvertisingData.SERVICE_DATA_16_BIT_UUID, bytes.fromhex("d2fc 40 02C409 03BF13 0164")),
                (AdvertisingData.COMPLETE_LOCAL_NAME, b"ATC_334455"),
            ]
        )
        async with bus:
            await theirs.start_advertising(advertising_data=bytes(said), advertising_interval_min=20)
            values = {it.point: it.quantity for it in await sensor.read()}
            assert (values["temperature"].value, values["humidity"].value) == (Decimal("25.00"), Decimal("50.55"))
            assert (values["battery"].value, values["rssi"].unit) == (100, "dBm")
            heard = bus.last(PEER)
            assert heard is not None
            assert heard.advertisement.local_name == "ATC_334455"


async def test_a_lock_on_bumbles_gatt_server_opens_by_proof_and_refuses_another_key(tmp_path: Path) -> None:
    path = tmp_path / "lock.key"
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(16))
    async with two_devices() as (theirs, ours):
        lock = BumbleLock(theirs, bytes.fromhex(path.read_text()))
        bus = BumbleBus(ours)
        driver = create_driver(load_profile("access/ble-lock"), bus, PEER, Options(key_file=path))
        assert isinstance(driver, BleLock)
        await theirs.start_advertising(auto_restart=True, advertising_interval_min=20, advertising_interval_max=20)
        async with bus:
            assert await driver.read_door() == DoorStatus("closed", "locked", "ok")
            await driver.open_door(3_000)
            assert (lock.opened, lock.sizes) == ([ble_lock.LockOrder(1, 30)], [19])
            assert (await driver.read_door()).lock == "unlocked"
            path.write_text(secrets.token_hex(16))
            with pytest.raises(DeviceRefused, match=r"AUTHORIZATION"):
                await driver.open_door(3_000)
            assert len(lock.opened) == 1
