"""A door whose lock is opened over GATT, by an answer to the lock's own nonce.

    connect -> [follow the state] -> read nonce -> write order with its proof -> state told or read -> disconnect

A lock lives on a battery, so what it said is told again for ``state_s`` before a poll asks it anew.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from drivers.base import CardRead, DoorStatus, Driver, Options, PointValue, Read, kept, words
from drivers.bus.ble import BleBus
from drivers.bus.exchange import GattExchange, GattPlace, GattSession, Priority
from drivers.bus.owner import Bus
from drivers.errors import DeviceError, DeviceRefused
from drivers.key_file import read_device_key
from drivers.profile import Point, Profile
from drivers.profile.ble_lock import LockLink, LockOrder, LockSource
from drivers.sensor.address import check_mac
from protocols import ble_lock
from protocols.quantity import Quality, Quantity

SHORTEST_PULSE_MS, LONGEST_PULSE_MS = 100, 60_000
_LISTEN_S = 8.0
_TOLD_WITHIN_S = 1.5
_AFTER_FAILURE_S = 30.0  # a lock that does not answer holds the adapter from everyone for as long as it is tried
_MOST_NONCES = 256
_BOLT_S = 1.0


class BleLock(Driver):
    """Reads the profile's characteristics; writes the one that its [open] names, once, and nothing else."""

    def __init__(self, profile: Profile, bus: Bus, address: str, options: Options) -> None:
        super().__init__(profile, bus, address.upper(), options)
        assert isinstance(bus, BleBus)
        assert isinstance(profile.link, LockLink)
        self._bus = bus
        self._link = profile.link
        self._known: list[PointValue] = []
        self._known_until = 0.0
        self._failure: DeviceError | None = None
        self._failed_at = 0.0
        self._nonces: deque[bytes] = deque(maxlen=_MOST_NONCES)
        if self._link.order is not None:
            bus.permit_gatt(self.address, self._link.order.command)

    @staticmethod
    def check_address(address: str) -> None:
        check_mac(address)

    async def read_door(self) -> DoorStatus:
        """Give what the lock last said, as old as ``state_s`` at most.

        Raises: as ``read``; for a while after a failure the same again, without asking.
        """
        now = asyncio.get_running_loop().time()
        if self._failure is not None and now - self._failed_at < _AFTER_FAILURE_S:
            raise self._failure
        if now >= self._known_until:
            await self.read()
        state = words(self.profile, [it for it in self._known if self.profile.point(it.point).states])
        return DoorStatus(state.get("doorState"), state.get("lockState"), state.get("tamper"))

    async def read_card(self) -> CardRead | None:
        """A lock of this kind has no reader."""
        return None

    async def open_door(self, pulse_ms: int) -> None:
        """Let the lock go for a moment; it takes it back by itself.

        Raises: as ``read``; DeviceRefused for a lock without [open] or a key, or whose nonce was there before.
        A lost answer is not asked for again: the door may have opened.
        """
        order = self._link.order
        if order is None:
            raise DeviceRefused(f"the profile '{self.profile.name}' lists no [open]")
        if self.options.key_file is None:
            raise DeviceRefused("This lock has no key_file, and nothing is opened without a key. Name its key.")
        key = await asyncio.to_thread(read_device_key, self.options.key_file)
        tenths = -(-min(max(pulse_ms, SHORTEST_PULSE_MS), LONGEST_PULSE_MS) // 100)

        async def talk(session: GattSession) -> bytes:
            if self._link.told is not None:
                await session.follow(self._link.told)
            nonce = self._checked(await session.read(order.nonce), order)
            proven = ble_lock.encode_order(ble_lock.LockOrder(order.code, tenths), nonce, key, order.mac)
            await session.write(order.command, proven)
            await self._note_state(session)
            return b""

        await self._bus.first_word(self._is_heard, _LISTEN_S)
        await self.bus.execute(GattExchange(self.address, talk, self.options.timeout_s), Priority.COMMAND)
        self._failure = None
        # What it told holds until it takes its bolt back, no longer.
        self._known_until = min(self._known_until, asyncio.get_running_loop().time() + tenths / 10 + _BOLT_S)

    def _checked(self, nonce: bytes, order: LockOrder) -> bytes:
        """Refuse a nonce that would let a recorded order open once more."""
        if len(nonce) != order.nonce_bytes:
            raise DeviceRefused(
                f"{self.address} gives a nonce of {len(nonce)} bytes and not {order.nonce_bytes}. Correct its profile."
            )
        if nonce in self._nonces or not any(nonce):
            raise DeviceRefused(
                f"{self.address} gives a nonce for the second time, so an order that somebody has recorded would open "
                f"it. Have the lock's firmware mended, or look for a device that imitates it."
            )
        self._nonces.append(nonce)
        return nonce

    async def _note_state(self, session: GattSession) -> None:
        """Take the state after an order; that it does not come makes the order no failure."""
        try:
            told = None if self._link.told is None else await session.told(self._link.told, _TOLD_WITHIN_S)
            known = {} if self._link.told is None or told is None else {self._link.told: told}
            await self._fetch(session, self.profile.points, known)
        except DeviceError:
            self._known, self._known_until = [], 0.0  # the next look asks

    async def _fetch(self, session: GattSession, wanted: Sequence[Point], known: Mapping[GattPlace, bytes]) -> None:
        """Read each characteristic once and keep what the points say."""
        contents = dict(known)
        for place in dict.fromkeys(_source(point).place for point in wanted):
            if place not in contents:
                contents[place] = await session.read(place)
        now = self.bus.clock()
        values = [_value(point, contents[_source(point).place], now) for point in wanted]
        kept_values = {value.point: value for value in (*self._known, *values)}
        self._known = list(kept_values.values())
        if len(wanted) == len(self.profile.points):
            self._known_until = asyncio.get_running_loop().time() + self._link.state_s

    async def _read(self, wanted: Sequence[Point], priority: Priority, *, may_repeat: bool) -> list[PointValue]:
        async def talk(session: GattSession) -> bytes:
            await self._fetch(session, wanted, {})
            return b""

        names = {point.name for point in wanted}
        if priority is Priority.POLL and asyncio.get_running_loop().time() < self._known_until:
            return [value for value in self._known if value.point in names]
        await self._bus.first_word(self._is_heard, _LISTEN_S)
        try:
            await self.bus.execute(GattExchange(self.address, talk, self.options.timeout_s), priority)
        except DeviceError as error:
            self._failure, self._failed_at = error, asyncio.get_running_loop().time()
            raise
        self._failure = None
        return [value for value in self._known if value.point in names]

    def _is_heard(self) -> bool:
        return self._bus.last(self.address) is not None

    def _plan(self, points: Sequence[Point]) -> list[Read]:
        raise NotImplementedError  # a conversation is not planned in parts

    def _values(self, planned: Read, payload: bytes) -> list[tuple[Point, Quantity, bytes]]:
        raise NotImplementedError


def _source(point: Point) -> LockSource:
    assert isinstance(point.source, LockSource)
    return point.source


def _value(point: Point, content: bytes, now: datetime) -> PointValue:
    """Take a point out of a characteristic; one that is too short does not have it."""
    source = _source(point)
    raw = content[source.start : source.start + source.size]
    if len(raw) < source.size:
        return PointValue(point.name, Quantity(None, point.canonical_unit, Quality.NOT_AVAILABLE), now, b"")
    number = int.from_bytes(raw, "little") * source.scale
    if point.states and number not in point.states:
        return PointValue(point.name, Quantity(None, point.canonical_unit, Quality.INVALID), now, raw)
    return PointValue(point.name, kept(Quantity(Decimal(number), point.unit)), now, raw)
