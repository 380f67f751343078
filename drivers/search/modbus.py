"""Modbus units on a line or behind a gateway: each is asked for one register, and any answer is a sign of life."""

from collections.abc import AsyncIterator

from drivers.bus.exchange import ModbusRead
from drivers.bus.owner import Bus
from drivers.errors import DeviceBusy, DeviceOffline, DeviceRefused
from drivers.search import Progress, Scope, Sighting
from protocols.modbus import READ_HOLDING, READ_INPUT

_UNITS = tuple(map(str, range(1, 248)))
_TIMEOUT_S = 0.3


async def search(bus: Bus, scope: Scope) -> AsyncIterator[Sighting | Progress]:
    """Ask unit after unit; a refusal shows as well that one is there.

    Raises: BusDown; ValueError for an address that is none.
    """
    units = scope.addresses or _UNITS
    for done, unit in enumerate(units):
        yield Progress(done, len(units), f"unit {unit}")
        if (detail := await _heard(bus, int(unit), scope)) is not None:
            yield Sighting("modbus", unit, detail)
    yield Progress(len(units), len(units), "")


async def _heard(bus: Bus, unit: int, scope: Scope) -> str | None:
    refusal: str | None = None
    for function, name in ((READ_HOLDING, "holding"), (READ_INPUT, "input")):
        read = ModbusRead(unit, function, 0, 1, scope.timeout_s or _TIMEOUT_S)
        try:
            answer = await bus.execute(read, scope.priority)
        except DeviceOffline:
            return refusal
        except (DeviceRefused, DeviceBusy) as error:
            refusal = error.reason
            continue
        return f"{name} register 0 is {int.from_bytes(answer.payload, 'big')}"
    return refusal
