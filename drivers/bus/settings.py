"""What a bus must be told, already checked by whoever read the file."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TcpSettings:
    """A Modbus TCP device or gateway; ``pipeline`` is how many requests it takes before it has answered."""

    id: str
    host: str
    port: int = 502
    timeout_s: float = 1.0
    pipeline: int = 1

    @property
    def kind(self) -> str:
        return "modbus-tcp"


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """A serial port and the line behind it.

    Shape: ``port`` is a device file, or ``tcp://host:port`` of a converter that passes the line's bytes on;
    ``is_ascii`` where Modbus is framed as ASCII and not as RTU.
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
    is_ascii: bool = False

    @property
    def kind(self) -> str:
        return "serial"

    @property
    def byte_s(self) -> float:
        """How long one byte is on the wire."""
        return (1 + self.bytesize + (self.parity != "N") + self.stopbits) / self.baudrate


@dataclass(frozen=True, slots=True)
class OsdpSettings:
    """A line of OSDP devices: a serial ``port``, or ``host`` and ``tcp_port`` of a converter that stands before one.

    Shape: always eight bits and no parity, as the standard has it.
    """

    id: str
    port: str = ""
    baudrate: int = 9600
    host: str = ""
    tcp_port: int = 0
    timeout_s: float = 1.0

    @property
    def kind(self) -> str:
        return "osdp"

    @property
    def place(self) -> str:
        """Where the line is, in words for people."""
        return f"{self.host}:{self.tcp_port}" if self.host else self.port


@dataclass(frozen=True, slots=True)
class BleSettings:
    """A Bluetooth adapter as BlueZ names it.

    Shape: ``scan`` is active, or passive, which spares the batteries of sensors that answer; but BlueZ then
    does not tell a payload again that stays the same, and nobody who does not say that he can be found.
    Units: ``timeout_s`` bounds a whole conversation with one device; after ``silent_s`` without any
    advertisement the scan is begun anew.
    """

    id: str
    adapter: str = "hci0"
    scan: str = "active"
    timeout_s: float = 10.0
    silent_s: float = 60.0

    @property
    def kind(self) -> str:
        return "ble"

    @property
    def place(self) -> str:
        """Where the line is, in words for people."""
        return self.adapter


BusSettings = TcpSettings | SerialSettings | OsdpSettings | BleSettings
