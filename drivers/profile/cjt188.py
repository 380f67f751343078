"""Profiles of CJ/T 188 meters: numbers of the current data, and what the maker does in its own way."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from drivers.profile.file import Head, PointTable, Table
from protocols.cjt188_data import VALVE_CLOSE, VALVE_OPEN, FirstEnergy, Layout
from protocols.quantity import canonical_unit
from protocols.toml import Document, Fault

VALVE = "valveState"
_STATES = {VALVE: (), "batteryLow": ()}
# Which canonical units a number may be in.
_WATER: Mapping[str, tuple[str, ...]] = {"volumeTotal": ("m3",), "settlementVolume": ("m3",), **_STATES}
_HEAT: Mapping[str, tuple[str, ...]] = {
    "energyTotal": ("kWh", "GJ"),
    "settlementEnergy": ("kWh", "GJ"),
    "energyCooling": ("kWh", "GJ"),
    "powerTotal": ("W",),
    "flowRate": ("m3/h",),
    "volumeTotal": ("m3",),
    "supplyTemperature": ("degC",),
    "returnTemperature": ("degC",),
    "operatingTime": ("s",),
    **_STATES,
}

History = Literal["none", "freeze", "month", "auto"]


class Source(NamedTuple):
    """Which number of the current data (901F) a point is."""

    field: str


class Link(NamedTuple):
    """How the meter is spoken to, and what its maker does in its own way.

    Shape: ``history`` names what is read back after an outage: timed freezes of 2018, the registers
    of settlement days, or freezes and where the meter refuses those, months; ``month_di`` is the
    identifier of the last month. The valve's codes are what is written, one byte each.
    """

    preamble: int
    meter_type: int
    di_order: str
    layout: Layout = Layout()
    history: History = "none"
    month_di: int = 0xD120
    open_code: int = VALVE_OPEN
    close_code: int = VALVE_CLOSE


class Cjt188Point(PointTable):
    field: str | None = None


_Byte = Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{2}$")]


class Settings(Table):
    meter_type: Literal["10", "11", "12", "13", "19", "20", "21", "22", "25", "30", "40", "AA"] = "10"
    di_order: Literal["1F90", "901F", "auto"] = "auto"
    preamble: Annotated[int, Field(ge=0, le=40)] = 3
    unit_first: bool = False
    first_energy: FirstEnergy = "settlement"
    flow_decimals: Annotated[int, Field(ge=0, le=8)] = 4
    history: History = "none"
    month_di: Literal["D120", "9020"] = "D120"
    open_code: _Byte = f"{VALVE_OPEN:02X}"
    close_code: _Byte = f"{VALVE_CLOSE:02X}"


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
    return Link(
        preamble=settings.preamble,
        meter_type=int(settings.meter_type, 16),
        di_order=settings.di_order,
        layout=Layout(settings.unit_first, settings.first_energy, settings.flow_decimals),
        history=settings.history,
        month_di=int(settings.month_di, 16),
        open_code=int(settings.open_code, 16),
        close_code=int(settings.close_code, 16),
    )


def lint(document: Document, file: Cjt188File) -> Iterator[Fault]:
    """Find what is wrong between the points of a file that is right key by key."""
    known = _HEAT if file.kind == "heat" else _WATER
    for position, point in enumerate(file.point):
        field = point.field or point.name
        if field not in known:
            near = difflib.get_close_matches(field, known, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"There are {', '.join(known)}."
            yield document.fault(("point", position, "name"), f"the current data hold no '{field}'", hint)
            continue
        units = known[field] or ("",)
        if canonical_unit(point.unit) not in units:
            told = " or ".join(unit or "no unit" for unit in units)
            yield document.fault(("point", position, "unit"), f"'{field}' is in {told}", f"Write '{units[0]}'.")
        if point.write is not None and field != VALVE:
            yield document.fault(
                ("point", position, "write"), f"'{field}' cannot be written", "Only a valve can; leave it out."
            )
    if file.cjt188.open_code.upper() == file.cjt188.close_code.upper():
        yield document.fault(
            ("cjt188", "close_code"), "opening and closing the valve are the same code", "Give each its own."
        )
