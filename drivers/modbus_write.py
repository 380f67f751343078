"""What a writable point puts on the wire: the inverse of reading it, and the fence around it."""

from decimal import Decimal

from drivers.errors import DeviceRefused
from drivers.modbus_value import quantity_of, source_of
from drivers.profile import Point
from protocols.modbus import READ_COILS, WRITE_COIL, WRITE_REGISTER, WRITE_REGISTERS
from protocols.quantity import Quantity, canonical
from protocols.register import encode_registers


class ModbusOrder:
    """How one point is written.

    Shape: ``function`` is 5 for a coil, 6 for one holding register, 16 for more; a number on the
    wire is the registers one after the other as one whole number, ``count`` of them. As a container
    it holds the numbers that the profile allows, for ``Bus.permit``.
    """

    def __init__(self, point: Point) -> None:
        self._point = point
        source = source_of(point)
        self.address = source.address
        self.count = source.count
        if source.function == READ_COILS:
            self.function = WRITE_COIL
        else:
            self.function = WRITE_REGISTER if source.count == 1 else WRITE_REGISTERS

    def number(self, value: Decimal) -> int:
        """Give what goes on the wire for a value.

        Units: ``value`` in the point's canonical unit, or a state's code.

        Raises: DeviceRefused for a value between two that the device can hold.
        """
        source = source_of(self._point)
        unit = canonical(Quantity(Decimal(1), self._point.unit)).value or Decimal(1)
        raw = value / unit / source.scale
        if source.type == "bit":
            return int(raw)
        if not source.type.startswith("f") and raw != raw.to_integral_value():
            step = f"{(unit * source.scale).normalize():f} {self._point.canonical_unit}".rstrip()
            raise DeviceRefused(f"'{self._point.name}' is set in steps of {step}, and {value} lies between two")
        try:
            words = encode_registers(raw, source.type, source.order)
        except ValueError as error:
            raise DeviceRefused(f"'{self._point.name}' cannot be set to {value}: {error}") from None
        return int.from_bytes(b"".join(word.to_bytes(2, "big") for word in words), "big")

    def __contains__(self, number: object) -> bool:
        """Tell whether what would go on the wire means a value that the profile allows."""
        if not isinstance(number, int) or self._point.write is None:
            return False
        width = 1 if self.function == WRITE_COIL else 2 * self.count
        if not 0 <= number < 1 << 8 * width:
            return False
        value = canonical(quantity_of(self._point, number.to_bytes(width, "big"))).value
        if value is None:
            return False
        if self._point.states:
            return value in {Decimal(code) for code in self._point.states}
        low, high = self._point.write.low, self._point.write.high
        return low is not None and high is not None and low <= value <= high
