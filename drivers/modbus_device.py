"""Any device with a Modbus register map, over whichever Modbus line its bus is."""

from collections.abc import Sequence
from decimal import Decimal

from drivers.base import Driver, Read
from drivers.bus.exchange import ModbusRead
from drivers.profile import Point
from drivers.profile.modbus import Link, Source
from protocols.errors import ProtocolError
from protocols.modbus import MAX_BITS, READ_HOLDING, READ_INPUT, decode_registers
from protocols.quantity import Quality, Quantity

_UNITS = range(1, 248)
_REGISTER_FUNCTIONS = (READ_HOLDING, READ_INPUT)


class ModbusDevice(Driver):
    @property
    def link(self) -> Link:
        """How the model is asked."""
        assert isinstance(self.profile.link, Link)
        return self.profile.link

    @staticmethod
    def check_address(address: str) -> None:
        if not address.isdecimal() or int(address) not in _UNITS:
            raise ValueError(f"'{address}' is not a Modbus unit; write a number from 1 to 247")

    def _plan(self, points: Sequence[Point]) -> list[Read]:
        reads = [
            Read(ModbusRead(int(self.address), function, address, count, self.options.timeout_s), group)
            for function, address, count, group in plan_blocks(points, self.link)
        ]
        # What is billed comes first, in case the device falls silent on the way.
        return sorted(reads, key=lambda read: not any(point.is_register for point in read.points))

    def _values(self, planned: Read, payload: bytes) -> list[tuple[Point, Quantity, bytes]]:
        assert isinstance(planned.exchange, ModbusRead)
        width = 2 if planned.exchange.function in _REGISTER_FUNCTIONS else 1
        values = []
        for point in planned.points:
            source = _source(point)
            start = width * (source.address - planned.exchange.address)
            raw = payload[start : start + width * source.count]
            values.append((point, _quantity(source, point.unit, raw), raw))
        return values


def plan_blocks(points: Sequence[Point], link: Link) -> list[tuple[int, int, int, tuple[Point, ...]]]:
    """Group points into (function, address, count, points), bridging no gap wider than the model allows.

    Strict devices refuse a request that touches an address they do not have, so the usual gap is none.
    """
    blocks: list[tuple[int, int, int, tuple[Point, ...]]] = []
    order = {point.name: (_source(point).function, _source(point).address) for point in points}
    for point in sorted(points, key=lambda point: order[point.name]):
        source = _source(point)
        end = source.address + source.count
        if blocks:
            function, address, count, group = blocks[-1]
            most = link.max_registers if function in _REGISTER_FUNCTIONS else MAX_BITS
            is_near = source.address - (address + count) <= link.max_gap
            if function == source.function and is_near and end - address <= most:
                blocks[-1] = (function, address, max(count, end - address), (*group, point))
                continue
        blocks.append((source.function, source.address, source.count, (point,)))
    return blocks


def _source(point: Point) -> Source:
    assert isinstance(point.source, Source)
    return point.source


def _quantity(source: Source, unit: str, raw: bytes) -> Quantity:
    if source.type == "bit":
        return Quantity(Decimal(raw[0]), unit)
    words = [raw[position] << 8 | raw[position + 1] for position in range(0, len(raw), 2)]
    try:
        value = decode_registers(words, source.type, source.order)
    except ProtocolError:
        return Quantity(None, unit, Quality.INVALID)
    if not isinstance(value, Decimal) or value == source.not_available:
        return Quantity(None, unit, Quality.NOT_AVAILABLE)
    return Quantity(value if source.scale == 1 else value * source.scale, unit)
