"""A BlueZ that is none, on a D-Bus of its own: an adapter, devices that advertise, and a lock with a GATT server.

The programs under test speak to it as to the real one: over a socket, by bleak.
"""

# ruff: noqa: N802 - methods and properties have the names that they have on the D-Bus
import asyncio
import contextlib
import secrets
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from dbus_fast import DBusError, PropertyAccess, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import (
    DBusBool,
    DBusBytes,
    DBusDict,
    DBusInt16,
    DBusObjectPath,
    DBusSignature,
    DBusStr,
)
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

from protocols import ble_lock
from protocols.errors import ProtocolError

needs_dbus = pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed")

Strings = Annotated[list[str], DBusSignature("as")]
Makers = Annotated[dict[int, Variant], DBusSignature("a{qv}")]
_READ = PropertyAccess.READ
_EVERY_S = 0.05


@dataclass
class Station:
    """A device on the air."""

    address: str
    services: Mapping[str, bytes] = field(default_factory=dict)
    makers: Mapping[int, bytes] = field(default_factory=dict)
    rssi: int = -60
    name: str = ""
    lock: "Lock | None" = None


class _Adapter(ServiceInterface):
    def __init__(self, bluez: "FakeBluez") -> None:
        super().__init__("org.bluez.Adapter1")
        self._bluez = bluez
        self.is_powered = True
        self.is_discovering = False
        self.filters: dict[str, Any] = {}
        self.starts = 0

    @dbus_property(_READ)
    def Address(self) -> DBusStr:
        return "00:1A:7D:DA:71:13"

    @dbus_property(_READ)
    def Name(self) -> DBusStr:
        return "gateway"

    @dbus_property(_READ)
    def Powered(self) -> DBusBool:
        return self.is_powered

    @dbus_property(_READ)
    def Discovering(self) -> DBusBool:
        return self.is_discovering

    @dbus_property(_READ)
    def Roles(self) -> Strings:
        return ["central", "peripheral"]

    @dbus_method()
    def SetDiscoveryFilter(self, filters: DBusDict) -> None:
        self.filters = {name: variant.value for name, variant in filters.items()}

    @dbus_method()
    def StartDiscovery(self) -> None:
        if self._bluez.refuses_to_scan:
            raise DBusError("org.bluez.Error.InProgress", "Operation already in progress")
        self.is_discovering = True
        self.starts += 1

    @dbus_method()
    def StopDiscovery(self) -> None:
        self.is_discovering = False


class _Monitors(ServiceInterface):
    """The way to listen passively."""

    def __init__(self) -> None:
        super().__init__("org.bluez.AdvertisementMonitorManager1")
        self.registered: set[str] = set()

    @dbus_property(_READ)
    def SupportedMonitorTypes(self) -> Strings:
        return ["or_patterns"]

    @dbus_method()
    def RegisterMonitor(self, path: DBusObjectPath) -> None:
        self.registered.add(path)

    @dbus_method()
    def UnregisterMonitor(self, path: DBusObjectPath) -> None:
        self.registered.discard(path)


class _Device(ServiceInterface):
    def __init__(self, bluez: "FakeBluez", station: Station) -> None:
        super().__init__("org.bluez.Device1")
        self._bluez = bluez
        self.station = station
        self.is_connected = False

    @dbus_property(_READ)
    def Address(self) -> DBusStr:
        return self.station.address

    @dbus_property(_READ)
    def Alias(self) -> DBusStr:
        return self.station.name or self.station.address.replace(":", "-")

    @dbus_property(_READ)
    def Name(self) -> DBusStr:
        return self.station.name

    @dbus_property(_READ)
    def Adapter(self) -> DBusObjectPath:
        return self._bluez.path

    @dbus_property(_READ)
    def Paired(self) -> DBusBool:
        return False

    @dbus_property(_READ)
    def Connected(self) -> DBusBool:
        return self.is_connected

    @dbus_property(_READ)
    def ServicesResolved(self) -> DBusBool:
        return self.is_connected

    @dbus_property(_READ)
    def UUIDs(self) -> Strings:
        return []

    @dbus_property(_READ)
    def RSSI(self) -> DBusInt16:
        return self.station.rssi

    @dbus_property(_READ)
    def ServiceData(self) -> DBusDict:
        return {full(uuid): Variant("ay", data) for uuid, data in self.station.services.items()}

    @dbus_property(_READ)
    def ManufacturerData(self) -> Makers:
        return {company: Variant("ay", data) for company, data in self.station.makers.items()}

    @dbus_method()
    async def Connect(self) -> None:
        lock = self.station.lock
        self._bluez.connects += 1
        if lock is None or lock.is_gone:
            await asyncio.sleep(self._bluez.connect_s)
            raise DBusError("org.bluez.Error.Failed", "le-connection-abort-by-remote")
        lock.connected()
        self.is_connected = True
        self._bluez.export_lock(self.station)
        self.emit_properties_changed({"Connected": True, "ServicesResolved": True})

    @dbus_method()
    def Disconnect(self) -> None:
        self.drop()

    def drop(self) -> None:
        if self.is_connected:
            self.is_connected = False
            self._bluez.unexport_lock(self.station)
            self.emit_properties_changed({"Connected": False, "ServicesResolved": False})


class _Service(ServiceInterface):
    def __init__(self, uuid: str, device: str) -> None:
        super().__init__("org.bluez.GattService1")
        self._uuid, self._device = uuid, device

    @dbus_property(_READ)
    def UUID(self) -> DBusStr:
        return self._uuid

    @dbus_property(_READ)
    def Device(self) -> DBusObjectPath:
        return self._device

    @dbus_property(_READ)
    def Primary(self) -> DBusBool:
        return True


class _Characteristic(ServiceInterface):
    def __init__(self, uuid: str, service: str, lock: "Lock") -> None:
        super().__init__("org.bluez.GattCharacteristic1")
        self._uuid, self._service, self._lock = uuid, service, lock
        self.is_notifying = False

    @dbus_property(_READ)
    def UUID(self) -> DBusStr:
        return self._uuid

    @dbus_property(_READ)
    def Service(self) -> DBusObjectPath:
        return self._service

    @dbus_property(_READ)
    def Flags(self) -> Strings:
        return ["read", "write", "notify"]

    @dbus_property(_READ)
    def Value(self) -> DBusBytes:
        return self._lock.told.get(self._uuid, b"")

    @dbus_method()
    async def ReadValue(self, options: DBusDict) -> DBusBytes:
        return await self._lock.read(self._uuid)

    @dbus_method()
    async def WriteValue(self, value: DBusBytes, options: DBusDict) -> None:
        await self._lock.write(self._uuid, bytes(value))

    @dbus_method()
    def StartNotify(self) -> None:
        self.is_notifying = True

    @dbus_method()
    def StopNotify(self) -> None:
        self.is_notifying = False

    def tell(self) -> None:
        if self.is_notifying:
            self.emit_properties_changed({"Value": self._lock.told[self._uuid]})


SERVICE, STATE, NONCE, COMMAND = (f"7d5e000{number}-3b1c-4e0a-9a52-0c6f1d2e8b40" for number in range(1, 5))
BATTERY_SERVICE, BATTERY = "0000180f-0000-1000-8000-00805f9b34fb", "00002a19-0000-1000-8000-00805f9b34fb"


class Lock:
    """A lock of the template ``access/ble-lock``, which checks its orders as its maker would."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.state = bytearray([0, 0, 0])
        self.nonce = b""
        self.opened: list[ble_lock.LockOrder] = []
        self.orders: list[bytes] = []
        self.fixed_nonce: bytes | None = None
        self.is_gone = False
        self.drops_on_write: Callable[[], None] | None = None
        self.answer_s = 0.0
        self.told: dict[str, bytes] = {}
        self.characteristics: dict[str, _Characteristic] = {}

    def connected(self) -> None:
        self.nonce = self.fixed_nonce or secrets.token_bytes(16)

    async def read(self, uuid: str) -> bytes:
        await asyncio.sleep(self.answer_s)
        contents = {STATE: bytes(self.state), NONCE: self.nonce, BATTERY: b"\x57"}
        if uuid not in contents:
            raise DBusError("org.bluez.Error.NotPermitted", "Read not permitted")
        return contents[uuid]

    async def write(self, uuid: str, value: bytes) -> None:
        if uuid != COMMAND:
            raise DBusError("org.bluez.Error.NotPermitted", "Write not permitted")
        self.orders.append(value)
        if self.drops_on_write is not None:
            self.drops_on_write()
            raise DBusError("org.bluez.Error.Failed", "Not connected")
        nonce, self.nonce = self.nonce, secrets.token_bytes(16)
        try:
            order = ble_lock.decode_order(value, nonce, self.key)
        except ProtocolError:
            raise DBusError("org.bluez.Error.Failed", "Operation failed with ATT error: 0x80") from None
        self.opened.append(order)
        self.state[0] = 1
        self.told[STATE] = bytes(self.state)
        asyncio.get_running_loop().call_later(0.02, self.characteristics[STATE].tell)


class FakeBluez:
    """What bleak finds at ``org.bluez``."""

    def __init__(self, address: str, *, can_monitor: bool) -> None:
        self.address = address
        self.path = "/org/bluez/hci0"
        self.adapter = _Adapter(self)
        self.monitors = _Monitors() if can_monitor else None
        self.stations: dict[str, Station] = {}
        self.refuses_to_scan = False
        self.is_mute = False
        self.connects = 0
        self.connect_s = 0.0
        self._bus: MessageBus | None = None
        self._devices: dict[str, _Device] = {}
        self._told: dict[str, tuple[Any, Any]] = {}

    async def start(self) -> None:
        self._bus = await MessageBus(bus_address=self.address).connect()
        self.plug_in()
        await self._bus.request_name("org.bluez")

    def stop(self) -> None:
        if self._bus is not None:
            self._bus.disconnect()
            self._bus = None

    @property
    def bus(self) -> MessageBus:
        assert self._bus is not None
        return self._bus

    @property
    def is_listening(self) -> bool:
        return self.adapter.is_discovering or bool(self.monitors and self.monitors.registered)

    def plug_in(self) -> None:
        self.bus.export(self.path, self.adapter)
        if self.monitors is not None:
            self.bus.export(self.path, self.monitors)

    def pull_out(self) -> None:
        """Take the adapter away, as a USB stick is."""
        self.adapter.is_discovering = False
        for path in list(self._devices):
            self._forget(path)
        self.bus.unexport(self.path)

    def switch(self, *, is_on: bool) -> None:
        self.adapter.is_powered = is_on
        self.adapter.is_discovering = self.adapter.is_discovering and is_on
        self.adapter.emit_properties_changed({"Powered": is_on})

    def place(self, station: Station) -> Station:
        self.stations[station.address] = station
        return station

    def remove(self, address: str) -> None:
        del self.stations[address]

    def drop(self, address: str) -> None:
        self._devices[self._path(address)].drop()

    async def keep_advertising(self) -> None:
        """Have everybody on the air heard again and again, as BlueZ tells it."""
        while True:
            if self.is_listening and not self.is_mute:
                for station in list(self.stations.values()):
                    self._tell(station)
            await asyncio.sleep(_EVERY_S)

    def _tell(self, station: Station) -> None:
        path = self._path(station.address)
        device = self._devices.get(path)
        told = (dict(station.services), dict(station.makers))
        if device is None:
            device = self._devices[path] = _Device(self, station)
            self._told[path] = told
            self.bus.export(path, device)
            return
        is_new = self._told[path] != told
        self._told[path] = told
        # The real one tells the same payload again only to those who ask for duplicates.
        if is_new or self.adapter.filters.get("DuplicateData") or self.monitors is not None:
            changed = {
                "RSSI": device.RSSI,
                "ServiceData": device.ServiceData,
                "ManufacturerData": device.ManufacturerData,
            }
            device.emit_properties_changed(changed)

    def _forget(self, path: str) -> None:
        self._devices.pop(path).drop()
        self.bus.unexport(path)

    def _path(self, address: str) -> str:
        return f"{self.path}/dev_{address.replace(':', '_')}"

    def export_lock(self, station: Station) -> None:
        assert station.lock is not None
        root = self._path(station.address)
        for number, (service, characteristics) in enumerate(_TREE.items()):
            path = f"{root}/service{number:04x}"
            self.bus.export(path, _Service(service, root))
            for place, uuid in enumerate(characteristics):
                characteristic = _Characteristic(uuid, path, station.lock)
                station.lock.characteristics[uuid] = characteristic
                self.bus.export(f"{path}/char{16 * number + place:04x}", characteristic)

    def unexport_lock(self, station: Station) -> None:
        root = self._path(station.address)
        for number, characteristics in enumerate(_TREE.values()):
            path = f"{root}/service{number:04x}"
            for place, _ in enumerate(characteristics):
                self.bus.unexport(f"{path}/char{16 * number + place:04x}")
            self.bus.unexport(path)


_TREE = {SERVICE: (STATE, NONCE, COMMAND), BATTERY_SERVICE: (BATTERY,)}


def full(uuid: str) -> str:
    return f"0000{uuid}-0000-1000-8000-00805f9b34fb" if len(uuid) == 4 else uuid


@contextlib.asynccontextmanager
async def bluez_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, can_monitor: bool = False
) -> AsyncIterator[FakeBluez]:
    """Run a D-Bus of our own with a BlueZ on it, which the program under test takes for the system's."""
    address = f"unix:path={folder / 'bus'}"
    command = ["dbus-daemon", "--session", "--nofork", "--nosyslog", f"--address={address}"]
    daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    bluez = FakeBluez(address, can_monitor=can_monitor)
    advertising: asyncio.Task[None] | None = None
    try:
        while not (folder / "bus").exists():
            assert daemon.poll() is None, "dbus-daemon did not start"
            await asyncio.sleep(0.01)
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        await bluez.start()
        advertising = asyncio.create_task(bluez.keep_advertising())
        yield bluez
    finally:
        if advertising is not None:
            advertising.cancel()
            await asyncio.wait({advertising})
            await asyncio.sleep(0.01)  # what was told is on its way
        bluez.stop()
        daemon.kill()
        daemon.wait()
