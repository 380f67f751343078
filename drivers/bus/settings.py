"""What a bus must be told, already checked by whoever read the file."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TcpSettings:
    """A Modbus TCP device or gateway."""

    id: str
    host: str
    port: int = 502
    timeout_s: float = 1.0

    @property
    def kind(self) -> str:
        return "modbus-tcp"


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """A serial port and the line behind it.

    Units: ``guard_s`` is how long after a timeout a late answer may still come; None takes
    ``timeout_s``, so that an answer of twice the patience is still no danger.
    """

    id: str
    port: str
    baudrate: int = 2400
    bytesize: int = 8
    parity: str = "E"
    stopbits: int = 1
    timeout_s: float = 1.0
    guard_s: float | None = None

    @property
    def kind(self) -> str:
        return "serial"

    @property
    def byte_s(self) -> float:
        """How long one byte is on the wire."""
        return (1 + self.bytesize + (self.parity != "N") + self.stopbits) / self.baudrate


BusSettings = TcpSettings | SerialSettings
