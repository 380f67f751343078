"""Any device with a Modbus register map, over whichever Modbus line its bus is."""

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.base import Driver, Options, PointValue, Read
from drivers.bus.exchange import Answer, ModbusRead
from drivers.bus.owner import Bus
from drivers.modbus_value import Values, compile_values, source_of
from drivers.profile import Point, Profile
from drivers.profile.modbus import Link
from protocols.modbus import MAX_BITS, READ_HOLDING, READ_INPUT
from protocols.quantity import Quantity

_UNITS = range(1, 248)
_REGISTER_FUNCTIONS = (READ_HOLDING, READ_INPUT)


@dataclass(frozen=True, slots=True)
class _Block(Read):
    """A block of registers and how its answer is read."""

    values: Values


class ModbusDevice(Driver):
    def __init__(self, profile: Profile, bus: Bus, address: str, options: Options) -> None:
        super().__init__(profile, bus, address, options)
        self._plans: dict[tuple[str, ...], list[Read]] = {}

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
        wanted = tuple(point.name for point in points)
        if (plan := self._plans.get(wanted)) is None:
            plan = self._plans[wanted] = self._planned(points)
        return plan

    def _planned(self, points: Sequence[Point]) -> list[Read]:
        reads: list[Read] = []
        for function, address, count, group in plan_blocks(points, self.link):
            ask = ModbusRead(int(self.address), function, address, count, self.options.timeout_s)
            reads.append(
                _Block(ask, group, compile_values(group, address, 2 if function in _REGISTER_FUNCTIONS else 1))
            )
        # What is billed comes first, in case the device falls silent on the way.
        return sorted(reads, key=lambda read: not any(point.is_register for point in read.points))

    def _told(self, planned: Read, answer: Answer) -> list[PointValue]:
        assert isinstance(planned, _Block)
        return planned.values(answer.payload, answer.taken_at)

    def _values(self, planned: Read, payload: bytes) -> list[tuple[Point, Quantity, bytes]]:
        raise NotImplementedError  # ``_told`` does it at once


def plan_blocks(points: Sequence[Point], link: Link) -> list[tuple[int, int, int, tuple[Point, ...]]]:
    """Group points into (function, address, count, points), bridging no gap wider than the model allows.

    Strict devices refuse a request that touches an address they do not have, so the usual gap is none.
    """
    blocks: list[tuple[int, int, int, tuple[Point, ...]]] = []
    order = {point.name: (source_of(point).function, source_of(point).address) for point in points}
    for point in sorted(points, key=lambda point: order[point.name]):
        source = source_of(point)
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
