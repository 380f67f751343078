"""A valve or a relay with a Modbus register map: read, and ordered by somebody, once.

After an order the device is asked what it says now; that is the answer, not its "understood".
"""

import asyncio
from decimal import Decimal

from drivers.base import WriteOrder, words
from drivers.bus.exchange import Priority
from drivers.errors import DeviceOffline, DeviceRefused, DriverError
from drivers.modbus_device import ModbusDevice
from drivers.profile import Profile

_VALVE, _RELAY = "valveState", "relayState"
# A module may show an output as it was for a moment after it took the order.
_SETTLE_S = 0.2
_LOOKS = 3


class _Ordered(ModbusDevice):
    """A device of one state that is ordered."""

    async def _word(self, point: str) -> str | None:
        return words(self.profile, await self.read([point], Priority.COMMAND))[point]

    async def _order(self, point: str, word: str, order: WriteOrder) -> None:
        """Write a state once and hold the device to it.

        Raises: DeviceOffline where no answer came, with what the device says now; DeviceRefused
        where it took the order and says something else.
        """
        try:
            await self.write(point, _code(self.profile, point, word), order)
        except DeviceOffline as error:
            try:
                now = f"'{point}' now says '{await self._word(point)}'"
            except DriverError:
                now = f"'{point}' cannot be read"
            reason = f"No answer came to the order ({error.reason}), and it may have been carried out: {now}."
            raise DeviceOffline(f"{reason} Look at the device before you order again.") from None
        for look in range(_LOOKS):
            if look:
                await asyncio.sleep(_SETTLE_S)
            if (told := await self._word(point)) == word:
                return
        raise DeviceRefused(f"The device took the order and still says '{told}'. Look whether it is switched by hand.")


class ModbusValve(_Ordered):
    """``valveState`` has the words open and closed."""

    async def read_valve(self) -> str | None:
        return await self._word(_VALVE)

    async def set_valve(self, *, is_open: bool, order: WriteOrder) -> None:
        await self._order(_VALVE, "open" if is_open else "closed", order)


class ModbusRelay(_Ordered):
    """``relayState`` has the words closed and open."""

    async def read_relay(self) -> str | None:
        return await self._word(_RELAY)

    async def set_relay(self, *, is_closed: bool, order: WriteOrder) -> None:
        await self._order(_RELAY, "closed" if is_closed else "open", order)


def _code(profile: Profile, point: str, word: str) -> Decimal:
    """Give the number that the device has for a word. Raises: DeviceRefused where its profile has none."""
    for code, known in profile.point(point).states.items():
        if known == word:
            return Decimal(code)
    raise DeviceRefused(f"the profile '{profile.name}' has no word '{word}' for '{point}'")
