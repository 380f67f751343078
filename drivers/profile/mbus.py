"""Profiles of M-Bus meters: a point is a record, found by what it says of itself."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from drivers.profile.file import Head, PointTable, Table
from protocols.mbus.vif import FB, FD, PRIMARY
from protocols.quantity import UNITS, canonical_unit
from protocols.toml import Document, Fault

# What the header of an answer says, one bit each.
STATUS = ("power-low", "permanent-error", "temporary-error")
_NUMBERS = {
    vif.quantity: set[str]() for table in (PRIMARY, FB, FD) for vif in table.values() if vif.form in ("number", "flags")
}
for _table in (PRIMARY, FB, FD):
    for _vif in _table.values():
        if _vif.quantity in _NUMBERS and _vif.unit in UNITS:
            _NUMBERS[_vif.quantity].add(_vif.unit)
QUANTITIES = (*sorted(_NUMBERS), "plain-text", *STATUS)


class Source(NamedTuple):
    """Which record a point is.

    Shape: every field must fit; ``vib`` (hex of VIF and VIFEs) and ``text`` (a unit that the meter
    writes out) only where they are not empty; ``nth`` counts among the records that fit, from 0.
    """

    quantity: str
    function: str = "instantaneous"
    storage: int = 0
    tariff: int = 0
    subunit: int = 0
    qualifiers: tuple[str, ...] = ()
    vib: str = ""
    text: str = ""
    nth: int = 0


class Link(NamedTuple):
    """How the meter is spoken to."""

    has_reset: bool
    telegrams: int


class MbusPoint(PointTable):
    quantity: str
    function: Literal["instantaneous", "maximum", "minimum", "error"] = "instantaneous"
    storage: Annotated[int, Field(ge=0, lt=2**41)] = 0
    tariff: Annotated[int, Field(ge=0, lt=2**20)] = 0
    subunit: Annotated[int, Field(ge=0, lt=2**10)] = 0
    qualifiers: tuple[str, ...] = ()
    vib: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}( ?))*$")] = ""
    text: str = ""
    index: Annotated[int, Field(ge=0, le=250)] = 0


class Settings(Table):
    reset: bool = True
    telegrams: Annotated[int, Field(ge=1, le=32)] = 8


class MbusFile(Head):
    protocol: Literal["mbus"]
    mbus: Settings = Settings()
    point: Annotated[list[MbusPoint], Field(min_length=1)]

    @property
    def points(self) -> Sequence[MbusPoint]:
        return self.point


TABLES: Mapping[str, type[Table]] = {"point": MbusPoint, "mbus": Settings}


def source(file: MbusFile, point: MbusPoint) -> Source:
    """Say which record a point is."""
    return Source(
        point.quantity,
        point.function,
        point.storage,
        point.tariff,
        point.subunit,
        point.qualifiers,
        point.vib.replace(" ", "").upper(),
        point.text,
        point.index,
    )


def link(file: MbusFile) -> Link:
    """Say how the meter is spoken to."""
    return Link(file.mbus.reset, file.mbus.telegrams)


def lint(document: Document, file: MbusFile) -> Iterator[Fault]:
    """Find what is wrong between the points of a file that is right key by key."""
    taken: dict[Source, str] = {}
    for position, point in enumerate(file.point):
        if point.quantity not in QUANTITIES:
            near = difflib.get_close_matches(point.quantity, QUANTITIES, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"There are {', '.join(QUANTITIES)}."
            yield document.fault(("point", position, "quantity"), f"there is no '{point.quantity}' in M-Bus", hint)
            continue
        units = sorted(_NUMBERS.get(point.quantity, ()))
        if units and canonical_unit(point.unit) not in map(canonical_unit, units):
            told = " or ".join(unit or "no unit" for unit in units)
            yield document.fault(
                ("point", position, "unit"),
                f"'{point.quantity}' is in {told}, not in {point.unit or 'no unit'}",
                f"Write '{units[0]}'.",
            )
        if (point.text != "") != (point.quantity == "plain-text"):
            yield document.fault(
                ("point", position, "text"),
                "'text' and the quantity 'plain-text' belong together",
                "Give the unit as the meter writes it, or leave 'text' out.",
            )
        where = source(file, point)
        # The same energy in kWh and in GJ is two points of one file: a meter counts in one of them.
        where = where._replace(text=f"{where.text} {canonical_unit(point.unit)}")
        if where in taken:
            yield document.fault(
                ("point", position, "quantity"),
                f"'{taken[where]}' is this record already",
                "Tell them apart by storage, tariff, subunit, function, qualifiers, vib or index.",
            )
        taken.setdefault(where, point.name)
