"""Device profiles: what a model's registers mean, as data.

A file ``config/devices/<kind>/<brand>-<model>.toml`` becomes a frozen ``Profile``, or a
``ProfileError`` that names file, line and key of everything wrong in it.
"""

import difflib
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from drivers.errors import ProfileError
from drivers.profile.file import Head, PointTable, lint
from drivers.profile.model import Point, Profile, Writable
from drivers.profile.protocol import PROTOCOLS, ProfileProtocol, known_keys
from protocols.quantity import Quantity, canonical
from protocols.toml import Document, Fault, SettingsError, faults, parse

__all__ = ["Point", "Profile", "Writable", "load_profile", "parse_profile", "profile_directory", "profile_names"]


def profile_directory() -> Path:
    """Find the profiles: inside an installed package, else beside it in a checkout."""
    here = Path(__file__).resolve().parent.parent
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
    protocol = _protocol(document)
    spoken = PROTOCOLS[protocol]
    try:
        table = spoken.file.model_validate(document.data)
    except ValidationError as error:
        raise ProfileError(faults(document, error.errors(), known_keys(protocol))) from None
    if found := [*lint(document, table), *spoken.lint(document, table)]:
        raise ProfileError(found)
    points = tuple(_point(entry, spoken, table) for entry in table.points)
    return Profile(
        name=name,
        title=table.title,
        kind=table.kind,
        protocol=protocol,
        points=points,
        probe=table.probe or next((point.name for point in points if point.is_register), points[0].name),
        link=spoken.link(table),
        sources=tuple(table.sources),
        caveats=tuple(table.caveats),
        file=file,
    )


def _protocol(document: Document) -> str:
    protocol = document.data.get("protocol")
    if isinstance(protocol, str) and protocol in PROTOCOLS:
        return protocol
    near = difflib.get_close_matches(str(protocol), PROTOCOLS, n=1)
    remedy = f"Did you mean '{near[0]}'?" if near else f"There are {', '.join(PROTOCOLS)}."
    raise ProfileError([document.fault(("protocol",), f"the protocol is {protocol!r}", remedy)])


def _point(table: PointTable, spoken: ProfileProtocol, file: Head) -> Point:
    def in_canonical_unit(value: Decimal | None) -> Decimal | None:
        return None if value is None else canonical(Quantity(value, table.unit)).value

    source = spoken.source(file, table)
    end = spoken.modulus(source) if table.register_ and table.rollover is None else table.rollover
    write = table.write
    return Point(
        name=table.name,
        unit=table.unit,
        source=source,
        is_register=table.register_,
        states={int(code): word for code, word in table.states.items()},
        write=None if write is None else Writable(in_canonical_unit(write.min), in_canonical_unit(write.max)),
        max_per_hour=in_canonical_unit(table.max_per_hour),
        modulus=in_canonical_unit(end),
    )
