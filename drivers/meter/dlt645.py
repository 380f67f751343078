"""Electricity meters of DL/T 645-2007."""

from collections.abc import Sequence

from drivers.base import Read
from drivers.bus.exchange import FrameExchange
from drivers.meter.register import RegisterMeter
from drivers.profile import Point
from drivers.profile.dlt645 import Link, Source
from protocols import dlt645
from protocols.bcd import decode_bcd
from protocols.quantity import Quality, Quantity

# The sheet asks for 30 to 50 ms between an answer and the next request.
_IDLE_S = 0.05


class Dlt645Meter(RegisterMeter):
    @staticmethod
    def check_address(address: str) -> None:
        dlt645.encode_address(address)

    def _plan(self, points: Sequence[Point]) -> list[Read]:
        groups: dict[int, list[Point]] = {}
        for point in points:
            source = _source(point)
            groups.setdefault(source.block or source.di, []).append(point)
        return [Read(self._exchange(di), tuple(group)) for di, group in groups.items()]

    def _exchange(self, di: int) -> FrameExchange:
        assert isinstance(self.profile.link, Link)
        preamble = self.profile.link.preamble if self.options.preamble is None else self.options.preamble
        request = dlt645.Frame(self.address, dlt645.READ, di.to_bytes(4, "little"))

        def accept(frame: dlt645.Frame) -> bytes:
            dlt645.match_response(request, frame)
            return frame.payload

        return FrameExchange(
            framing="dlt645",
            party=f"meter {self.address}",
            request=dlt645.encode_frame(request, preamble),
            accept=accept,
            timeout_s=self.options.timeout_s,
            idle_s=_IDLE_S,
        )

    def _values(self, planned: Read, payload: bytes) -> list[tuple[Point, Quantity, bytes]]:
        return [(point, *_value(_source(point), point.unit, payload)) for point in planned.points]


def _source(point: Point) -> Source:
    assert isinstance(point.source, Source)
    return point.source


def _value(source: Source, unit: str, payload: bytes) -> tuple[Quantity, bytes]:
    """Find a point's number in the payload; of another length than announced, none of it is believed."""
    if source.is_common:
        for value in dlt645.decode_values(source.block or source.di, payload):
            if value.di == source.di:
                return value.quantity, value.raw
    elif len(payload) == source.length:
        return decode_bcd(payload, decimals=source.decimals, unit=unit, is_signed=source.is_signed), payload
    return Quantity(None, unit, Quality.INVALID), payload
