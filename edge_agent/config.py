"""The gateway's settings: one TOML file, every fault with its file, line, key and remedy."""

import difflib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from drivers.base import Options
from drivers.bus.settings import BleSettings, BusSettings, OsdpSettings, SerialSettings, TcpSettings
from drivers.factory import complaint
from drivers.profile import Profile, load_profile, profile_names
from edge_agent.card_format import CardFormatTable, choose_rules, lint_choice, lint_formats
from edge_agent.control import LONGEST_PATH
from edge_agent.credential import UplinkError, check_url
from edge_agent.io_map import InputTable, PulseTable, Watched, mapped
from edge_agent.io_map import faults as io_faults
from edge_agent.quota import DEFAULT_QUOTA, read_quota
from protocols.sync import is_edge_id
from protocols.toml import Document, Fault, Loc, SettingsError, faults, parse
from protocols.wiegand_rule import CardRule

ENVIRONMENT = "GATEHOUSE_EDGE_CONFIG"
SOCKET_NAME = "edge.sock"
CARD_MS = 200
PLACES = (Path("edge.toml"), Path("/etc/gatehouse/edge.toml"))


@dataclass(frozen=True, slots=True)
class Uplink:
    """Where the centre is; ``secret_file`` for one on this machine, others know the gateway by its certificate."""

    url: str
    secret_file: Path | None

    @property
    def is_mqtt(self) -> bool:
        return self.url.startswith("mqtt")


@dataclass(frozen=True, slots=True)
class Device:
    """One device to poll; ``points`` are all of the profile's where the file names none.

    Shape: ``profile`` is that of this installation, in which inputs have what they mean for names, and
    ``watched`` those that raise alarms. ``card_rules`` say how a door's reader sends its cards; ``key_file`` and ``is_installing``
    are of a device with a secure channel; ``memory`` where a sensor's counter is kept over a restart.
    Units: a door is looked at every ``card_ms`` milliseconds besides; ``max_per_hour`` is the most that
    this installation's line carries, in the registers' canonical unit, None for what the profile says.
    """

    id: str
    name: str
    bus: str
    profile: Profile
    address: str
    period_s: float
    points: tuple[str, ...]
    card_ms: int = CARD_MS
    max_per_hour: Decimal | None = None
    card_rules: tuple[CardRule, ...] = ()
    key_file: Path | None = None
    is_installing: bool = False
    memory: Path | None = None
    watched: tuple[Watched, ...] = ()

    @property
    def options(self) -> Options:
        """What its driver is told beside the profile."""
        return Options(key_file=self.key_file, is_installing=self.is_installing, memory=self.memory)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings in force, every path absolute; ``zone`` is where the meters' days end."""

    file: Path
    edge_id: str
    data: Path
    zone: ZoneInfo
    uplink: Uplink | None
    buses: tuple[BusSettings, ...]
    devices: tuple[Device, ...]
    quota: int = DEFAULT_QUOTA  # bytes of the store

    @property
    def store_path(self) -> Path:
        return self.data / "edge.db"

    @property
    def socket_path(self) -> Path:
        return self.data / SOCKET_NAME


def _zone(name: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone '{name}'; write one as Asia/Shanghai or Europe/Berlin") from None


_Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class _Edge(_Table):
    id: _Id
    data: str = "data"
    profiles: Annotated[str, Field(min_length=1)] | None = None
    zone: Annotated[ZoneInfo, BeforeValidator(_zone)] = ZoneInfo("Asia/Shanghai")
    quota: Annotated[int, BeforeValidator(read_quota)] = DEFAULT_QUOTA


class _Uplink(_Table):
    url: str
    transport: Literal["https", "mqtt"] | None = None
    secret_file: str | None = None


class _Bus(_Table):
    id: _Id
    timeout_ms: Annotated[int, Field(ge=10, le=60_000)] = 1000


class _TcpBus(_Bus):
    kind: Literal["modbus-tcp"]
    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)] = 502
    pipeline: Annotated[int, Field(ge=1, le=16)] = 1


class _Line(_Bus):
    """A serial ``port``, or ``host`` and ``tcp_port`` of a converter that passes the line's bytes on."""

    port: Annotated[str, Field(min_length=1)] | None = None
    host: Annotated[str, Field(min_length=1)] | None = None
    tcp_port: Annotated[int, Field(ge=1, le=65535)] | None = None


class _SerialBus(_Line):
    kind: Literal["serial"]
    baudrate: Literal[300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 2400
    bytesize: Literal[7, 8] = 8
    parity: Literal["N", "E", "O"] = "E"
    stopbits: Literal[1, 2] = 1
    modbus: Literal["rtu", "ascii"] = "rtu"


class _OsdpBus(_Line):
    kind: Literal["osdp"]
    baudrate: Literal[9600, 19200, 38400, 57600, 115200, 230400] = 9600


class _BleBus(_Bus):
    kind: Literal["ble"]
    adapter: Annotated[str, Field(pattern=r"^hci[0-9]{1,3}$")] = "hci0"
    scan: Literal["active", "passive"] = "active"
    timeout_ms: Annotated[int, Field(ge=1_000, le=60_000)] = 10_000
    silent_s: Annotated[int, Field(ge=10, le=86_400)] = 60


class _Device(_Table):
    id: _Id
    name: str = ""
    bus: str
    profile: str
    address: str
    period_s: Annotated[float, Field(ge=0.05, le=86_400)] = 60
    points: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    card_ms: Annotated[int, Field(ge=50, le=5_000)] | None = None
    card_formats: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    key_file: Annotated[str, Field(min_length=1)] | None = None
    install_mode: bool = False
    max_per_hour: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)] | None = None
    input: dict[str, InputTable] = {}
    pulse: dict[str, PulseTable] = {}


class _File(_Table):
    edge: _Edge
    uplink: _Uplink | None = None
    bus: tuple[Annotated[_TcpBus | _SerialBus | _OsdpBus | _BleBus, Field(discriminator="kind")], ...] = ()
    device: tuple[_Device, ...] = ()
    card_format: tuple[CardFormatTable, ...] = ()


_KNOWN = {
    "": list(_File.model_fields),
    "edge": list(_Edge.model_fields),
    "uplink": list(_Uplink.model_fields),
    "bus": sorted({*_TcpBus.model_fields, *_SerialBus.model_fields, *_OsdpBus.model_fields, *_BleBus.model_fields}),
    "device": list(_Device.model_fields),
    "device.input": list(InputTable.model_fields),
    "device.pulse": ["register", "weight", "unit"],
    "card_format": list(CardFormatTable.model_fields),
}


def find_config(named: Path | None) -> Path:
    """Choose the settings file: the one named, the environment's, or the first usual place.

    Raises: SettingsError where there is none.
    """
    if named is not None:
        return named
    if text := os.environ.get(ENVIRONMENT):
        return Path(text)
    for place in PLACES:
        if place.exists():
            return place
    remedy = "Copy config/edge.example.toml to edge.toml, or name one with --config."
    raise SettingsError([Fault("edge.toml", 0, "", "there is no settings file here", remedy)])


def read_text(path: Path) -> str:
    """Read a file that a person has named. Raises: SettingsError."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror or "cannot be read" if isinstance(error, OSError) else "is not UTF-8 text"
        raise SettingsError([Fault(str(path), 0, "", reason, "Name a settings file that is there.")]) from None


def load_settings(path: Path) -> Settings:
    """Read and check a settings file and every profile it names.

    Raises: SettingsError with every fault found.
    """
    return parse_settings(read_text(path), path)


def parse_settings(text: str, path: Path, name: str | None = None) -> Settings:
    """Check settings that are to stand at a path, which their own paths are relative to.

    Shape: ``name`` is what faults call them, where they do not stand there yet.

    Raises: SettingsError with every fault found.
    """
    name = str(path) if name is None else name
    document = parse(text, name)
    try:
        read = _File.model_validate(document.data)
    except ValidationError as error:
        raise SettingsError(faults(document, error.errors(), _KNOWN)) from None
    profiles: dict[str, Profile] = {}
    found = [
        *_lint_ids(document, read),
        *_lint_data(document, read, path),
        *_lint_buses(document, read, path),
        *lint_formats(document, read.card_format),
        *_lint_uplink(document, read),
    ]
    found += _load_profiles(document, read, profiles, path)
    found += _lint_devices(document, read, profiles)
    if found:
        raise SettingsError(sorted(found, key=lambda fault: (fault.file != name, fault.line)))
    folder = path.absolute().parent
    uplink = None
    if read.uplink is not None:
        secret = read.uplink.secret_file
        uplink = Uplink(check_url(read.uplink.url), None if secret is None else folder / secret)
    return Settings(
        path.absolute(),
        read.edge.id,
        folder / read.edge.data,
        read.edge.zone,
        uplink,
        tuple(_bus(bus, folder) for bus in read.bus),
        tuple(_device(device, profiles[device.profile], folder, read) for device in read.device),
        read.edge.quota,
    )


def _bus(bus: _TcpBus | _SerialBus | _OsdpBus | _BleBus, folder: Path) -> BusSettings:
    timeout_s = bus.timeout_ms / 1000
    if isinstance(bus, _BleBus):
        return BleSettings(bus.id, bus.adapter, bus.scan, timeout_s, bus.silent_s)
    if isinstance(bus, _OsdpBus):
        port = "" if bus.port is None else str(folder / bus.port)
        return OsdpSettings(bus.id, port, bus.baudrate, bus.host or "", bus.tcp_port or 0, timeout_s)
    if isinstance(bus, _TcpBus):
        return TcpSettings(bus.id, bus.host, bus.port, timeout_s, bus.pipeline)
    port = f"tcp://{bus.host}:{bus.tcp_port}" if bus.port is None else str(folder / bus.port)
    line = (bus.id, port, bus.baudrate, bus.bytesize, bus.parity, bus.stopbits)
    return SerialSettings(*line, timeout_s, is_ascii=bus.modbus == "ascii")


def _device(device: _Device, profile: Profile, folder: Path, read: _File) -> Device:
    profile, watched = mapped(profile, device.input, device.pulse)
    points = device.points if device.points is not None else tuple(point.name for point in profile.points)
    name = device.name or device.id
    card_ms = CARD_MS if device.card_ms is None else device.card_ms
    place = (device.id, name, device.bus, profile, device.address)
    rules = choose_rules(device.card_formats or (), read.card_format)
    key_file = None if device.key_file is None else folder / device.key_file
    memory = folder / read.edge.data / "ble" / f"{device.id}.json" if profile.protocol == "bthome" else None
    secured = (rules, key_file, device.install_mode, memory)
    return Device(*place, device.period_s, points, card_ms, device.max_per_hour, *secured, watched)


def _lint_ids(document: Document, read: _File) -> Iterator[Fault]:
    if not is_edge_id(read.edge.id):
        yield document.fault(("edge", "id"), f"'{read.edge.id}' cannot name a gateway", "Use small letters and digits.")
    for table, rows in (("bus", read.bus), ("device", read.device)):
        seen: dict[str, int] = {}
        for index, row in enumerate(rows):
            if row.id in seen:
                line = document.line((table, seen[row.id], "id"))
                message = f"the id '{row.id}' stands on line {line} already"
                yield document.fault((table, index, "id"), message, "Give each its own id.")
            seen.setdefault(row.id, index)


def _lint_data(document: Document, read: _File, path: Path) -> Iterator[Fault]:
    socket = path.absolute().parent / read.edge.data / SOCKET_NAME
    if len(os.fsencode(socket)) > LONGEST_PATH:
        message = f"the folder's path is too long: its local socket has {len(os.fsencode(socket))} bytes"
        remedy = f"Choose a shorter one; {LONGEST_PATH} bytes is the most."
        yield document.fault(("edge", "data"), message, remedy)


def _lint_buses(document: Document, read: _File, path: Path) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for index, bus in enumerate(read.bus):
        if isinstance(bus, _Line) and (wrong := _line_complaint(bus)) is not None:
            yield document.fault(("bus", index, "port"), wrong, "Name a serial port, or the host and tcp_port.")
            continue
        if isinstance(bus, _TcpBus):
            place = f"{bus.host}:{bus.port}"
        elif isinstance(bus, _BleBus):
            place = bus.adapter
        elif bus.host is not None:
            place = f"{bus.host}:{bus.tcp_port}"
        else:
            place = os.path.realpath(path.absolute().parent / (bus.port or ""))
        if place in seen:
            message = f"bus '{seen[place]}' has this port already"
            key = "adapter" if isinstance(bus, _BleBus) else "port"
            yield document.fault(("bus", index, key), message, "A line has one owner: put its devices on one bus.")
        seen.setdefault(place, bus.id)


def _line_complaint(bus: _Line) -> str | None:
    if bus.port is not None and bus.host is not None:
        return "a line is a serial port or behind a host, not both"
    if bus.port is None and (bus.host is None or bus.tcp_port is None):
        return "nothing says where this line is"
    return None


def _lint_uplink(document: Document, read: _File) -> Iterator[Fault]:
    if read.uplink is None:
        return
    try:
        scheme = check_url(read.uplink.url).partition(":")[0]
    except UplinkError as error:
        yield document.fault(("uplink", "url"), str(error).removeprefix("[uplink] ").rstrip("."))
        return
    is_mqtt, is_plain = scheme.startswith("mqtt"), scheme == "http"
    if read.uplink.transport is not None and (read.uplink.transport == "mqtt") != is_mqtt:
        message = f"the address begins with {scheme}"
        yield document.fault(("uplink", "transport"), message, "Leave 'transport' out: the address says it.")
    if is_plain and read.uplink.secret_file is None:
        message = "a centre on this machine knows the gateway by a secret"
        remedy = "Name the file that 'central edge invite' has written, or enrol by https."
        yield document.fault(("uplink", "secret_file"), message, remedy)
    if not is_plain and read.uplink.secret_file is not None:
        message = f"by {scheme} the centre knows the gateway by its certificate"
        yield document.fault(("uplink", "secret_file"), message, "Remove it; 'edge enroll' makes the certificate.")


def _load_profiles(document: Document, read: _File, profiles: dict[str, Profile], path: Path) -> list[Fault]:
    found: list[Fault] = []
    own = None if read.edge.profiles is None else path.absolute().parent / read.edge.profiles
    own_names = profile_names(own) if own is not None else []
    if own is not None and not own.is_dir():
        message = f"there is no folder '{read.edge.profiles}' beside this file"
        found.append(document.fault(("edge", "profiles"), message, "Make it, or leave 'profiles' out."))
    for index, device in enumerate(read.device):
        if device.profile in profiles:
            continue
        try:
            # A profile of this site's own goes before one of the same name that is shipped.
            profiles[device.profile] = load_profile(device.profile, own if device.profile in own_names else None)
        except SettingsError as error:
            for fault in error.faults:
                # A profile that is not there is this file's fault; one that is wrong is its own.
                is_missing = fault.line == 0
                loc: Loc = ("device", index, "profile")
                found.append(document.fault(loc, fault.message, fault.remedy) if is_missing else fault)
    return found


def _lint_devices(document: Document, read: _File, profiles: dict[str, Profile]) -> Iterator[Fault]:
    buses = {bus.id: bus for bus in read.bus}
    seen: dict[tuple[str, str], str] = {}
    yield from _lint_keys(document, read)
    for index, device in enumerate(read.device):
        loc: Loc = ("device", index)
        bus = buses.get(device.bus)
        if bus is None:
            near = difflib.get_close_matches(device.bus, buses, n=1)
            remedy = f"Did you mean '{near[0]}'?" if near else "Add a [[bus]] with that id."
            yield document.fault((*loc, "bus"), f"there is no bus '{device.bus}'", remedy)
        # '1' and '01' are one Modbus unit; a printed meter number has all its digits in any case.
        place = (device.bus, device.address.lstrip("0").upper())
        if place in seen:
            message = f"device '{seen[place]}' has this address on the same bus"
            yield document.fault((*loc, "address"), message, "Two devices cannot share an address.")
        seen.setdefault(place, device.id)
        profile = profiles.get(device.profile)
        if profile is None:
            continue
        if bus is not None and (wrong := complaint(profile, bus.kind, device.address)) is not None:
            yield document.fault((*loc, "address"), wrong.rstrip("."))
        if device.card_ms is not None and profile.kind != "door":
            yield document.fault((*loc, "card_ms"), f"a device of kind '{profile.kind}' has no reader", "Remove it.")
        yield from _lint_door(document, index, device, profile, read.card_format)
        if found := list(io_faults(document, loc, profile, device.input, device.pulse)):
            yield from found
            continue
        profile, _ = mapped(profile, device.input, device.pulse)
        if device.max_per_hour is not None and not any(point.is_register for point in profile.points):
            message = f"the profile '{profile.name}' has no register that could grow"
            yield document.fault((*loc, "max_per_hour"), message, "Remove it.")
        names = [point.name for point in profile.points]
        for point in sorted({point for point in device.points or () if (device.points or ()).count(point) > 1}):
            yield document.fault((*loc, "points"), f"the point '{point}' stands here twice", "Once is enough.")
        for point in device.points or ():
            if point not in names:
                near = difflib.get_close_matches(point, names, n=1)
                remedy = f"Did you mean '{near[0]}'?" if near else f"It has: {', '.join(names)}."
                yield document.fault((*loc, "points"), f"the profile has no point '{point}'", remedy)


def _lint_keys(document: Document, read: _File) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for index, device in enumerate(read.device):
        if device.key_file is None:
            continue
        if (other := seen.get(device.key_file)) is not None:
            message = f"device '{other}' has this key already"
            yield document.fault(("device", index, "key_file"), message, "Give each device a key of its own.")
        seen.setdefault(device.key_file, device.id)


def _lint_door(
    document: Document, index: int, device: _Device, profile: Profile, formats: Sequence[CardFormatTable]
) -> Iterator[Fault]:
    loc: Loc = ("device", index)
    if device.card_formats is not None and profile.kind != "door":
        message = f"a device of kind '{profile.kind}' has no reader"
        yield document.fault((*loc, "card_formats"), message, "Remove it.")
    yield from lint_choice(document, index, device.card_formats or (), formats)
    if profile.protocol == "ble-lock" and device.key_file is None:
        remedy = "Name a file with the 32 hex digits that its maker has put into it."
        yield document.fault((*loc, "key_file"), "a lock is opened with a key of its own", remedy)
    if profile.protocol == "osdp":
        if device.key_file is None:
            remedy = "Name a file for its key; with install_mode = true a new reader is given one that is made there."
            yield document.fault((*loc, "key_file"), "an OSDP device needs a key of its own", remedy)
    elif device.install_mode:
        yield document.fault((*loc, "install_mode"), f"{profile.protocol} installs no key", "Remove it.")
