"""A lift behind a Modbus gateway; read only, the house never moves a lift."""

from collections.abc import Collection

from drivers.base import CarStatus, PointValue, words
from drivers.modbus_device import ModbusDevice
from drivers.profile import Profile


class ModbusElevator(ModbusDevice):
    async def read_car(self) -> CarStatus:
        """Read the car's state.

        Raises: as ``read``.
        """
        return car_status(self.profile, await self.read())


def car_status(profile: Profile, values: Collection[PointValue]) -> CarStatus:
    """Name what a lift's values say of its car."""
    state = words(profile, values)
    numbers = {value.point: value.quantity.value for value in values}
    floor, fault = numbers.get("currentFloor"), numbers.get("faultCode")
    return CarStatus(
        floor=None if floor is None else int(floor),
        direction=state.get("direction"),
        door=state.get("doorState"),
        mode=state.get("carMode"),
        passenger_alarm=state.get("passengerAlarm"),
        in_door_zone=state.get("inDoorZone"),
        fault_code=None if fault is None else int(fault),
    )
