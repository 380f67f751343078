"""Everything that the checks may look at, so that a test can build a world of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drivers.bus.serial_port import is_tcp
from drivers.bus.settings import BleSettings, BusSettings, OsdpSettings, SerialSettings, TcpSettings
from edge_agent.config import Device, Settings
from protocols.toml import Fault


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs this command."""

    name: str
    uid: int
    groups: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Reach:
    """How a network place answered; ``error`` is None where it did.

    Shape: ``error`` is ``name`` (it has no address), ``refused``, ``silent`` or a reason in words.
    """

    error: str | None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Centre:
    """What answered at the uplink's address.

    Shape: ``error`` as in ``Reach``, or ``tls``. ``offset_s`` is the centre's clock minus ours, None where it
    was not told.
    """

    error: str | None
    status: int = 0
    content_type: str = ""
    is_ours: bool = False
    offset_s: float | None = None
    location: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """The facts of one moment; the roots are / on a real machine.

    Shape: ``settings`` is None where ``faults`` says why. ``status`` and ``doubts`` are the running gateway's
    answers, None where none runs; ``silence`` says why one that runs did not answer. ``places`` has how each
    (host, port) of the settings answered that was asked.
    Units: ``now`` seconds UTC.
    """

    now: float
    account: Account
    settings: Settings | None = None
    faults: tuple[Fault, ...] = ()
    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    dev: Path = Path("/dev")
    run: Path = Path("/run")
    etc: Path = Path("/etc")
    status: Mapping[str, Any] | None = None
    silence: str | None = None
    doubts: Sequence[Mapping[str, Any]] | None = None
    places: Mapping[tuple[str, int], Reach] = field(default_factory=dict)
    centre: Centre | None = None
    is_synchronised: bool | None = None
    built_at: float = 0.0
    python: tuple[int, ...] = (3, 11, 0)
    sqlite: tuple[int, ...] = (3, 40, 1)
    version: str = ""

    @property
    def buses(self) -> tuple[BusSettings, ...]:
        return () if self.settings is None else self.settings.buses

    @property
    def devices(self) -> tuple[Device, ...]:
        return () if self.settings is None else self.settings.devices

    @property
    def is_running(self) -> bool:
        return self.status is not None

    def ports(self) -> list[tuple[BusSettings, Path]]:
        """Give the buses with a serial port of this machine, and the port as the settings name it."""
        return [(bus, Path(port)) for bus in self.buses if (port := port_of(bus))]

    def live(self, table: str) -> list[Mapping[str, Any]]:
        """Give the rows of a table of the running gateway's status: ``buses``, ``devices``."""
        return [] if self.status is None else list(self.status.get(table) or ())


def port_of(bus: BusSettings) -> str | None:
    """Give the serial port of a bus, None where it has none here."""
    if isinstance(bus, SerialSettings | OsdpSettings) and bus.port and not is_tcp(bus.port):
        return bus.port
    return None


def place_of(bus: BusSettings) -> tuple[str, int] | None:
    """Give the host and port that a bus connects to, None where it is not behind a network."""
    match bus:
        case TcpSettings():
            return bus.host, bus.port
        case OsdpSettings() if bus.host:
            return bus.host, bus.tcp_port
        case SerialSettings() if is_tcp(bus.port):
            host, _, number = bus.port.removeprefix("tcp://").rpartition(":")
            return host.strip("[]"), int(number)
    return None


def adapter_of(bus: BusSettings) -> str | None:
    """Give the Bluetooth adapter of a bus, None where it has none."""
    return bus.adapter if isinstance(bus, BleSettings) else None
