"""Write the tables of docs/devices.md from the profiles, so that no one has to keep them by hand.

Only what stands between the two marks is written; the words around it are a person's.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from drivers.errors import ProfileError
from drivers.profile import Point, Profile, load_profile, profile_names
from drivers.profile.file import untraceable
from protocols.toml import parse

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "devices.md"
BEGIN = "<!-- Written by scripts/devices from config/devices; do not edit below. -->\n"
END = "<!-- End of what scripts/devices writes. -->\n"
HEADINGS = {
    "electricity": "Electricity meters",
    "water": "Water meters",
    "heat": "Heat meters",
    "gas": "Gas meters",
    "valve": "Valves",
    "relay": "Relays",
    "io": "Modules of contacts",
    "lift": "Lifts",
    "door": "Doors",
    "lock": "Locks",
    "sensor": "Sensors",
    "beacon": "Beacons",
}
COLUMNS = ("Profile", "Model", "Protocol", "Points", "Can be written", "Source", "Mind")
# As voltageL1 and energyImportTariff4.
_COUNTED = re.compile(r"^(.*[A-Za-z])(\d+)$")


def tables(profiles: Iterable[Profile]) -> str:
    """Give a table for each kind of device, in the order of ``HEADINGS``."""
    order = list(HEADINGS)
    known = sorted(profiles, key=lambda it: (order.index(it.kind), it.name))
    parts = [f"{len(known)} profiles; **bold** points are registers: counters that only grow.\n"]
    for kind, group in groupby(known, key=lambda it: it.kind):
        parts += [f"\n### {HEADINGS[kind]}\n\n", _row(COLUMNS), _row(["---"] * len(COLUMNS))]
        parts += [_row(_cells(profile)) for profile in group]
    return "".join(parts)


def document(text: str, profiles: Iterable[Profile]) -> str:
    """Put the tables between the marks of a document.

    Raises: ValueError where a mark is missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"a mark is missing; the document needs the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{tables(profiles)}\n{END}{after}"


def lost_sources(profiles: Iterable[Profile]) -> Iterator[str]:
    """Name the sources that nobody could look up."""
    for profile in profiles:
        path = Path(profile.file)
        yield from map(str, untraceable(parse(path.read_text(encoding="utf-8"), str(path)), profile.sources))


def _cells(profile: Profile) -> list[str]:
    return [
        f"`{profile.name}`",
        profile.title,
        profile.protocol,
        ", ".join(_names(profile.points)),
        ", ".join(_names([point for point in profile.points if point.write is not None])) or "-",
        "<br>".join(profile.sources),
        "<br>".join(profile.caveats) or "-",
    ]


def _names(points: Sequence[Point]) -> list[str]:
    """Name points, those that differ in their last number by the first and the last of them."""
    found: dict[tuple[str, bool], list[str]] = {}
    for point in points:
        stem = _COUNTED.match(point.name)
        found.setdefault((stem[1] if stem else point.name, point.is_register), []).append(point.name)
    return [
        f"**{text}**" if is_register else text
        for (_, is_register), names in found.items()
        for text in [names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"]
    ]


def _row(cells: Sequence[str]) -> str:
    text = " | ".join(cell.replace("|", r"\|") for cell in cells)
    return f"| {text} |\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if the document is not up to date")
    options = parser.parse_args()
    try:
        profiles = [load_profile(name) for name in profile_names()]
    except ProfileError as error:
        sys.exit(str(error))
    if lost := list(lost_sources(profiles)):
        sys.exit("\n".join(lost))
    was = DOCUMENT.read_text(encoding="utf-8")
    now = document(was, profiles)
    if options.check and now != was:
        sys.exit("docs/devices.md is not up to date. Run scripts/devices.")
    if not options.check:
        DOCUMENT.write_text(now, encoding="utf-8")


if __name__ == "__main__":
    main()
