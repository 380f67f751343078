"""Device profiles: what a model's registers mean, as data.

A file ``config/devices/<kind>/<brand>-<model>.toml`` becomes a frozen ``Profile``, or a
``ProfileError`` that names file, line and key of everything wrong in it.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from drivers.errors import ProfileError
from drivers.profile_table import (
    FILES,
    Cjt188File,
    Cjt188PointTable,
    Dlt645File,
    Dlt645PointTable,
    ModbusFile,
    ModbusPointTable,
    PointTable,
    ProfileFile,
    known_keys,
    lint,
    modbus_count,
    modbus_type,
)
from protocols import dlt645
from protocols.quantity import canonical_unit
from protocols.toml import Document, Fault, SettingsError, faults, parse


@dataclass(frozen=True, slots=True)
class ModbusSource:
    """Where a Modbus point lives.

    Shape: zero-based ``address``; ``count`` registers, or one coil or discrete input where
    ``type`` is ``bit``; value = number * ``scale``; a number equal to ``not_available`` is none.
    """

    function: int
    address: int
    type: str
    order: str
    scale: Decimal
    count: int
    not_available: int | None = None


class Dlt645Source(NamedTuple):
    """The data identifier of a point.

    Shape: ``block`` is the identifier to read it with others by, else ``di`` itself;
    ``is_common`` where the codec's own table knows its length and decimals.
    """

    di: int
    block: int | None
    length: int
    decimals: int
    is_signed: bool
    is_common: bool


class Cjt188Source(NamedTuple):
    """Which number of the current data (901F) a point is."""

    field: str


Source = ModbusSource | Dlt645Source | Cjt188Source


@dataclass(frozen=True, slots=True)
class Point:
    """One measurand.

    Shape: ``unit`` as the device sends it after scaling; ``is_register`` for a cumulative one,
    which is billed; ``states`` gives a code its word.
    """

    name: str
    unit: str
    source: Source
    is_register: bool = False
    states: Mapping[int, str] = field(default_factory=dict)

    @property
    def canonical_unit(self) -> str:
        """The unit that a driver's values have."""
        return canonical_unit(self.unit)


@dataclass(frozen=True, slots=True)
class Link:
    """How a protocol is spoken to this model; each driver reads its own part."""

    max_registers: int = 125
    max_gap: int = 0
    preamble: int = 4
    meter_type: int = 0x10
    di_order: str = "auto"


class Relay(NamedTuple):
    """What opens a door: a coil that the module releases itself after the register's milliseconds."""

    coil: int
    pulse_register: int


class CardMap(NamedTuple):
    """Where a door's reader leaves its last card; zero-based input registers, ``number`` the first of four."""

    counter: int
    bits: int
    number: int


@dataclass(frozen=True, slots=True)
class Profile:
    """A device model.

    Shape: ``name`` is ``<folder>/<file without .toml>``; ``protocol`` modbus, dlt645 or cjt188;
    ``probe`` names the point that is cheapest to read. Only a door has ``relay`` and ``card``.
    """

    name: str
    title: str
    kind: str
    protocol: str
    points: tuple[Point, ...]
    probe: str
    link: Link
    sources: tuple[str, ...]
    caveats: tuple[str, ...]
    file: str
    relay: Relay | None = None
    card: CardMap | None = None

    def point(self, name: str) -> Point:
        """Give a point by its name; KeyError for another."""
        for point in self.points:
            if point.name == name:
                return point
        raise KeyError(name)


def profile_directory() -> Path:
    """Find the profiles: inside an installed package, else beside it in a checkout."""
    here = Path(__file__).resolve().parent
    installed = here / "_config" / "devices"
    return installed if installed.is_dir() else here.parent / "config" / "devices"


def profile_names(directory: Path | None = None) -> list[str]:
    """List the profiles there are."""
    root = directory or profile_directory()
    return sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.toml"))


def load_profile(name: str, directory: Path | None = None) -> Profile:
    """Load a profile by name, as ``electricity/eastron-sdm630``.

    Raises: ProfileError with every fault found in it.
    """
    root = directory or profile_directory()
    names = profile_names(root)
    if name not in names:
        # Only a listed name is opened, so that a name with dots in it cannot leave the folder.
        near = difflib.get_close_matches(name, names, n=1)
        remedy = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(names) or 'none'}."
        raise ProfileError([Fault(str(root), 0, "", f"there is no profile '{name}'", remedy)])
    path = root / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ProfileError([Fault(str(path), 0, "", f"cannot be read: {reason}", "Mend or remove it.")]) from None
    return parse_profile(text, name, str(path))


def parse_profile(text: str, name: str, file: str) -> Profile:
    """Read a profile from a text.

    Raises: ProfileError with every fault found in it.
    """
    try:
        document = parse(text, file)
    except SettingsError as error:
        raise ProfileError(error.faults) from None
    table = _validated(document)
    if found := lint(document, table):
        raise ProfileError(found)
    points = tuple(_point(table, entry) for entry in table.point)
    return Profile(
        name=name,
        title=table.title,
        kind=table.kind,
        protocol=table.protocol,
        points=points,
        probe=table.probe or next((point.name for point in points if point.is_register), points[0].name),
        link=_link(table),
        sources=tuple(table.sources),
        caveats=tuple(table.caveats),
        file=file,
        relay=_relay(table),
        card=_card(table),
    )


def _validated(document: Document) -> ProfileFile:
    protocol = document.data.get("protocol")
    if not isinstance(protocol, str) or protocol not in FILES:
        near = difflib.get_close_matches(str(protocol), FILES, n=1)
        remedy = f"Did you mean '{near[0]}'?" if near else f"There are {', '.join(FILES)}."
        raise ProfileError([document.fault(("protocol",), f"the protocol is {protocol!r}", remedy)])
    try:
        return FILES[protocol].model_validate(document.data)
    except ValidationError as error:
        raise ProfileError(faults(document, error.errors(), known_keys(protocol))) from None


def _relay(file: ProfileFile) -> Relay | None:
    if not isinstance(file, ModbusFile) or file.relay is None:
        return None
    return Relay(file.relay.coil, file.relay.pulse_register)


def _card(file: ProfileFile) -> CardMap | None:
    if not isinstance(file, ModbusFile) or file.card is None:
        return None
    return CardMap(file.card.counter, file.card.bits, file.card.number)


def _point(file: ProfileFile, table: PointTable) -> Point:
    states = {int(code): word for code, word in table.states.items()}
    return Point(table.name, table.unit, _source(file, table), table.register_, states)


def _source(file: ProfileFile, table: PointTable) -> Source:
    if isinstance(file, ModbusFile) and isinstance(table, ModbusPointTable):
        type_ = modbus_type(file, table)
        return ModbusSource(
            function=table.function or file.modbus.function,
            address=table.address,
            type=type_,
            order=table.order or file.modbus.order,
            scale=table.scale,
            count=modbus_count(type_),
            not_available=table.not_available,
        )
    if isinstance(table, Dlt645PointTable):
        common = dlt645.ITEMS[table.di][0] if table.di in dlt645.ITEMS else None
        is_own = (table.length, table.decimals, table.signed) != (None, None, None)
        return Dlt645Source(
            di=table.di,
            block=table.block,
            length=table.length or (common.length if common else 0),
            decimals=table.decimals if table.decimals is not None else (common.decimals if common else 0),
            is_signed=table.signed if table.signed is not None else bool(common and common.is_signed),
            is_common=common is not None and not is_own,
        )
    return Cjt188Source((table.field if isinstance(table, Cjt188PointTable) else None) or table.name)


def _link(file: ProfileFile) -> Link:
    if isinstance(file, ModbusFile):
        return Link(max_registers=file.modbus.max_registers, max_gap=file.modbus.max_gap)
    if isinstance(file, Dlt645File):
        return Link(preamble=file.dlt645.preamble)
    assert isinstance(file, Cjt188File)
    link = file.cjt188
    return Link(preamble=link.preamble, meter_type=int(link.meter_type, 16), di_order=link.di_order)
