"""Profiles of CJ/T 188 meters: numbers of the current data."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from drivers.profile.file import Head, PointTable, Table
from protocols.toml import Document, Fault

FIELDS = ("volumeTotal", "settlementVolume", "valveState", "batteryLow")


class Source(NamedTuple):
    """Which number of the current data (901F) a point is."""

    field: str


class Link(NamedTuple):
    """How the meter is spoken to."""

    preamble: int
    meter_type: int
    di_order: str


class Cjt188Point(PointTable):
    field: Literal["volumeTotal", "settlementVolume", "valveState", "batteryLow"] | None = None


class Settings(Table):
    meter_type: Literal["10", "11", "12", "13", "AA"] = "10"
    di_order: Literal["1F90", "901F", "auto"] = "auto"
    preamble: Annotated[int, Field(ge=0, le=40)] = 3


class Cjt188File(Head):
    protocol: Literal["cjt188"]
    cjt188: Settings = Settings()
    point: Annotated[list[Cjt188Point], Field(min_length=1)]

    @property
    def points(self) -> Sequence[Cjt188Point]:
        return self.point


TABLES: Mapping[str, type[Table]] = {"point": Cjt188Point, "cjt188": Settings}


def source(file: Cjt188File, point: Cjt188Point) -> Source:
    """Say which number a point is; its name says it where no field does."""
    return Source(point.field or point.name)


def modulus(_: Source) -> Decimal:
    """Say where a counter begins anew: eight BCD digits, two of them decimals."""
    return Decimal(10) ** 6


def link(file: Cjt188File) -> Link:
    """Say how the meter is spoken to."""
    settings = file.cjt188
    return Link(settings.preamble, int(settings.meter_type, 16), settings.di_order)


def lint(document: Document, file: Cjt188File) -> Iterator[Fault]:
    """Find what is wrong between the points of a file that is right key by key."""
    for position, point in enumerate(file.point):
        field = point.field or point.name
        if field not in FIELDS:
            near = difflib.get_close_matches(field, FIELDS, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"There are {', '.join(FIELDS)}."
            yield document.fault(("point", position, "name"), f"the current data hold no '{field}'", hint)
        elif (unit := "m3" if field.endswith(("Total", "Volume")) else "") != point.unit:
            yield document.fault(
                ("point", position, "unit"), f"'{field}' is in {unit or 'no unit'}", f"Write '{unit}'."
            )
