"""What all meters share."""

from drivers.base import Driver, PointValue
from drivers.bus.exchange import Priority


class RegisterMeter(Driver):
    """A meter whose profile names at least one register."""

    async def read_register(self) -> PointValue:
        """Read the first register of the profile, ahead of the polls.

        Raises: as ``read``.
        """
        register = next(point for point in self.profile.points if point.is_register)
        (value,) = await self.read((register.name,), Priority.COMMAND)
        return value
