"""A beacon: whether it is near, how strong it is, and what an Eddystone tells of its battery.

Its identity can be copied by anybody, so its presence proves nothing by itself.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from drivers.base import Driver, Options, PointValue, Read, kept
from drivers.bus.ble import BleBus, Heard
from drivers.bus.exchange import Priority
from drivers.bus.owner import Bus
from drivers.profile import Point, Profile
from drivers.profile.ble import IBEACON, PRESENCE, RSSI, BeaconLink, BeaconSource
from drivers.sensor.address import beacon_name, parse_identity
from protocols.ble.beacon import EddystoneTlm, EddystoneUid, IBeacon, beacon
from protocols.errors import ProtocolError
from protocols.quantity import Quality, Quantity

_TELEMETRY_S = 3_600.0


class Beacon(Driver):
    """Gives what was heard lately; a beacon that is not heard is absent, which is a reading and no failure."""

    def __init__(self, profile: Profile, bus: Bus, address: str, options: Options) -> None:
        super().__init__(profile, bus, address, options)
        assert isinstance(bus, BleBus)
        assert isinstance(profile.link, BeaconLink)
        self._bus = bus
        self._link = profile.link
        self._identity = parse_identity(address)
        self._carrier = self._identity.mac  # the device whose telemetry is this beacon's
        self._strong: deque[Heard] = deque(maxlen=profile.link.adverts)
        self._facts: dict[str, tuple[Quantity, datetime]] = {}
        bus.listen(self._hear, self._identity.mac)

    @staticmethod
    def check_address(address: str) -> None:
        parse_identity(address)

    def _hear(self, heard: Heard) -> None:
        try:
            frame = beacon(heard.advertisement)
        except ProtocolError:
            return  # somebody's damaged frame
        if frame is None or isinstance(frame, IBeacon) != (self._link.format == IBEACON):
            return
        address = heard.advertisement.address
        if self._identity.name is not None and beacon_name(frame) == self._identity.name:
            self._carrier = address
        if address != self._carrier:
            return
        for fact, quantity in _facts(frame, heard):
            self._facts[fact] = (quantity, heard.at)
        if heard.advertisement.rssi is not None and heard.advertisement.rssi >= self._link.min_rssi:
            self._strong.append(heard)

    async def _read(self, wanted: Sequence[Point], priority: Priority, *, may_repeat: bool) -> list[PointValue]:
        await self._bus.first_word(self._is_near, self._link.max_age_s)
        now = self._bus.clock()
        return [self._value(point, now) for point in wanted]

    def _is_near(self) -> bool:
        """Say whether it was heard often and strongly enough, lately."""
        since = asyncio.get_running_loop().time() - self._link.max_age_s
        return len(self._strong) == self._link.adverts and self._strong[0].monotonic >= since

    def _value(self, point: Point, now: datetime) -> PointValue:
        assert isinstance(point.source, BeaconSource)
        if point.source.fact == PRESENCE:
            at = self._strong[-1].at if self._is_near() else now
            return PointValue(point.name, Quantity(Decimal(int(self._is_near())), ""), at, b"")
        quantity, at = self._facts.get(point.source.fact, (None, now))
        # Its telemetry comes seldom; how strong it is holds for as long as it is there.
        most_s = self._link.max_age_s if point.source.fact == RSSI else _TELEMETRY_S
        if quantity is None or (now - at).total_seconds() > most_s:
            return PointValue(point.name, Quantity(None, point.canonical_unit, Quality.NOT_AVAILABLE), now, b"")
        return PointValue(point.name, kept(quantity), at, b"")

    def _plan(self, points: Sequence[Point]) -> list[Read]:
        raise NotImplementedError  # nothing is asked

    def _values(self, planned: Read, payload: bytes) -> list[tuple[Point, Quantity, bytes]]:
        raise NotImplementedError


def _facts(frame: object, heard: Heard) -> Iterator[tuple[str, Quantity]]:
    """Name what one frame tells."""
    if heard.advertisement.rssi is not None:
        yield RSSI, Quantity(Decimal(heard.advertisement.rssi), "dBm")
    match frame:
        case IBeacon(tx_power=power) | EddystoneUid(tx_power=power):
            yield "txPower", Quantity(Decimal(power), "dBm")
        case EddystoneTlm():
            yield "battery", frame.battery
            yield "temperature", frame.temperature
            yield "adverts", Quantity(Decimal(frame.adverts), "")
            yield "uptime", frame.uptime
