"""A Bluetooth adapter: what every device around it advertises, and conversations with one of them at a time.

    _open: adapter looked at, scan begun
    UP --adapter gone, switched off, BlueZ gone--> DOWN, opened again by the owner
       --nothing heard for a while, scan ended by others--> the scan is begun anew, still UP

Advertisements are taken as they come, beside the conversations: a scan goes on while one is held.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Literal, NamedTuple

from bleak import BleakScanner
from bleak.args.bluez import BlueZScannerArgs, OrPattern
from bleak.assigned_numbers import AdvertisementDataType
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from dbus_fast.errors import DBusError

from drivers.bus.ble_adapter import Adapter
from drivers.bus.ble_gatt import converse
from drivers.bus.exchange import Clock, Exchange, GattExchange, GattPlace, utc_now
from drivers.bus.owner import FIRST_PAUSE_S, Bus
from drivers.bus.settings import BleSettings
from drivers.errors import BusDown, DeviceOffline
from protocols.ble.advertisement import Advertisement, short_uuid

log = logging.getLogger("edge.ble")

MOST_HEARD = 1_024
WATCH_S = 2.0
_PATIENCE_S = 10.0
_GLANCE_S = 0.05
_NEAR_S = 120.0  # who has not advertised for so long is not there, and connecting would only hold the radio
_FAULTS = (BleakError, DBusError, OSError, EOFError, AssertionError)
# BlueZ listens passively for patterns only: BTHome, Eddystone and iBeacon, and what says of itself that
# it can be found, which locks do.
_PATTERNS = [
    OrPattern(0, AdvertisementDataType.SERVICE_DATA_UUID16, bytes.fromhex("d2fc")),
    OrPattern(0, AdvertisementDataType.SERVICE_DATA_UUID16, bytes.fromhex("1c18")),
    OrPattern(0, AdvertisementDataType.SERVICE_DATA_UUID16, bytes.fromhex("1e18")),
    OrPattern(0, AdvertisementDataType.SERVICE_DATA_UUID16, bytes.fromhex("aafe")),
    OrPattern(0, AdvertisementDataType.MANUFACTURER_SPECIFIC_DATA, bytes.fromhex("4c000215")),
    *(OrPattern(0, AdvertisementDataType.FLAGS, bytes([flags])) for flags in (0x02, 0x04, 0x05, 0x06)),
]


class Heard(NamedTuple):
    """One advertisement and when it came.

    Units: ``at`` aware UTC; ``monotonic`` seconds of the running loop.
    """

    advertisement: Advertisement
    at: datetime
    monotonic: float


Listener = Callable[[Heard], None]


class BleBus(Bus):
    """The owner of one adapter; ``listen`` before or while it runs."""

    kind = "ble"
    speaks = frozenset({"bthome", "beacon", "ble-lock"})

    def __init__(
        self,
        settings: BleSettings,
        *,
        clock: Clock = utc_now,
        first_pause_s: float = FIRST_PAUSE_S,
        watch_s: float = WATCH_S,
    ) -> None:
        super().__init__(settings.id, clock=clock, first_pause_s=first_pause_s)
        self._settings = settings
        self._watch_s = watch_s
        self._adapter = Adapter(settings.adapter, settings.id)
        self._scanner: BleakScanner | None = None
        self._is_passive = settings.scan == "passive"
        self._watch: asyncio.Task[None] | None = None
        self._lost: str | None = None
        self._opened_at: float | None = None
        self._heard_at = 0.0
        self._heard: dict[str, Heard] = {}  # the longest unheard first
        self._devices: dict[str, BLEDevice] = {}
        self._listeners: dict[str | None, list[Listener]] = {}
        self._writable: dict[str, set[GattPlace]] = {}
        self.restarts = 0

    @property
    def scanning_s(self) -> float:
        """For how long the adapter has been listening without a break; 0 while it does not."""
        return 0.0 if self._opened_at is None else self._now() - self._opened_at

    @property
    def heard(self) -> Iterable[Heard]:
        """The last advertisement of everyone around, at most ``MOST_HEARD`` of them."""
        return tuple(self._heard.values())

    def last(self, address: str) -> Heard | None:
        """Give the last advertisement of one device."""
        return self._heard.get(address)

    def listen(self, listener: Listener, address: str | None = None) -> Callable[[], None]:
        """Have every advertisement told, of one device or of all; a listener is quick and raises nothing.

        Shape: gives what ends it.
        """
        listeners = self._listeners.setdefault(address, [])
        listeners.append(listener)
        return partial(listeners.remove, listener)

    async def first_word(self, has_heard: Callable[[], bool], within_s: float) -> None:
        """Wait for a first advertisement, until the adapter has listened for so long; who comes later does not wait.

        Raises: BusDown.
        """
        while not has_heard() and self.scanning_s < within_s:
            if self._error is not None:
                raise BusDown(self._error)
            await asyncio.sleep(_GLANCE_S)
        if self._error is not None:
            raise BusDown(self._error)

    def permit_gatt(self, address: str, place: GattPlace) -> None:
        """Let one characteristic of one device be written; nothing else ever goes out as a write."""
        self._writable.setdefault(address, set()).add(place)

    async def _open(self) -> None:
        await self._adapter.look()
        self._lost = None
        await self._begin()
        self._opened_at = self._now()
        self._watch = asyncio.create_task(self._keep_watch(), name=f"watch {self.id}")

    async def _close(self) -> None:
        self._opened_at = None
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait({watch})
        await self._end()
        self._adapter.close()

    def _check(self) -> None:
        if self._lost is not None:
            raise BusDown(self._lost)

    async def _begin(self) -> None:
        """Begin a scan. Raises: BusDown."""
        arguments = BlueZScannerArgs(adapter=self._settings.adapter)
        if self._is_passive:
            arguments["or_patterns"] = list(_PATTERNS)
        else:
            # Without this BlueZ tells a payload once and is silent for as long as it stays the same.
            arguments["filters"] = {"DuplicateData": True}
        mode: Literal["passive", "active"] = "passive" if self._is_passive else "active"
        scanner = BleakScanner(self._detected, scanning_mode=mode, bluez=arguments)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await scanner.start()
        except TimeoutError:
            raise BusDown(
                f"BlueZ did not begin a scan on '{self._settings.adapter}'. Restart it: systemctl restart bluetooth."
            ) from None
        except _FAULTS as error:
            remedy = (
                'Set scan = "active" on its bus.'
                if self._is_passive
                else "Take it out and put it in again, or restart BlueZ: systemctl restart bluetooth."
            )
            raise BusDown(f"The adapter '{self._settings.adapter}' does not scan ({error}). {remedy}") from None
        self._scanner = scanner
        self._heard_at = self._now()

    async def _end(self) -> None:
        scanner, self._scanner = self._scanner, None
        if scanner is None:
            return
        with suppress(TimeoutError, *_FAULTS):  # the adapter may be gone already
            async with asyncio.timeout(_PATIENCE_S):
                await scanner.stop()

    async def _keep_watch(self) -> None:
        """Look at the adapter now and then; a scan that has died is begun anew."""
        try:
            while True:
                await asyncio.sleep(self._watch_s)
                is_discovering = await self._adapter.look()
                is_silent = self._now() - self._heard_at > self._settings.silent_s
                has_ended = not self._is_passive and not is_discovering
                if is_silent or has_ended:
                    await self._renew(is_silent=is_silent)
        except BusDown as error:
            self._lost = error.reason
            self._wake.set()

    async def _renew(self, *, is_silent: bool) -> None:
        why = f"nothing heard for {self._settings.silent_s:g} s" if is_silent else "the scan had ended"
        log.warning("%s: %s, so the scan on %s is begun anew", self.id, why, self._settings.adapter)
        self.restarts += 1
        await self._end()
        await self._begin()

    def _detected(self, device: BLEDevice, data: AdvertisementData) -> None:
        _, properties = data.platform_data
        if "RSSI" not in properties:
            return  # BlueZ tells that the device has been lost or forgotten
        self._note(_advertisement(device, data), device)

    def _note(self, advertisement: Advertisement, device: BLEDevice) -> None:
        """Keep an advertisement and tell it to who listens."""
        self._heard_at = self._now()
        heard = Heard(advertisement, self.clock(), self._heard_at)
        address = advertisement.address
        self._heard.pop(address, None)
        if len(self._heard) >= MOST_HEARD:
            forgotten = next(iter(self._heard))
            del self._heard[forgotten], self._devices[forgotten]
        self._heard[address] = heard
        self._devices[address] = device
        for listener in (*self._listeners.get(address, ()), *self._listeners.get(None, ())):
            listener(heard)

    async def _exchange(self, exchange: Exchange) -> bytes:
        assert isinstance(exchange, GattExchange)
        heard, device = self._heard.get(exchange.address), self._devices.get(exchange.address)
        if heard is None or device is None or self._now() - heard.monotonic > _NEAR_S:
            hint = ', or set scan = "active" on its bus' if self._is_passive else ""
            raise DeviceOffline(
                f"Nothing has been heard from {exchange.address} lately, so it is not connected to. Check its battery, "
                f"its range and its address{hint}."
            )
        timeout_s = exchange.timeout_s or self._settings.timeout_s
        return await converse(device, exchange, lambda address: self._writable.get(address, ()), timeout_s)


def _advertisement(device: BLEDevice, data: AdvertisementData) -> Advertisement:
    return Advertisement(
        address=device.address.upper(),
        rssi=data.rssi,
        local_name=data.local_name,
        service_data={short_uuid(uuid): content for uuid, content in data.service_data.items()},
        manufacturer_data=data.manufacturer_data,
    )
