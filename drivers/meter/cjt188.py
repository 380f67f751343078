"""Water, heat and gas meters of CJ/T 188, their valves, and what they remember of past days."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, tzinfo
from decimal import Decimal

from drivers.base import Options, PointValue, Read, WriteOrder, words
from drivers.bus.exchange import Answer, FrameExchange, Priority
from drivers.bus.owner import Bus
from drivers.errors import DeviceOffline, DeviceRefused
from drivers.meter.cjt188_history import Cjt188History
from drivers.meter.register import RegisterMeter
from drivers.profile import Point, Profile
from drivers.profile.cjt188 import VALVE, Link, Source
from protocols import cjt188, cjt188_data
from protocols.quantity import Quality, Quantity, canonical_unit

# The sheet asks for 200 ms between requests; battery meters need them.
_IDLE_S = 0.2
_OPEN, _CLOSED = Decimal(0), Decimal(1)


class Cjt188Meter(RegisterMeter):
    """A meter that is read in one exchange, whatever points are wanted."""

    def __init__(self, profile: Profile, bus: Bus, address: str, options: Options) -> None:
        super().__init__(profile, bus, address, options)
        self._ser = 0
        assert isinstance(profile.link, Link)
        self._link = profile.link
        wanted = self._link.di_order
        self._di_order: cjt188.DiOrder = "901F" if wanted == "901F" else "1F90"
        self._is_order_known = wanted != "auto"

    @staticmethod
    def check_address(address: str) -> None:
        cjt188.encode_address(address)

    async def read_valve(self) -> str | None:
        """Read whether the valve is open, in a word of the profile.

        Raises: as ``read``; KeyError where the profile has no valve.
        """
        point = self._valve_point()
        return words(self.profile, await self.read((point.name,), Priority.COMMAND))[point.name]

    async def set_valve(self, *, is_open: bool, order: WriteOrder) -> None:
        """Open or close the valve; the order is sent once.

        Raises: as ``write``; KeyError where the profile has no valve.
        """
        await self.write(self._valve_point().name, _OPEN if is_open else _CLOSED, order)

    async def read_history(self, days: Sequence[date], zone: tzinfo) -> list[PointValue]:
        """Read back what the meter itself kept of the ends of some days.

        Raises: as ``read``.
        """
        if not days or self._link.history == "none" or not any(point.is_register for point in self.profile.points):
            return []
        if not self._is_order_known:
            await self.probe(Priority.POLL)
        register = next(point for point in self.profile.points if point.is_register)
        history = Cjt188History(self.profile, register, self._item, self.bus.clock)
        return await history.read(sorted(set(days)), zone)

    def _valve_point(self) -> Point:
        for point in self.profile.points:
            if isinstance(point.source, Source) and point.source.field == VALVE:
                return point
        raise KeyError(VALVE)

    async def _write(self, point: Point, value: Decimal, order: WriteOrder) -> None:
        if value not in (_OPEN, _CLOSED):
            raise DeviceRefused("a valve is ordered open (0) or closed (1)")
        if set(self.address.upper()) & {"A"} or self.address == cjt188.BROADCAST:
            raise DeviceRefused("a valve is never ordered by an address that several meters have")
        if not self._is_order_known:
            # An order goes out once, so which way round the meter takes identifiers is found out by reading.
            await self.read((self.profile.probe,), Priority.COMMAND)
        code = self._link.open_code if value == _OPEN else self._link.close_code
        await self.bus.execute(self._exchange(cjt188.WRITE, cjt188.VALVE, bytes((code,))), Priority.COMMAND)

    def _plan(self, points: Sequence[Point]) -> list[Read]:
        return [Read(self._exchange(cjt188.READ, cjt188.CURRENT_DATA), tuple(points))] if points else []

    def _again(self, planned: Read) -> Read:
        return replace(planned, exchange=self._exchange(cjt188.READ, cjt188.CURRENT_DATA))

    async def _ask(self, planned: Read, priority: Priority, *, may_repeat: bool, is_alive: bool) -> Answer:
        try:
            answer = await super()._ask(planned, priority, may_repeat=may_repeat, is_alive=is_alive)
        except (DeviceOffline, DeviceRefused):
            # The order of the identifier's bytes is the vendor's; try the other until one has been answered.
            if not self._is_order_known:
                self._di_order = "1F90" if self._di_order == "901F" else "901F"
            raise
        self._is_order_known = True
        return answer

    async def _item(self, di: int) -> Answer:
        """Read one identifier of the meter's memory, once more where its frame was broken."""
        try:
            return await self.bus.execute(self._exchange(cjt188.READ, di))
        except DeviceOffline as error:
            if not error.is_broken:
                raise
        return await self.bus.execute(self._exchange(cjt188.READ, di))

    def _exchange(self, function: int, di: int, payload: bytes = b"") -> FrameExchange:
        # A new number for each request: an answer that comes too late carries an old one.
        self._ser = (self._ser + 1) & 0xFF
        link = self._link
        data = cjt188.encode_di(di, self._di_order) + bytes((self._ser,)) + payload
        request = cjt188.Frame(link.meter_type, self.address, function, data)

        def accept(frame: cjt188.Frame) -> bytes:
            cjt188.match_response(request, frame)
            return frame.payload

        return FrameExchange(
            framing="cjt188",
            party=f"meter {self.address}",
            request=cjt188.encode_frame(
                request, link.preamble if self.options.preamble is None else self.options.preamble
            ),
            accept=accept,
            timeout_s=self.options.timeout_s,
            idle_s=_IDLE_S,
            is_unique=True,
        )

    def _values(self, planned: Read, payload: bytes) -> list[tuple[Point, Quantity, bytes]]:
        decode = cjt188_data.decode_heat if self.profile.kind == "heat" else cjt188_data.decode_water
        values = {value.name: value for value in decode(payload, self._link.layout)}
        found = []
        for point in planned.points:
            assert isinstance(point.source, Source)
            value = values.get(point.source.field)
            if value is None:
                # A meter of the reduced form does not have it; one of an odd length cannot be believed.
                quality = Quality.INVALID if len(values) == 1 else Quality.NOT_AVAILABLE
                found.append((point, Quantity(None, point.unit, quality), payload))
            else:
                found.append((point, in_unit(value.quantity, point), value.raw))
        return found


def in_unit(quantity: Quantity, point: Point) -> Quantity:
    """Refuse a number in a unit that the profile does not expect: kWh and GJ are not each other's multiples."""
    if canonical_unit(quantity.unit) == point.canonical_unit:
        return quantity
    quality = Quality.INVALID if quantity.quality is Quality.GOOD else quantity.quality
    return Quantity(None, point.unit, quality)
