"""Simulated meters of IEC 62056-21 mode C: woken by their number or by none, each then reads itself out.

idle    --its sign-on--> woken       tells who it is
woken   --selection--> idle          the readout
woken   --another's sign-on--> idle
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial

from drivers.profile.iec62056 import Source
from drivers.sim.answer import Answer, Compose
from drivers.sim.journal import Served
from drivers.sim.simulated import Simulated
from protocols.framing import scanner
from protocols.iec62056 import Message, encode_data, encode_identification
from protocols.quantity import Quantity, canonical
from protocols.stream import Found

_MAKER, _RATE, _TYPE = "GHS", "5", "SIM-1"


class ModeCStation:
    """Every meter of a line; a readout goes to whom the sign-on woke."""

    def __init__(self, meters: Sequence[Simulated], now_ms: Callable[[], int]) -> None:
        self._meters = meters
        self._now_ms = now_ms
        self._scanner = scanner("iec62056-21")
        self._woken: Simulated | None = None

    def feed(self, data: bytes) -> list[Compose]:
        """Take bytes in any portions."""
        return self._requests(self._scanner.feed(data))

    def flush(self) -> list[Compose]:
        """Give up on a request whose bytes have stopped coming."""
        return self._requests(self._scanner.flush())

    def _requests(self, found: Iterable[Found]) -> list[Compose]:
        return [partial(self._compose, piece.frame) for piece in found if isinstance(piece.frame, Message)]

    def _compose(self, request: Message) -> Answer | None:
        if request.kind == "request":
            # Where several could hear a sign-on without a number, the first is faster.
            called = [it for it in self._meters if request.text in ("", it.device.address)]
            self._woken = called[0] if called else None
            return Answer(encode_identification(_MAKER, _RATE, _TYPE)) if called else None
        woken, self._woken = self._woken, None
        if request.kind != "selection" or woken is None:
            return None
        return _readout(woken, self._now_ms())


def _readout(meter: Simulated, at_ms: int) -> Answer:
    """Write every point of the profile as a data set, in the profile's unit."""
    values = meter.model.values(at_ms)
    lines = [f"0.0.0({meter.device.address})"]
    served = []
    for point in meter.profile.points:
        value = values[point.name]
        assert isinstance(point.source, Source)
        assert isinstance(value, Decimal)
        factor = canonical(Quantity(Decimal(1), point.unit)).value or Decimal(1)
        lines.append(f"{point.source.obis}({value / factor:.3f}*{point.unit})")
        if point.is_register:
            served.append(Served(meter.device.id, point.name, value, point.canonical_unit))
    return Answer(encode_data("".join(f"{line}\r\n" for line in [*lines, "!"])), tuple(served))
