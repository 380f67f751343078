"""Profiles of DL/T 645 meters: data identifiers."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from drivers.profile.file import Head, PointTable, Table
from protocols import dlt645
from protocols.toml import Document, Fault


def _identifier(value: object) -> object:
    """Read a DL/T 645 data identifier as it is printed: eight hex digits."""
    if isinstance(value, str) and len(value) == 8:
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise ValueError(f"'{value}' is not a data identifier: eight hex digits in quotes, as \"00010000\"")


Identifier = Annotated[int, BeforeValidator(_identifier)]


class Source(NamedTuple):
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


class Link(NamedTuple):
    """How the meter is spoken to."""

    preamble: int


class Dlt645Point(PointTable):
    di: Identifier
    block: Identifier | None = None
    length: Annotated[int, Field(ge=1, le=8)] | None = None
    decimals: Annotated[int, Field(ge=0, le=8)] | None = None
    signed: bool | None = None


class Settings(Table):
    preamble: Annotated[int, Field(ge=0, le=20)] = 4


class Dlt645File(Head):
    protocol: Literal["dlt645"]
    dlt645: Settings = Settings()
    point: Annotated[list[Dlt645Point], Field(min_length=1)]

    @property
    def points(self) -> Sequence[Dlt645Point]:
        return self.point


TABLES: Mapping[str, type[Table]] = {"point": Dlt645Point, "dlt645": Settings}


def source(file: Dlt645File, point: Dlt645Point) -> Source:
    """Say what a point is read by, with what the codec's own table knows of it."""
    common = dlt645.ITEMS[point.di][0] if point.di in dlt645.ITEMS else None
    is_own = (point.length, point.decimals, point.signed) != (None, None, None)
    return Source(
        di=point.di,
        block=point.block,
        length=point.length or (common.length if common else 0),
        decimals=point.decimals if point.decimals is not None else (common.decimals if common else 0),
        is_signed=point.signed if point.signed is not None else bool(common and common.is_signed),
        is_common=common is not None and not is_own,
    )


def modulus(source: Source) -> Decimal:
    """Say where a counter begins anew: all its digits are BCD."""
    return Decimal(10) ** (2 * source.length - source.decimals)


def link(file: Dlt645File) -> Link:
    """Say how the meter is spoken to."""
    return Link(file.dlt645.preamble)


def lint(document: Document, file: Dlt645File) -> Iterator[Fault]:
    """Find what is wrong between the points of a file that is right key by key."""
    seen: dict[int, str] = {}
    for position, point in enumerate(file.point):
        if (other := seen.get(point.di)) is not None:
            yield document.fault(
                ("point", position, "di"), f"{point.di:08X} is already point '{other}'", "Name each number once."
            )
        seen.setdefault(point.di, point.name)
        items = dlt645.ITEMS.get(point.di, ())
        own = (point.length, point.decimals, point.signed)
        if len(items) > 1:
            yield document.fault(
                ("point", position, "di"),
                f"{point.di:08X} is a block of {len(items)} numbers",
                "Name the number's own identifier in 'di' and this one in 'block'.",
            )
        elif not items and (point.length is None or point.decimals is None):
            yield document.fault(
                ("point", position, "di"),
                f"{point.di:08X} is not a common identifier",
                "Say its 'length' in bytes and its 'decimals', as the meter's manual does.",
            )
        elif items and own == (None, None, None) and point.unit != items[0].unit:
            yield document.fault(
                ("point", position, "unit"),
                f"{point.di:08X} is in {items[0].unit or 'no unit'}, not in {point.unit or 'no unit'}",
                f"Write '{items[0].unit}'; the driver converts it.",
            )
        if point.block is None:
            continue
        if point.di not in {item.di for item in dlt645.ITEMS.get(point.block, ())}:
            yield document.fault(
                ("point", position, "block"),
                f"{point.di:08X} is not in the block {point.block:08X}",
                "Leave the block out or name the one that holds it.",
            )
        elif own != (None, None, None):
            yield document.fault(
                ("point", position, "block"), "a number of an odd length cannot be cut from a block", "Leave it out."
            )
