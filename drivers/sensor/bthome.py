"""A sensor that broadcasts BTHome: what it last said is its reading, as old as it is.

Advertisements are only kept as they come; they are taken apart when somebody reads. An encrypted
one counts once, by its rising counter, so that a recording of it says nothing later.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from drivers.base import Driver, Options, PointValue, Read, kept
from drivers.bus.ble import BleBus, Heard
from drivers.bus.exchange import Priority
from drivers.bus.owner import Bus
from drivers.errors import DeviceOffline, DeviceRefused
from drivers.key_file import read_device_key
from drivers.profile import Point, Profile
from drivers.profile.ble import RSSI, BthomeLink, BthomeSource
from drivers.sensor import memory
from drivers.sensor.address import check_mac, span
from protocols.ble.advertisement import mac_bytes
from protocols.ble.bthome import SERVICES, decode
from protocols.ble.bthome_frame import BthomeFrame
from protocols.ble.bthome_guard import Repeated, Seen, admit
from protocols.errors import ProtocolError, SecurityError, Unsupported
from protocols.quantity import UNITS, Quality, Quantity, canonical_unit

_MOST_WAITING = 256
_KEEP_EVERY_S = 300.0  # a flash disk wears out; what is recorded within this time before a restart may serve once


class _Told(NamedTuple):
    """A value and when the sensor said it."""

    quantity: Quantity
    at: datetime
    raw: bytes


class BthomeSensor(Driver):
    """Gives what was heard; it is never asked, and nothing is ever sent to it."""

    def __init__(self, profile: Profile, bus: Bus, address: str, options: Options) -> None:
        super().__init__(profile, bus, address.upper(), options)
        assert isinstance(bus, BleBus)
        assert isinstance(profile.link, BthomeLink)
        self._bus = bus
        self._link = profile.link
        self._waiting: deque[tuple[str, bytes, Heard]] = deque(maxlen=_MOST_WAITING)
        self._mac = mac_bytes(self.address)
        self._seen: Seen | None = None
        self._kept: Seen | None = None
        self._kept_at = -_KEEP_EVERY_S
        self._said: dict[tuple[str, int], _Told] = {}
        self._refusal: str | None = None
        bus.listen(self._hear, self.address)

    @staticmethod
    def check_address(address: str) -> None:
        check_mac(address)

    def _hear(self, heard: Heard) -> None:
        """Keep what is new; a sensor says each thing several times."""
        for service, data in heard.advertisement.service_data.items():
            if service not in SERVICES:
                continue
            if self._waiting and self._waiting[-1][:2] == (service, data):
                self._waiting[-1] = (service, data, heard)
            else:
                self._waiting.append((service, data, heard))

    async def _read(self, wanted: Sequence[Point], priority: Priority, *, may_repeat: bool) -> list[PointValue]:
        await self._bus.first_word(lambda: bool(self._waiting or self._said), self._link.listen_s)
        key = None
        if self.options.key_file is not None:
            key = await asyncio.to_thread(read_device_key, self.options.key_file)
        if self._seen is None:
            path = self.options.memory
            self._seen = self._kept = Seen() if path is None else await asyncio.to_thread(memory.recall, path)
        self._seen = self._take_in(key, self._seen)
        await self._keep_counter(self._seen)
        now = self._bus.clock()
        values = [self._value(point, now) for point in wanted]
        refusal, self._refusal = self._refusal, None
        is_fresh = any(value.quantity.quality is not Quality.NOT_AVAILABLE for value in values)
        if refusal is not None:
            raise DeviceRefused(refusal, partial=tuple(values) if is_fresh else ())
        if not is_fresh:
            raise DeviceOffline(self._silence(now))
        return values

    async def _keep_counter(self, seen: Seen) -> None:
        path, now = self.options.memory, asyncio.get_running_loop().time()
        is_due = seen.counter is not None and seen != self._kept and now - self._kept_at >= _KEEP_EVERY_S
        if path is not None and is_due:
            self._kept, self._kept_at = seen, now
            await asyncio.to_thread(memory.keep, path, seen)

    def _take_in(self, key: bytes | None, seen: Seen) -> Seen:
        """Take apart what has come since the last time, in its order; gives what is remembered of the sensor."""
        while self._waiting:
            service, data, heard = self._waiting.popleft()
            frame: BthomeFrame | None = None
            try:
                frame = decode(service, data, mac=self._mac, key=key)
                seen = admit(seen, frame, has_key=key is not None, heard_s=heard.monotonic)
            except Repeated:
                continue  # neither a refusal nor news: a sensor that has died must not live on in a recording
            except (SecurityError, Unsupported) as error:
                self._refusal = f"{self.address} is not believed: {error.detail}. {self._remedy(key, frame)}"
                continue
            except ProtocolError as error:
                self._refusal = f"{self.address} sent what is no BTHome: {error.detail}. Check its firmware."
                continue
            self._keep(frame, heard)
        return seen

    def _keep(self, frame: BthomeFrame, heard: Heard) -> None:
        for value in frame.values:
            self._said[value.name, value.number or 1] = _Told(value.quantity, heard.at, value.raw)
        if heard.advertisement.rssi is not None:
            strength = Quantity(Decimal(heard.advertisement.rssi), "dBm")
            self._said[RSSI, 1] = _Told(strength, heard.at, b"")

    def _value(self, point: Point, now: datetime) -> PointValue:
        assert isinstance(point.source, BthomeSource)
        told = self._said.get((point.source.measurand, point.source.number))
        if told is None or (now - told.at).total_seconds() > self._link.max_age_s:
            return PointValue(point.name, Quantity(None, point.canonical_unit, Quality.NOT_AVAILABLE), now, b"")
        return PointValue(point.name, _fitting(point, told.quantity), told.at, told.raw)

    def _silence(self, now: datetime) -> str:
        last = max((told.at for told in self._said.values()), default=None)
        if last is None and self._bus.last(self.address) is not None:
            return f"{self.address} is there, but does not send BTHome. Check its address and its firmware."
        if last is None:
            waited = span(self._bus.scanning_s)
            return f"Nothing has been heard from {self.address} for {waited}. Check its battery, its range and its address."
        age_s = (now - last).total_seconds()
        if age_s <= self._link.max_age_s:
            return f"{self.address} does not tell what this profile reads. Choose the profile that fits it."
        return f"Nothing has been heard from {self.address} for {span(age_s)}. Check its battery and its range."

    def _remedy(self, key: bytes | None, frame: BthomeFrame | None) -> str:
        if frame is not None and not frame.is_encrypted:
            return "Turn on its encryption; what is sent in clear anybody nearby can have sent."
        if key is None:
            return "Name its key_file, with the key that its own app shows."
        reset = "" if self.options.memory is None else f"; if it was reset, remove {self.options.memory} and restart"
        return f"Compare its key with the key_file; if they agree, somebody nearby imitates the sensor{reset}."

    def _plan(self, points: Sequence[Point]) -> list[Read]:
        raise NotImplementedError  # nothing is asked

    def _values(self, planned: Read, payload: bytes) -> list[tuple[Point, Quantity, bytes]]:
        raise NotImplementedError


def _fitting(point: Point, quantity: Quantity) -> Quantity:
    """Take a value whose unit is of the profile's kind; one of another kind is none."""
    if quantity.unit not in UNITS or canonical_unit(quantity.unit) != point.canonical_unit:
        return Quantity(None, point.canonical_unit, Quality.INVALID)
    return kept(quantity)
