"""A lift behind a Modbus gateway; read only, the house never moves a lift."""

from drivers.base import CarStatus, words
from drivers.modbus_device import ModbusDevice


class ModbusElevator(ModbusDevice):
    async def read_car(self) -> CarStatus:
        """Read the car's state.

        Raises: as ``read``.
        """
        values = await self.read()
        state = words(self.profile, values)
        floors = [value.quantity.value for value in values if value.point == "currentFloor"]
        return CarStatus(
            floor=int(floors[0]) if floors and floors[0] is not None else None,
            direction=state.get("direction"),
            door=state.get("doorState"),
            mode=state.get("carMode"),
            passenger_alarm=state.get("passengerAlarm"),
        )
