"""A door whose contacts are read by a Modbus input module."""

from drivers.base import DoorStatus, words
from drivers.modbus_device import ModbusDevice


class ModbusDoor(ModbusDevice):
    async def read_door(self) -> DoorStatus:
        """Read the door's contacts.

        Raises: as ``read``.
        """
        state = words(self.profile, await self.read())
        return DoorStatus(state.get("doorState"), state.get("lockState"), state.get("tamper"))
