"""A valve or a relay with a Modbus register map: read, and ordered by somebody, once."""

from decimal import Decimal

from drivers.base import WriteOrder, words
from drivers.bus.exchange import Priority
from drivers.errors import DeviceRefused
from drivers.modbus_device import ModbusDevice
from drivers.profile import Profile

_VALVE, _RELAY = "valveState", "relayState"


class ModbusValve(ModbusDevice):
    """``valveState`` has the words open and closed."""

    async def read_valve(self) -> str | None:
        return words(self.profile, await self.read([_VALVE], Priority.COMMAND))[_VALVE]

    async def set_valve(self, *, is_open: bool, order: WriteOrder) -> None:
        await self.write(_VALVE, _code(self.profile, _VALVE, "open" if is_open else "closed"), order)


class ModbusRelay(ModbusDevice):
    """``relayState`` has the words closed and open."""

    async def read_relay(self) -> str | None:
        return words(self.profile, await self.read([_RELAY], Priority.COMMAND))[_RELAY]

    async def set_relay(self, *, is_closed: bool, order: WriteOrder) -> None:
        await self.write(_RELAY, _code(self.profile, _RELAY, "closed" if is_closed else "open"), order)


def _code(profile: Profile, point: str, word: str) -> Decimal:
    """Give the number that the device has for a word. Raises: DeviceRefused where its profile has none."""
    for code, known in profile.point(point).states.items():
        if known == word:
            return Decimal(code)
    raise DeviceRefused(f"the profile '{profile.name}' has no word '{word}' for '{point}'")
