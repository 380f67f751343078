"""The description of a simulated site: which lines, which devices on them, what goes wrong.

[site]    seed, speed, the journal and the state file
[[line]]  one TCP port or one pty, with its faults
[[device]] one meter, lift gateway or door module on a line, or a dead address
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from drivers.profile import load_profile
from drivers.sim.fault import NO_FAULTS, Faults
from drivers.sim.load import STEP
from protocols.toml import Document, Fault, SettingsError, faults, parse

# Through a float32 a register keeps its two decimals up to 131072; five digits before the point stay below.
INITIAL_LIMIT = Decimal(100_000)
# Seven times this, the highest peak of a load, still fits the 79.9999 kW of the protocol's power field.
DLT645_MEAN_LIMIT = 10_000
KINDS = ("electricity", "water", "heat", "gas", "lift", "door", "io", "valve", "relay")
# protocol -> what an address looks like, and how to say so
_ADDRESSES = {
    "modbus": (r"[1-9]|[1-9]\d|1\d\d|2[0-3]\d|24[0-7]", "Use a unit id from 1 to 247."),
    "dlt645": (r"\d{12}", "Use the twelve digits printed on the meter."),
    "mbus": (r"\d|[1-9]\d|1\d\d|2[0-4]\d|250|\d{8}([0-9A-F]{8})?", "Use 0 to 250, or the eight digits of the meter."),
    "cjt188": (r"\d{14}", "Use the fourteen digits printed on the meter."),
    "iec62056": (r"\d{8}", "Use the eight digits printed on the meter."),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One physical line; ``path`` for a serial line, ``host`` and ``port`` (0 = any free) for TCP."""

    id: str
    kind: str
    host: str = "127.0.0.1"
    port: int = 0
    path: Path | None = None
    baudrate: int = 2400
    paced: bool = False
    reply_ms: int = 0
    timeout_ms: int = 1000
    faults: Faults = NO_FAULTS


@dataclass(frozen=True, slots=True)
class Device:
    """One address on a line.

    Shape: ``mean`` is the mean draw in W or L/h, ``initial`` what the register shows at the
    site's beginning; both None for a value drawn from the seed. A dead device never answers.
    ``visits`` lets somebody leave through a door now and then.
    """

    id: str
    name: str
    line: str
    profile: str
    address: str
    dead: bool = False
    initial: Decimal | None = None
    mean: int | None = None
    shape: str = "home"
    floors: int = 6
    period_s: int | None = None
    visits: bool = True


@dataclass(frozen=True, slots=True)
class Site:
    """A whole simulated site; ``dataclasses.replace`` gives it another seed or speed."""

    lines: tuple[Line, ...]
    devices: tuple[Device, ...]
    seed: int = 1
    speed: int = 1
    starts_at_hour: int = 18
    journal: Path | None = None
    state: Path | None = None


_Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
_Chance = Annotated[float, Field(ge=0, le=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _FaultsTable(_Table):
    drop: _Chance = 0.0
    late: _Chance = 0.0
    late_s: Annotated[float, Field(ge=0, le=60)] = 0.5
    noise: _Chance = 0.0
    corrupt: _Chance = 0.0
    echo: bool = False
    preamble: Annotated[int, Field(ge=0, le=20)] | None = None


class _LineTable(_Table):
    id: _Name
    kind: Literal["modbus-tcp", "serial"]
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    path: str | None = None
    baudrate: Literal[300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 2400
    paced: bool = False
    reply_ms: Annotated[int, Field(ge=0, le=10_000)] = 0
    timeout_ms: Annotated[int, Field(ge=10, le=60_000)] = 1000
    faults: _FaultsTable = _FaultsTable()

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.kind == "serial":
            if self.path is None or self.port is not None:
                raise ValueError("a serial line has a 'path' and no 'port'")
        elif self.port is None or self.path is not None:
            raise ValueError("a modbus-tcp line has a 'port' (0 for any free one) and no 'path'")
        elif self.paced or self.faults.model_dump(exclude={"drop", "late", "late_s"}, exclude_defaults=True):
            raise ValueError("pacing, echo, noise, corruption and wake-up bytes are faults of serial lines only")
        return self


class _DeviceTable(_Table):
    id: _Name
    name: str = ""
    line: str
    profile: str
    address: str
    dead: bool = False
    initial: Annotated[Decimal, Field(ge=0, lt=INITIAL_LIMIT, multiple_of=STEP)] | None = None
    mean: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    shape: Literal["home", "building", "flat"] = "home"
    floors: Annotated[int, Field(ge=2, le=60)] = 6
    period_s: Annotated[int, Field(ge=1, le=86_400)] | None = None
    visits: bool = True


class _SiteTable(_Table):
    seed: int = 1
    speed: Annotated[int, Field(ge=1, le=100_000)] = 1
    starts_at_hour: Annotated[int, Field(ge=0, le=23)] = 18
    journal: str | None = None
    state: str | None = None


class _File(_Table):
    site: _SiteTable = _SiteTable()
    line: Annotated[list[_LineTable], Field(min_length=1)]
    device: Annotated[list[_DeviceTable], Field(min_length=1)]


_KNOWN: Mapping[str, list[str]] = {
    "": list(_File.model_fields),
    "site": list(_SiteTable.model_fields),
    "line": list(_LineTable.model_fields),
    "line.faults": list(_FaultsTable.model_fields),
    "device": list(_DeviceTable.model_fields),
}


def load_site(path: Path) -> Site:
    """Read a site file; paths in it are relative to its folder.

    Raises: SettingsError with every fault found in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError([Fault(str(path), 0, "", f"cannot be read: {reason}", "Name a site file.")]) from None
    return parse_site(text, str(path), path.parent)


def parse_site(text: str, file: str, folder: Path) -> Site:
    """Read a site from a text.

    Raises: SettingsError with every fault found in it.
    """
    document = parse(text, file)
    try:
        tables = _File.model_validate(document.data)
    except ValidationError as error:
        raise SettingsError(faults(document, error.errors(), _KNOWN)) from None
    if found := list(_check(document, tables)):
        raise SettingsError(found)
    return Site(
        lines=tuple(_line(table, folder) for table in tables.line),
        devices=tuple(Device(**(table.model_dump() | {"name": table.name or table.id})) for table in tables.device),
        seed=tables.site.seed,
        speed=tables.site.speed,
        starts_at_hour=tables.site.starts_at_hour,
        journal=folder / tables.site.journal if tables.site.journal else None,
        state=folder / tables.site.state if tables.site.state else None,
    )


def _check(document: Document, tables: _File) -> Iterator[Fault]:
    """Find what no single table shows: names used twice, lines and profiles that are not there."""
    ids = [table.id for table in tables.line]
    yield from _twice(document, "line", "id", ids)
    yield from _twice(document, "line", "port", [f"{it.host}:{it.port}" if it.port else None for it in tables.line])
    yield from _twice(document, "line", "path", [it.path for it in tables.line])
    yield from _twice(document, "device", "id", [it.id for it in tables.device])
    yield from _twice(document, "device", "address", [f"{it.address} on {it.line}" for it in tables.device])
    protocols: dict[str, str] = {}
    for index, table in enumerate(tables.device):
        if table.line not in ids:
            near = difflib.get_close_matches(table.line, ids, n=1) or ids
            yield document.fault(
                ("device", index, "line"), f"there is no line '{table.line}'", f"Did you mean '{near[0]}'?"
            )
            continue
        try:
            profile = load_profile(table.profile)
        except SettingsError as error:
            yield from (document.fault(("device", index, "profile"), it.message, it.remedy) for it in error.faults)
            continue
        kind = tables.line[ids.index(table.line)].kind
        protocol = protocols.setdefault(table.line, profile.protocol)
        if (kind == "modbus-tcp" and profile.protocol != "modbus") or profile.protocol != protocol:
            message = f"the profile speaks {profile.protocol}, and line '{table.line}' is {kind} and speaks {protocol}"
            yield document.fault(("device", index, "profile"), message, "Put the device on a line of its own protocol.")
        elif profile.protocol not in _ADDRESSES:
            message = f"the simulator does not speak {profile.protocol}"
            yield document.fault(("device", index, "profile"), message, f"It speaks {', '.join(_ADDRESSES)}.")
        elif profile.kind not in KINDS:
            message = f"the simulator has no model of a '{profile.kind}'"
            yield document.fault(("device", index, "profile"), message, f"It knows {', '.join(KINDS)}.")
        elif not re.fullmatch(_ADDRESSES[profile.protocol][0], table.address):
            message = f"'{table.address}' is not an address of {profile.protocol}"
            yield document.fault(("device", index, "address"), message, _ADDRESSES[profile.protocol][1])
        elif profile.protocol == "dlt645" and (table.mean or 0) > DLT645_MEAN_LIMIT:
            message = f"a mean of {table.mean} W does not fit the meter's power field"
            yield document.fault(("device", index, "mean"), message, f"Stay at or below {DLT645_MEAN_LIMIT} W.")


def _twice(document: Document, table: str, key: str, values: Sequence[str | None]) -> Iterator[Fault]:
    for index, value in enumerate(values):
        if value is not None and value in values[:index]:
            yield document.fault((table, index, key), f"{value} is taken already", "Give each its own.")


def _line(table: _LineTable, folder: Path) -> Line:
    values = table.model_dump(exclude={"faults"}) | {"faults": Faults(**table.faults.model_dump())}
    values |= {"port": table.port or 0, "path": folder / table.path if table.path else None}
    return Line(**values)
