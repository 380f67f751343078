"""What every driver is: one device on one bus, read in exchanges.

Values leave a driver in the house's canonical units (kWh, m3, V, A, W, Hz; states are codes
without a unit) and carry the instant at which their answer had arrived.
"""

import itertools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from drivers.bus.exchange import Answer, Exchange, Priority
from drivers.bus.owner import Bus
from drivers.errors import DeviceBusy, DeviceError, DeviceOffline, DeviceRefused
from drivers.profile import Point, Profile
from protocols.quantity import Quality, Quantity, canonical


class PointValue(NamedTuple):
    """One point at one time.

    Units: ``quantity`` in the canonical unit; ``taken_at`` aware UTC; ``raw`` the bytes it came from.
    """

    point: str
    quantity: Quantity
    taken_at: datetime
    raw: bytes


@dataclass(frozen=True, slots=True)
class Options:
    """What an installation may set beside the profile; None leaves the profile's or the bus's own."""

    timeout_s: float | None = None
    preamble: int | None = None
    key_file: Path | None = None  # the device's own key, 0600
    is_installing: bool = False  # a new device that is to be given the key in ``key_file``
    memory: Path | None = None  # where a sensor's counter is kept over a restart


@dataclass(frozen=True, slots=True)
class WriteOrder:
    """Somebody's order to write.

    Shape: ``operator`` as the meter or the journal names him; ``password`` where the device asks for one.
    Units: ``expires_at`` aware UTC; from then on nothing is written.
    """

    operator: str
    expires_at: datetime
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """One exchange and the points that its answer holds."""

    exchange: Exchange
    points: tuple[Point, ...]


class Driver(ABC):
    """One device; ``read`` asks it, ``probe`` only finds out whether it lives."""

    def __init__(self, profile: Profile, bus: Bus, address: str, options: Options) -> None:
        self.profile = profile
        self.bus = bus
        self.address = address
        self.options = options

    @staticmethod
    @abstractmethod
    def check_address(address: str) -> None:
        """Raise ValueError, with what is expected, for an address that this protocol does not have."""

    async def read(self, points: Collection[str] | None = None, priority: Priority = Priority.POLL) -> list[PointValue]:
        """Read some points, or all; registers are asked for first.

        Shape: a point that the device refuses while it answers others is NOT_AVAILABLE.

        Raises: DeviceOffline, DeviceBusy or DeviceRefused, with what had been answered before
        as ``partial``; BusDown; KeyError for a point that the profile does not have.
        """
        wanted = self.profile.points if points is None else tuple(map(self.profile.point, points))
        values = await self._read(wanted, priority, may_repeat=True)
        order = {point.name: position for position, point in enumerate(wanted)}
        return sorted(values, key=lambda value: order[value.point])

    async def probe(self, priority: Priority = Priority.POLL) -> list[PointValue]:
        """Read the profile's cheapest point, once; a refusal shows as well that the device lives.

        Raises: DeviceOffline, BusDown.
        """
        try:
            return await self._read((self.profile.point(self.profile.probe),), priority, may_repeat=False)
        except (DeviceRefused, DeviceBusy):
            return []

    async def write(self, point: str, value: Decimal, order: WriteOrder) -> None:
        """Write one point once, ahead of the polls; a lost answer is not asked for again.

        That it returns means that the device has taken the order; what it says now, the caller reads.
        After DeviceOffline or BusDown the write may have happened all the same.

        Units: ``value`` in the point's canonical unit, or a state's code.

        Raises: DeviceRefused where the profile does not list the point as writable or the value is
        outside its range or the order has expired; otherwise as ``read``.
        """
        known = self.profile.point(point)
        if (reason := write_complaint(self.profile, known, value, order, self.bus.clock())) is not None:
            raise DeviceRefused(reason)
        await self._write(known, value, order)

    async def _write(self, point: Point, value: Decimal, order: WriteOrder) -> None:
        """Carry out a write that has been allowed."""
        raise DeviceRefused(f"no point of a device of kind '{self.profile.kind}' by {self.profile.protocol} is written")

    async def _read(self, wanted: Sequence[Point], priority: Priority, *, may_repeat: bool) -> list[PointValue]:
        values: list[PointValue] = []
        refused: list[Point] = []
        refusal: DeviceRefused | None = None
        plan = deque(self._plan(sorted(wanted, key=lambda point: not point.is_register)))
        early: deque[Answer | None] = deque()
        while plan:
            if not early and self.bus.window > 1 and len(plan) > 1:
                first = [planned.exchange for planned in itertools.islice(plan, self.bus.window)]
                early.extend(await self.bus.read_all(first, priority))
            planned = plan.popleft()
            try:
                answer = early.popleft() if early else None
                if answer is None:  # for what failed beside others, the reason is found alone
                    answer = await self._ask(planned, priority, may_repeat=may_repeat, is_alive=bool(values))
            except DeviceRefused as error:
                if parts := self._split(planned, error):
                    plan.extendleft(reversed(parts))
                    early.extendleft([None] * len(parts))
                    continue
                refusal = refusal or error
                refused += planned.points
                continue
            except DeviceError as error:
                error.partial = tuple(values)
                raise
            values += self._told(planned, answer)
        if refusal is not None and not values:
            raise refusal
        return values + [PointValue(point.name, _missing(point), values[-1].taken_at, b"") for point in refused]

    async def _ask(self, planned: Read, priority: Priority, *, may_repeat: bool, is_alive: bool) -> Answer:
        """Carry out one exchange; once more where the device lives and only its frame was lost."""
        try:
            return await self.bus.execute(planned.exchange, priority)
        except DeviceOffline as error:
            if not may_repeat or not (is_alive or error.is_broken):
                raise
        return await self.bus.execute(self._again(planned).exchange, priority)

    def _told(self, planned: Read, answer: Answer) -> list[PointValue]:
        """Give an answer's values as they leave the driver."""
        return [
            PointValue(point.name, kept(quantity), answer.taken_at, raw)
            for point, quantity, raw in self._values(planned, answer.payload)
        ]

    def _split(self, planned: Read, error: DeviceRefused) -> list[Read]:
        """Give the smaller reads to try instead of a refused one; none where the refusal is final."""
        return []

    def _again(self, planned: Read) -> Read:
        """Give the read to repeat; a protocol with sequence numbers takes a new one."""
        return planned

    @abstractmethod
    def _plan(self, points: Sequence[Point]) -> list[Read]:
        """Arrange points in as few exchanges as the device allows."""

    @abstractmethod
    def _values(self, planned: Read, payload: bytes) -> list[tuple[Point, Quantity, bytes]]:
        """Take an answer apart; each point with its quantity in the profile's unit and its bytes."""


def write_complaint(profile: Profile, point: Point, value: Decimal, order: WriteOrder, now: datetime) -> str | None:
    """Say why a point may not be written with a value; None where it may."""
    if profile.kind == "lift":
        return "a lift is read and never written"
    if point.write is None:
        return f"the profile '{profile.name}' does not list '{point.name}' as writable"
    if now >= order.expires_at:
        return f"the order to write '{point.name}' expired at {order.expires_at.isoformat()}"
    if point.states:
        allowed = {Decimal(code) for code in point.states}
        words = ", ".join(f"{code} ({word})" for code, word in point.states.items())
        return None if value in allowed else f"'{point.name}' has no state {value}; there are {words}"
    low, high = point.write.low, point.write.high
    if low is None or high is None or not low <= value <= high:
        unit = f" {point.canonical_unit}" if point.canonical_unit else ""
        return f"{value} is outside {low} to {high}{unit}, the range of '{point.name}'"
    return None


_LEAST_PLACE = Decimal("1e-9")
_TOO_LARGE = Decimal("1e12")
# Units whose canonical one is smaller: kW, MWh, bar.
_POWERS_OF_TEN = frozenset(Decimal(10) ** power for power in range(1, 7))


def kept(quantity: Quantity) -> Quantity:
    """Express a quantity as a reading keeps it: canonical, and with the places that the device has.

    Shape: 0.5406 kW is 540.6 W, not 540.6000; a float32's 1e-45 is 0 and its 1e38 is INVALID.
    """
    value, unit, quality = canonical(quantity)
    if value is None:
        return Quantity(value, unit, quality)
    if abs(value) >= _TOO_LARGE:
        return Quantity(None, unit, Quality.INVALID)
    factor = canonical(Quantity(Decimal(1), quantity.unit)).value or Decimal(1)
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    wanted = min(0, exponent + factor.adjusted()) if factor in _POWERS_OF_TEN else min(0, exponent)
    place = max(Decimal(1).scaleb(wanted), _LEAST_PLACE)
    return Quantity(value if place.as_tuple().exponent == exponent else value.quantize(place), unit, quality)


def _missing(point: Point) -> Quantity:
    return Quantity(None, point.canonical_unit, Quality.NOT_AVAILABLE)


class DoorStatus(NamedTuple):
    """A door in words of its profile, None where the module does not say."""

    door: str | None
    lock: str | None
    tamper: str | None
    fire: str | None = None
    exit_button: str | None = None
    key: str | None = None
    power: str | None = None


class CardRead(NamedTuple):
    """The last card at a reader.

    Shape: ``counter`` (16 bits, wraps) rises with every card; ``number`` is its raw bits.
    Units: ``age_s`` is for how long the card may have waited in the reader.
    """

    counter: int
    bits: int
    number: int
    age_s: float = 0.0


class CarStatus(NamedTuple):
    """A lift's car in words of its profile, None where the gateway does not say."""

    floor: int | None
    direction: str | None
    door: str | None
    mode: str | None
    passenger_alarm: str | None
    in_door_zone: str | None = None
    fault_code: int | None = None


class Meter(Protocol):
    """Gives its billed register, in kWh or m3."""

    async def read_register(self) -> PointValue: ...


class Valve(Protocol):
    """Gives whether it is open, in a word of its profile, and opens or closes; a write is never repeated."""

    async def read_valve(self) -> str | None: ...

    async def set_valve(self, *, is_open: bool, order: WriteOrder) -> None: ...


class Relay(Protocol):
    """Gives whether it is closed, in a word of its profile, and switches; a write is never repeated."""

    async def read_relay(self) -> str | None: ...

    async def set_relay(self, *, is_closed: bool, order: WriteOrder) -> None: ...


@runtime_checkable
class History(Protocol):
    """Gives its registers as the device itself froze them at the ends of some days, oldest first.

    Shape: ``taken_at`` is the freeze instant; a day that the device does not have is left out.
    """

    async def read_history(self, days: Sequence[date], zone: tzinfo) -> list[PointValue]: ...


@runtime_checkable
class Door(Protocol):
    """Gives whether it is closed and locked, in words, and the last card; opens for ``pulse_ms`` milliseconds."""

    async def read_door(self) -> DoorStatus: ...

    async def read_card(self) -> CardRead | None: ...

    async def open_door(self, pulse_ms: int) -> None: ...


@runtime_checkable
class Feedback(Protocol):
    """Shows and sounds to whoever presented a card what was decided."""

    async def show_decision(self, *, is_granted: bool) -> None: ...


@runtime_checkable
class CardBell(Protocol):
    """Returns as soon as a card has been shown since the last ``read_card``, so that nobody waits for the next look."""

    async def card_shown(self) -> None: ...


class Elevator(Protocol):
    """Gives where its car is and what it does, floors as numbers; nothing here moves it."""

    async def read_car(self) -> CarStatus: ...


def words(profile: Profile, values: Iterable[PointValue]) -> dict[str, str | None]:
    """Name the states among some values."""
    found: dict[str, str | None] = {}
    for value in values:
        code, states = value.quantity.value, profile.point(value.point).states
        found[value.point] = None if code is None else states.get(int(code))
    return found
