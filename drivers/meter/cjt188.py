"""Water meters of CJ/T 188."""

from collections.abc import Sequence
from dataclasses import replace

from drivers.base import Options, Read
from drivers.bus.exchange import Answer, FrameExchange, Priority
from drivers.bus.owner import Bus
from drivers.errors import DeviceOffline, DeviceRefused
from drivers.meter.register import RegisterMeter
from drivers.profile import Point, Profile
from drivers.profile.cjt188 import Link, Source
from protocols import cjt188
from protocols.quantity import Quality, Quantity

# The sheet asks for 200 ms between requests; battery meters need them.
_IDLE_S = 0.2


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

    def _plan(self, points: Sequence[Point]) -> list[Read]:
        return [Read(self._exchange(), tuple(points))] if points else []

    def _again(self, planned: Read) -> Read:
        return replace(planned, exchange=self._exchange())

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

    def _exchange(self) -> FrameExchange:
        # A new number for each request: an answer that comes too late carries an old one.
        self._ser = (self._ser + 1) & 0xFF
        link = self._link
        data = cjt188.encode_di(cjt188.CURRENT_DATA, self._di_order) + bytes((self._ser,))
        request = cjt188.Frame(link.meter_type, self.address, cjt188.READ, data)

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
        values = {value.name: value for value in cjt188.decode_water(payload)}
        found = []
        for point in planned.points:
            assert isinstance(point.source, Source)
            value = values.get(point.source.field)
            if value is None:
                # A meter of the reduced form does not have it; one of an odd length cannot be believed.
                quality = Quality.INVALID if len(values) == 1 else Quality.NOT_AVAILABLE
                found.append((point, Quantity(None, point.unit, quality), payload))
            else:
                found.append((point, value.quantity, value.raw))
        return found
