"""One conversation with one BLE device: connect, read, write what is permitted, be told, disconnect."""

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import suppress

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from dbus_fast.errors import DBusError

from drivers.bus.exchange import GattExchange, GattPlace
from drivers.errors import DeviceOffline, DeviceRefused, DriverError

logging.getLogger("bleak.backends.bluezdbus.version").setLevel(logging.ERROR)  # that no bluetoothctl is here

_PARTING_S = 3.0
# bleak asserts that its connection is there; a device that leaves at that moment makes the assertion fail.
_LOST = (BleakError, DBusError, OSError, EOFError, AssertionError)


class Conversation:
    """A connection in use; a ``GattSession``."""

    def __init__(self, client: BleakClient, address: str, writable: Collection[GattPlace]) -> None:
        self._client = client
        self._address = address
        self._writable = writable
        self._notes: dict[GattPlace, asyncio.Queue[bytes]] = {}

    async def read(self, place: GattPlace) -> bytes:
        try:
            return bytes(await self._client.read_gatt_char(self._find(place)))
        except _LOST as error:
            raise _failure(self._address, error, "reading") from None

    async def write(self, place: GattPlace, value: bytes) -> None:
        if place not in self._writable:
            raise DriverError(
                f"A write to {place.characteristic} of {self._address} is not permitted: its profile does not list it."
            )
        try:
            await self._client.write_gatt_char(self._find(place), value, response=True)
        except _LOST as error:
            raise _failure(self._address, error, "writing; it may have taken what was written") from None

    async def follow(self, place: GattPlace) -> None:
        notes = self._notes.setdefault(place, asyncio.Queue(16))

        def note(_: BleakGATTCharacteristic, value: bytearray) -> None:
            with suppress(asyncio.QueueFull):
                notes.put_nowait(bytes(value))

        try:
            await self._client.start_notify(self._find(place), note)
        except _LOST as error:
            raise _failure(self._address, error, "asking to be told of changes") from None

    async def told(self, place: GattPlace, within_s: float) -> bytes | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                return await self._notes[place].get()
        return None

    def _find(self, place: GattPlace) -> BleakGATTCharacteristic:
        service = self._client.services.get_service(place.service)
        if service is None:
            raise DeviceRefused(
                f"{self._address} has no service {place.service}. Its profile is that of another device: choose its own."
            )
        found = service.get_characteristic(place.characteristic)
        if found is None:
            raise DeviceRefused(
                f"{self._address} has no characteristic {place.characteristic} in its service {place.service}. "
                f"Its profile is that of another device: choose its own."
            )
        return found


async def converse(
    device: BLEDevice, exchange: GattExchange, writable: Callable[[str], Collection[GattPlace]], timeout_s: float
) -> bytes:
    """Hold one conversation; whatever comes of it, the device is let go of.

    Raises: DeviceOffline, DeviceRefused; DriverError for a write that is not permitted.
    """
    address = exchange.address
    client = BleakClient(device, timeout=timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            try:
                await client.connect()
            except _LOST as error:
                raise _failure(address, error, "connecting") from None
            return await exchange.talk(Conversation(client, address, writable(address)))
    except TimeoutError:
        raise DeviceOffline(
            f"{address} did not finish a conversation within {timeout_s:g} s. Check its battery and its range."
        ) from None
    finally:
        with suppress(TimeoutError, *_LOST):
            async with asyncio.timeout(_PARTING_S):
                await client.disconnect()


def _failure(address: str, error: BaseException, doing: str) -> DriverError:
    if isinstance(error, BleakGATTProtocolError):
        return DeviceRefused(f"{address} refuses ({error}) on {doing}", int(error.code))
    if isinstance(error, BleakDeviceNotFoundError):
        return DeviceOffline(f"{address} is not in range any more. Check its battery and its range.")
    reason = str(error) or type(error).__name__
    return DeviceOffline(f"{address} was lost on {doing} ({reason}). Check its battery and its range.")
