"""Finding the meters of a CJ/T 188 line.

The protocol has one wildcard, for a line with a single meter on it. Meters are asked for their
address and for their current data, as each of the types in use, with the identifier's bytes either
way round, because makers differ in all three. Where several meters answer at once, their
addresses must be named.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple

from drivers.bus.exchange import FrameExchange
from drivers.bus.owner import Bus
from drivers.errors import DeviceBusy, DeviceOffline, DeviceRefused
from drivers.search import Progress, Scope, Sighting
from protocols import cjt188
from protocols.cjt188 import Frame

_TYPES = (cjt188.ANY_TYPE, 0x10, 0x20, 0x30)
_QUESTIONS = ((cjt188.READ_ADDRESS, cjt188.ADDRESS), (cjt188.READ, cjt188.CURRENT_DATA))
_ORDERS: tuple[cjt188.DiOrder, ...] = ("1F90", "901F")
_PROFILES = {1: "water/cjt188", 2: "heat/cjt188", 3: "gas/cjt188"}
_KINDS = {1: "water", 2: "heat", 3: "gas", 4: "other"}
_PREAMBLE = 4
_IDLE_S = 0.2
_SEARCH_TIMEOUT_S = 1.0


class _Step(NamedTuple):
    address: str
    meter_type: int
    function: int
    di: int
    order: cjt188.DiOrder

    @property
    def text(self) -> str:
        return f"{self.address}, type {self.meter_type:02X}, identifier {self.di:04X} as {self.order}"


async def search(bus: Bus, scope: Scope) -> AsyncIterator[Sighting | Progress]:
    """Ask by the wildcard, or for the addresses of the scope.

    Raises: BusDown.
    """
    addresses = scope.addresses or (cjt188.WILDCARD,)
    steps = [
        _Step(address, meter_type, function, di, order)
        for address in addresses
        for meter_type in _TYPES
        for function, di in _QUESTIONS
        for order in _ORDERS
    ]
    found: set[str] = set()
    answered: set[tuple[str, int]] = set()
    has_collided = False
    for done, step in enumerate(steps):
        yield Progress(done, len(steps), step.text)
        # Whoever answered as any type, or as this one, would only answer again.
        if answered & {(step.address, cjt188.ANY_TYPE), (step.address, step.meter_type)}:
            continue
        frame, is_broken = await _ask(bus, scope, step, done)
        has_collided = has_collided or is_broken
        if frame is None:
            continue
        answered.add((step.address, step.meter_type))
        if frame.address not in found:
            found.add(frame.address)
            yield _sighting(frame, step)
    if has_collided and not found:
        detail = "bytes came that make no frame: several meters answer at once, or the line's settings are not theirs"
        yield Sighting("cjt188", cjt188.WILDCARD, detail)
    yield Progress(len(steps), len(steps), "all types")


async def _ask(bus: Bus, scope: Scope, step: _Step, ser: int) -> tuple[Frame | None, bool]:
    """Give the frame of whoever answered, if only to refuse, and whether something unreadable came."""
    data = cjt188.encode_di(step.di, step.order) + bytes((ser & 0xFF,))
    request = Frame(step.meter_type, step.address, step.function, data)
    heard: list[Frame] = []

    def accept(frame: Frame) -> bytes:
        if frame.is_response and frame.ser == request.ser:
            heard.append(frame)
        cjt188.match_response(request, frame)
        return frame.payload

    timeout_s = scope.timeout_s or _SEARCH_TIMEOUT_S
    exchange = FrameExchange(
        framing="cjt188",
        party=step.address,
        request=cjt188.encode_frame(request, _PREAMBLE),
        accept=accept,
        timeout_s=timeout_s,
        idle_s=min(_IDLE_S, timeout_s),
        is_unique=True,
    )
    try:
        await bus.execute(exchange, scope.priority)
    except DeviceOffline as error:
        return (heard[-1], False) if heard else (None, error.is_broken)
    except (DeviceRefused, DeviceBusy):
        pass
    return (heard[-1] if heard else None), False


def _sighting(frame: Frame, step: _Step) -> Sighting:
    family = frame.meter_type >> 4
    refuses = ", refuses this question" if frame.is_error else ""
    detail = f"{_KINDS.get(family, 'unknown')} meter, type {frame.meter_type:02X}, answers {step.order}{refuses}"
    return Sighting("cjt188", frame.address, detail, _PROFILES.get(family))
