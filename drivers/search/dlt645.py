"""DL/T 645 meters on a line: by the wildcard where one is alone, else by ever longer ends of addresses.

AA in a byte of an address stands for any. Where several answer at once their frames collide, and
what comes is damaged; then the low byte is tried from 00 to 99, and where it still collides the
next one. A question is heard out to the end of its time, for two answers may come one after the other.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal

from drivers.bus.exchange import FrameExchange
from drivers.bus.owner import Bus
from drivers.errors import DeviceError, DeviceOffline
from drivers.search import Progress, Scope, Sighting
from protocols import dlt645, dlt645_1997
from protocols.dlt645 import Frame
from protocols.errors import MalformedFrame
from protocols.quantity import Quality

# A meter may take half a second to begin.
_TIMEOUT_S = 0.6
_IDLE_S = 0.05
_BYTES = 6
_VALUES = [f"{value:02d}" for value in range(100)]
_TOTAL, _TOTAL_1997, _VOLTAGES = 0x00010000, 0x9010, 0x0201FF00
_HINTS = {"2007": "electricity/dlt645-2007", "1997": "electricity/dlt645-1997"}
_SINGLE_PHASE = "electricity/dlt645-2007-single-phase"


@dataclass(slots=True)
class _Heard:
    """Who answered one question, and whether something damaged came as well."""

    addresses: set[str] = field(default_factory=set)
    is_damaged: bool = False

    @property
    def is_crowded(self) -> bool:
        return self.is_damaged or len(self.addresses) > 1


async def search(bus: Bus, scope: Scope) -> AsyncIterator[Sighting | Progress]:
    """Find the meters of 2007, then those of 1997, which do not answer the questions of 2007.

    Raises: BusDown; ValueError for an address that is none.
    """
    if scope.addresses is not None:
        async for found in _known(bus, scope, scope.addresses):
            yield found
        return
    seen: set[str] = set()
    for variant in ("2007", "1997"):
        async for found in _shrink(bus, scope, variant, seen):
            yield found


async def _known(bus: Bus, scope: Scope, addresses: tuple[str, ...]) -> AsyncIterator[Sighting | Progress]:
    for address in addresses:
        dlt645.encode_address(address)
    for done, address in enumerate(addresses):
        yield Progress(done, len(addresses), f"DL/T 645 meter {address}")
        for variant in ("2007", "1997"):
            if address in (await _hear(bus, scope, variant, address)).addresses:
                yield await _sighting(bus, scope, variant, address)
                break
    yield Progress(len(addresses), len(addresses), "DL/T 645")


async def _shrink(bus: Bus, scope: Scope, variant: str, seen: set[str]) -> AsyncIterator[Sighting | Progress]:
    """Ask the wildcard, then the ends that are crowded, one byte longer each time."""
    ends, done, total = [""], 0, 1
    while ends:
        end = ends.pop(0)
        pattern = "A" * (2 * _BYTES - len(end)) + end
        yield Progress(done, total, f"DL/T 645-{variant} {pattern}")
        done += 1
        heard = await _hear(bus, scope, variant, pattern)
        for address in sorted(heard.addresses - seen):
            seen.add(address)
            yield await _sighting(bus, scope, variant, address)
        if not heard.is_crowded:
            continue
        if len(end) == 2 * _BYTES:
            if not heard.addresses:
                yield Sighting("dlt645", end, "only damaged frames; two meters may share this address", _HINTS[variant])
            continue
        ends += [value + end for value in _VALUES]
        total += len(_VALUES)
    yield Progress(done, total, f"DL/T 645-{variant}")


async def _hear(bus: Bus, scope: Scope, variant: str, pattern: str) -> _Heard:
    """Ask a pattern for its total and take down everybody who answers until the time is over."""
    heard = _Heard()
    request = _request(variant, pattern)

    def accept(frame: Frame) -> bytes:
        is_answer = frame.is_response and frame.function == request.function
        if is_answer and dlt645.addresses_match(pattern, frame.address) and "A" not in frame.address:
            heard.addresses.add(frame.address)
        raise MalformedFrame(f"meter {frame.address}")

    exchange = FrameExchange(
        framing="dlt645" if variant == "2007" else "dlt645-1997",
        party=f"meters {pattern}",
        request=dlt645.encode_frame(request),
        accept=accept,
        timeout_s=scope.timeout_s or _TIMEOUT_S,
        idle_s=_IDLE_S,
        is_unique=True,  # nobody is asked the same again, so no late answer can be mistaken
    )
    try:
        await bus.execute(exchange, scope.priority)
    except DeviceOffline as error:
        heard.is_damaged = error.is_broken
    return heard


def _request(variant: str, pattern: str) -> Frame:
    if variant == "1997":
        return dlt645_1997.read_request(pattern, _TOTAL_1997)
    if pattern == dlt645.WILDCARD:
        return Frame(pattern, dlt645.READ_ADDRESS)
    return Frame(pattern, dlt645.READ, _TOTAL.to_bytes(4, "little"))


async def _sighting(bus: Bus, scope: Scope, variant: str, address: str) -> Sighting:
    """Say what a meter shows, and by its voltages which profile fits."""
    if variant == "1997":
        values = await _ask(bus, scope, dlt645_1997.read_request(address, _TOTAL_1997))
        total = dlt645_1997.decode_values(_TOTAL_1997, values)[0].quantity.value if values is not None else None
        return Sighting("dlt645", address, _detail(variant, total), _HINTS[variant])
    answer = await _ask(bus, scope, Frame(address, dlt645.READ, _TOTAL.to_bytes(4, "little")))
    total = None if answer is None else dlt645.decode_values(_TOTAL, answer)[0].quantity.value
    volts = await _ask(bus, scope, Frame(address, dlt645.READ, _VOLTAGES.to_bytes(4, "little")))
    phases = [] if volts is None else dlt645.decode_values(_VOLTAGES, volts)
    is_three_phase = len(phases) == 3 and all(value.quantity.quality is Quality.GOOD for value in phases)
    return Sighting("dlt645", address, _detail(variant, total), _HINTS[variant] if is_three_phase else _SINGLE_PHASE)


def _detail(variant: str, total: Decimal | None) -> str:
    return f"DL/T 645-{variant}" + ("" if total is None else f", {total} kWh")


async def _ask(bus: Bus, scope: Scope, request: Frame) -> bytes | None:
    """Read one identifier of one meter; None where it gives none."""

    def accept(frame: Frame) -> bytes:
        dlt645.match_response(request, frame)
        return frame.payload

    exchange = FrameExchange(
        framing="dlt645",
        party=f"meter {request.address}",
        request=dlt645.encode_frame(request),
        accept=accept,
        timeout_s=scope.timeout_s or _TIMEOUT_S,
        idle_s=_IDLE_S,
    )
    try:
        return (await bus.execute(exchange, scope.priority)).payload
    except DeviceError:
        return None
