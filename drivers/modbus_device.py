"""Any device with a Modbus register map, over whichever Modbus line its bus is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from drivers.base import Driver, Options, PointValue, Read, WriteOrder
from drivers.bus.exchange import Answer, ModbusRead, ModbusWrite, Priority
from drivers.bus.owner import Bus
from drivers.errors import DeviceRefused
from drivers.modbus_value import Values, compile_values, source_of
from drivers.modbus_write import ModbusOrder
from drivers.profile import Point, Profile
from drivers.profile.modbus import Link
from protocols.modbus import MAX_BITS, READ_HOLDING, READ_INPUT
from protocols.quantity import Quantity

_UNITS = range(1, 248)
_ILLEGAL_ADDRESS = 2
_REGISTER_FUNCTIONS = (READ_HOLDING, READ_INPUT)


@dataclass(frozen=True, slots=True)
class _Block(Read):
    """A block of registers and how its answer is read."""

    values: Values


class ModbusDevice(Driver):
    def __init__(self, profile: Profile, bus: Bus, address: str, options: Options) -> None:
        super().__init__(profile, bus, address, options)
        self._plans: dict[tuple[str, ...], list[Read]] = {}
        # Where no block may go across, as (function, address), as the device has taught.
        self._borders: set[tuple[int, int]] = set()
        self._orders = {point.name: ModbusOrder(point) for point in profile.points if point.write is not None}
        for order in self._orders.values():
            bus.permit(int(address), order.function, order.address, order)

    @property
    def link(self) -> Link:
        """How the model is asked."""
        assert isinstance(self.profile.link, Link)
        return self.profile.link

    @staticmethod
    def check_address(address: str) -> None:
        if not address.isdecimal() or int(address) not in _UNITS:
            raise ValueError(f"'{address}' is not a Modbus unit; write a number from 1 to 247")

    async def _write(self, point: Point, value: Decimal, order: WriteOrder) -> None:
        place = self._orders[point.name]
        unit, number = int(self.address), place.number(value)
        write = ModbusWrite(unit, place.function, place.address, number, self.options.timeout_s, place.count)
        await self.bus.execute(write, Priority.COMMAND)

    def _plan(self, points: Sequence[Point]) -> list[Read]:
        wanted = tuple(point.name for point in points)
        if (plan := self._plans.get(wanted)) is None:
            plan = self._plans[wanted] = self._planned(points)
        return plan

    def _planned(self, points: Sequence[Point]) -> list[Read]:
        reads = [self._block(*block) for block in plan_blocks(points, self.link, self._borders)]
        # What is billed comes first, in case the device falls silent on the way.
        return sorted(reads, key=lambda read: not any(point.is_register for point in read.points))

    def _block(self, function: int, address: int, count: int, group: tuple[Point, ...]) -> Read:
        ask = ModbusRead(int(self.address), function, address, count, self.options.timeout_s)
        return _Block(ask, group, compile_values(group, address, 2 if function in _REGISTER_FUNCTIONS else 1))

    def _split(self, planned: Read, error: DeviceRefused) -> list[Read]:
        """Halve a block that touches an address the device does not have, and plan so from now on."""
        if error.code != _ILLEGAL_ADDRESS or len(planned.points) < 2:
            return []
        self._plans.clear()
        points = planned.points
        middle = len(points) // 2
        first = source_of(points[middle])
        self._borders.add((first.function, first.address))
        return [
            self._block(*block) for half in (points[:middle], points[middle:]) for block in plan_blocks(half, self.link)
        ]

    def _told(self, planned: Read, answer: Answer) -> list[PointValue]:
        assert isinstance(planned, _Block)
        return planned.values(answer.payload, answer.taken_at)

    def _values(self, planned: Read, payload: bytes) -> list[tuple[Point, Quantity, bytes]]:
        raise NotImplementedError  # ``_told`` does it at once


def plan_blocks(
    points: Sequence[Point], link: Link, borders: Collection[tuple[int, int]] = ()
) -> list[tuple[int, int, int, tuple[Point, ...]]]:
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
            is_near = (
                source.address - (address + count) <= link.max_gap and (source.function, source.address) not in borders
            )
            if function == source.function and is_near and end - address <= most:
                blocks[-1] = (function, address, max(count, end - address), (*group, point))
                continue
        blocks.append((source.function, source.address, source.count, (point,)))
    return blocks
