"""One question and its answer, as a bus carries them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

from protocols.modbus import READ_DEVICE_IDENTIFICATION

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Read the system's clock."""
    return datetime.now(UTC)


class Priority(IntEnum):
    """Who goes first when several wait for a line."""

    COMMAND = 0
    POLL = 1
    SEARCH = 2


@dataclass(frozen=True, slots=True)
class ModbusRead:
    """Read registers or bits of one Modbus unit, over whichever transport the bus has.

    Shape: the answer's payload has two bytes a register, or one byte (0 or 1) a bit.
    """

    device_id: int
    function: int
    address: int
    count: int
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class ModbusWrite:
    """Write one coil (function 5, value 0 or 1), one register (6) or ``count`` registers (16) of one Modbus unit.

    Shape: several registers are one whole number, the first highest. The answer's payload is the
    device's own echo of address and value (or count), already compared.
    A bus carries it only where ``Bus.permit`` has named this very address. It is never repeated
    by itself: a device whose answer was lost may have acted.
    """

    device_id: int
    function: int
    address: int
    value: int
    timeout_s: float | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class ModbusIdentity:
    """Ask one Modbus unit who it is; the answer's payload is a PDU of ``protocols.modbus_identity``."""

    device_id: int
    level: int = 1
    first_object: int = 0
    timeout_s: float | None = None

    @property
    def function(self) -> int:
        return READ_DEVICE_IDENTIFICATION


@dataclass(frozen=True, slots=True)
class FrameExchange:
    """Send one frame on a serial line and wait for the frame that answers it.

    Shape: ``framing`` names a scanner of ``protocols.stream``; ``request`` is what goes on the
    wire; ``accept`` takes a decoded frame and gives its payload. ``party`` names who is asked:
    after a timeout the same party is left in quiet until a late answer can no longer come,
    unless ``is_unique``: the answer carries a number that only this request had. ``is_mirrored``
    where a right answer is the request over again.

    Raises: ``accept`` raises ApplicationError or DeviceError for a refusal, another
    ProtocolError for a frame that answers something else.
    """

    framing: str
    party: str
    request: bytes
    accept: Callable[[Any], bytes]
    timeout_s: float | None = None
    idle_s: float = 0.05
    is_unique: bool = False
    is_mirrored: bool = False


@dataclass(frozen=True, slots=True)
class OsdpCommand:
    """Have one OSDP device do or tell something, through the session that its bus keeps with it.

    Shape: ``code`` is the command's on the wire, ``number`` which output, lamp, buzzer or report of
    the device; ``value`` is what a permit is held against. The answer's payload is a report's bytes.
    """

    address: int
    code: int
    number: int
    value: int
    fields: tuple[tuple[str, int], ...] = ()
    timeout_s: float | None = None


class GattPlace(NamedTuple):
    """A characteristic of a GATT server, both as full UUIDs in small letters."""

    service: str
    characteristic: str


class GattSession(Protocol):
    """A connection to one BLE device; every step raises DeviceOffline or DeviceRefused."""

    async def read(self, place: GattPlace) -> bytes: ...

    async def write(self, place: GattPlace, value: bytes) -> None:
        """Write once, with the device's own acknowledgement; DriverError where no profile lists the place."""

    async def follow(self, place: GattPlace) -> None:
        """Have the device tell every change of a characteristic until the connection ends."""

    async def told(self, place: GattPlace, within_s: float) -> bytes | None:
        """Wait for the next change of a place that is followed; None where none came in time."""


@dataclass(frozen=True, slots=True)
class GattExchange:
    """Connect to one BLE device, have ``talk`` hold the conversation, and disconnect.

    Shape: the answer's payload is what ``talk`` gives. Nothing in it is ever repeated.
    Units: ``timeout_s`` bounds all of it.
    """

    address: str
    talk: Callable[[GattSession], Awaitable[bytes]]
    timeout_s: float | None = None


Exchange = ModbusRead | ModbusWrite | ModbusIdentity | FrameExchange | OsdpCommand | GattExchange


class Answer(NamedTuple):
    """What came back.

    Units: ``taken_at`` is aware UTC, when the answer had arrived; ``round_trip_s`` seconds.
    """

    payload: bytes
    taken_at: datetime
    round_trip_s: float
