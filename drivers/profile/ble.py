"""Profiles of BLE devices that only broadcast: BTHome sensors and beacons.

[bthome]     max_age_s   how old a value may be; listen_s how long a first one is waited for
[beacon]     format, max_age_s, min_rssi, adverts
[[point]]    measurand and number (bthome), fact (beacon)
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from drivers.profile.file import Exact, Head, PointTable, Table
from protocols.ble.bthome_object import OBJECTS, Kind
from protocols.quantity import UNITS, canonical_unit
from protocols.toml import Document, Fault

RSSI, PRESENCE, IBEACON = "rssi", "presence", "ibeacon"
# name -> the canonical units it comes in; a state has none and is None
_UNITS: dict[str, set[str | None]] = {RSSI: {"dBm"}}
for _it in OBJECTS.values():
    if _it.kind in (Kind.UINT, Kind.INT, Kind.STATE):
        _unit = canonical_unit(_it.unit) if _it.unit in UNITS else _it.unit
        _UNITS.setdefault(_it.name, set()).add(None if _it.kind is Kind.STATE else _unit)


class BthomeSource(NamedTuple):
    """Which value of a sensor: BTHome's name of it, or ``rssi``; ``number`` counts equal ones from 1."""

    measurand: str
    number: int


@dataclass(frozen=True, slots=True)
class BthomeLink:
    """Units: seconds; a value older than ``max_age_s`` is none, a first one is waited for ``listen_s``."""

    max_age_s: float
    listen_s: float


class BthomePoint(PointTable):
    measurand: str
    number: Annotated[int, Field(ge=1, le=16)] = 1


class BthomeTable(Table):
    max_age_s: Annotated[Exact, Field(gt=0, le=604_800)] = Decimal(900)
    listen_s: Annotated[Exact, Field(gt=0, le=60)] = Decimal(12)


class BthomeFile(Head):
    protocol: Literal["bthome"]
    bthome: BthomeTable = BthomeTable()
    point: Annotated[list[BthomePoint], Field(min_length=1)]

    @property
    def points(self) -> Sequence[BthomePoint]:
        return self.point


BTHOME_TABLES: Mapping[str, type[Table]] = {"point": BthomePoint, "bthome": BthomeTable}


def bthome_source(file: BthomeFile, point: BthomePoint) -> BthomeSource:
    return BthomeSource(point.measurand, point.number)


def bthome_link(file: BthomeFile) -> BthomeLink:
    return BthomeLink(float(file.bthome.max_age_s), float(file.bthome.listen_s))


def lint_bthome(document: Document, file: BthomeFile) -> Iterator[Fault]:
    """Find points that no sensor can have."""
    seen: dict[tuple[str, int], str] = {}
    for position, point in enumerate(file.point):
        loc = ("point", position, "measurand")
        units = _UNITS.get(point.measurand)
        if units is None:
            near = difflib.get_close_matches(point.measurand, _UNITS, n=1)
            remedy = f"Did you mean '{near[0]}'?" if near else f"There are {', '.join(sorted(_UNITS))}."
            yield document.fault(loc, f"BTHome has no measurand '{point.measurand}'", remedy)
        elif None in units and not point.states:
            message = f"'{point.measurand}' is a state"
            yield document.fault(("point", position, "states"), message, "Give 0 and 1 their words.")
        elif None not in units and (point.states or canonical_unit(point.unit) not in units):
            known = " or ".join(sorted(f"'{unit}'" for unit in units if unit is not None))
            message = f"'{point.measurand}' comes in {known}"
            yield document.fault(("point", position, "unit"), message, f"Write unit = {known}.")
        if (other := seen.get((point.measurand, point.number))) is not None:
            yield document.fault(loc, f"this is '{other}' already", "Number equal measurands: number = 2.")
        seen.setdefault((point.measurand, point.number), point.name)
        yield from never_written(document, position, point)
    yield from of_kind(document, file, "sensor")


Fact = Literal["presence", "rssi", "txPower", "battery", "temperature", "adverts", "uptime"]
_TLM_FACTS = frozenset({"battery", "temperature", "adverts", "uptime"})


class BeaconSource(NamedTuple):
    """What is told of a beacon."""

    fact: str


@dataclass(frozen=True, slots=True)
class BeaconLink:
    """When a beacon is there: heard ``adverts`` times within ``max_age_s``, each at least as strong as ``min_rssi``.

    Units: seconds; dBm.
    """

    format: str
    max_age_s: float
    min_rssi: int
    adverts: int


class BeaconPoint(PointTable):
    fact: Fact


class BeaconTable(Table):
    format: Literal["ibeacon", "eddystone"]
    max_age_s: Annotated[Exact, Field(gt=0, le=3_600)] = Decimal(30)
    min_rssi: Annotated[int, Field(ge=-127, le=0)] = -90
    adverts: Annotated[int, Field(ge=1, le=20)] = 2


class BeaconFile(Head):
    protocol: Literal["beacon"]
    beacon: BeaconTable
    point: Annotated[list[BeaconPoint], Field(min_length=1)]

    @property
    def points(self) -> Sequence[BeaconPoint]:
        return self.point


BEACON_TABLES: Mapping[str, type[Table]] = {"point": BeaconPoint, "beacon": BeaconTable}


def beacon_source(file: BeaconFile, point: BeaconPoint) -> BeaconSource:
    return BeaconSource(point.fact)


def beacon_link(file: BeaconFile) -> BeaconLink:
    it = file.beacon
    return BeaconLink(it.format, float(it.max_age_s), it.min_rssi, it.adverts)


def lint_beacon(document: Document, file: BeaconFile) -> Iterator[Fault]:
    """Find points that a beacon of this format cannot have."""
    seen: dict[str, str] = {}
    for position, point in enumerate(file.point):
        loc = ("point", position, "fact")
        if (other := seen.get(point.fact)) is not None:
            yield document.fault(loc, f"this is '{other}' already", "Name each once.")
        seen.setdefault(point.fact, point.name)
        if point.fact in _TLM_FACTS and file.beacon.format == IBEACON:
            yield document.fault(loc, f"an iBeacon does not tell its {point.fact}", "Only Eddystone does, by TLM.")
        if point.fact == PRESENCE and set(point.states) != {"0", "1"}:
            message = "presence has the states 0 and 1"
            yield document.fault(("point", position, "states"), message, "Give each its word.")
        yield from never_written(document, position, point)
    yield from of_kind(document, file, "beacon")


def never_written(document: Document, position: int, point: PointTable) -> Iterator[Fault]:
    if point.write is not None:
        loc = ("point", position, "write")
        yield document.fault(loc, "a BLE point is not written", "Leave it out; a lock is opened by its [open] table.")


def of_kind(document: Document, file: Head, *kinds: str) -> Iterator[Fault]:
    if file.kind not in kinds:
        message = f"by this protocol there is no device of kind '{file.kind}'"
        yield document.fault(("kind",), message, f'Write kind = "{kinds[0]}".')
