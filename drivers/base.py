"""What every driver is: one device on one bus, read in exchanges.

Values leave a driver in the house's canonical units (kWh, m3, V, A, W, Hz; states are codes
without a unit) and carry the instant at which their answer had arrived.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

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

    async def _read(self, wanted: Sequence[Point], priority: Priority, *, may_repeat: bool) -> list[PointValue]:
        values: list[PointValue] = []
        refused: list[Point] = []
        refusal: DeviceRefused | None = None
        for planned in self._plan(sorted(wanted, key=lambda point: not point.is_register)):
            try:
                answer = await self._ask(planned, priority, may_repeat=may_repeat, is_alive=bool(values))
            except DeviceRefused as error:
                refusal = refusal or error
                refused += planned.points
                continue
            except DeviceError as error:
                error.partial = tuple(values)
                raise
            values += [
                PointValue(point.name, _kept(quantity), answer.taken_at, raw)
                for point, quantity, raw in self._values(planned, answer.payload)
            ]
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

    def _again(self, planned: Read) -> Read:
        """Give the read to repeat; a protocol with sequence numbers takes a new one."""
        return planned

    @abstractmethod
    def _plan(self, points: Sequence[Point]) -> list[Read]:
        """Arrange points in as few exchanges as the device allows."""

    @abstractmethod
    def _values(self, planned: Read, payload: bytes) -> list[tuple[Point, Quantity, bytes]]:
        """Take an answer apart; each point with its quantity in the profile's unit and its bytes."""


_LEAST_PLACE = Decimal("1e-9")
_TOO_LARGE = Decimal("1e12")
# Units whose canonical one is smaller: kW, MWh, bar.
_POWERS_OF_TEN = frozenset(Decimal(10) ** power for power in range(1, 7))


def _kept(quantity: Quantity) -> Quantity:
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


class CardRead(NamedTuple):
    """The last card at a reader; ``counter`` (16 bits, wraps) rises with every card, ``number`` is its raw bits."""

    counter: int
    bits: int
    number: int


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


class Door(Protocol):
    """Gives whether it is closed and locked, in words, and the last card; opens for ``pulse_ms`` milliseconds."""

    async def read_door(self) -> DoorStatus: ...

    async def read_card(self) -> CardRead | None: ...

    async def open_door(self, pulse_ms: int) -> None: ...


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
