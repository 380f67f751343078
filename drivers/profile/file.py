"""The tables that a profile file of every protocol has, and what a linter says about them.

title, kind, protocol, probe, sources, caveats
[<protocol>]   what holds for every point; the protocol's own module reads it
[[point]]      one measurand each
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from protocols.quantity import UNITS, canonical_unit
from protocols.toml import Document, Fault

# What is billed; a module of contacts counts pulses, which have no unit yet.
_BILLED = frozenset(("kWh", "kvarh", "kVAh", "GJ", "m3"))
_COUNTING_KINDS = ("io",)
# An address, owner/repository of public code, a document with its number, a file of the public code index, our own work.
_TRACEABLE = re.compile(
    r"https?://\S+\.\S+|\b[\w.-]+/[\w.-]{2,}|\b(?:[A-Z]|manual\b)[\w./-]*\W+[\w./-]*\d|\bindex \d{8,}|^Our own\b"
)


def _exact(value: object) -> object:
    """Let 0.1 in a file mean one tenth and not the float beside it."""
    return str(value) if isinstance(value, float) else value


def _known_unit(unit: str) -> str:
    if unit in UNITS:
        return unit
    by_lower = {known.lower(): known for known in UNITS if known}
    near = difflib.get_close_matches(unit.lower(), by_lower, n=1)
    hint = f"; did you mean '{by_lower[near[0]]}'?" if near else f"; known are {', '.join(sorted(UNITS - {''}))}"
    raise ValueError(f"unknown unit '{unit}'{hint}")


Exact = Annotated[Decimal, BeforeValidator(_exact), Field(allow_inf_nan=False)]


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WriteTable(Table):
    """Between which values a point may be written, in the point's own unit; both for a number, none for states."""

    min: Exact | None = None
    max: Exact | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if (self.min is None) != (self.max is None):
            raise ValueError("write has one end only: give both 'min' and 'max'")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"write allows nothing: {self.min} is more than {self.max}")
        return self


class PointTable(Table):
    """What every point has, whatever the protocol."""

    name: Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9]{0,39}$")]
    unit: str = ""
    register_: Annotated[bool, Field(alias="register")] = False
    states: dict[str, str] = {}
    write: WriteTable | None = None
    max_per_hour: Annotated[Exact, Field(gt=0)] | None = None
    rollover: Annotated[Exact, Field(gt=0)] | None = None

    @field_validator("unit")
    @classmethod
    def _unit_is_known(cls, unit: str) -> str:
        return _known_unit(unit)

    @field_validator("states")
    @classmethod
    def _states_are_codes(cls, states: dict[str, str]) -> dict[str, str]:
        if wrong := [code for code in states if not code.isdecimal()]:
            raise ValueError(f"the state '{wrong[0]}' is not a code: write the number the device sends")
        return states

    @model_validator(mode="after")
    def _state_has_no_unit(self) -> Self:
        if self.states and (self.unit or self.register_):
            raise ValueError("a point with states has neither a unit nor 'register'")
        return self

    @model_validator(mode="after")
    def _only_a_register_is_guarded(self) -> Self:
        if not self.register_ and (self.max_per_hour or self.rollover):
            raise ValueError("only a register has 'max_per_hour' and 'rollover'; add register = true or leave them out")
        return self

    @model_validator(mode="after")
    def _write_has_bounds(self) -> Self:
        if self.write is not None and self.register_:
            raise ValueError("a register is never written: what is billed is the meter's own")
        if self.write is not None and not self.states and self.write.min is None:
            raise ValueError("write needs 'min' and 'max' where the point has no states")
        return self


class Head(Table):
    title: str
    kind: Literal[
        "electricity", "water", "heat", "gas", "valve", "relay", "io", "sensor", "lift", "door", "lock", "beacon"
    ]
    sources: Annotated[list[str], Field(min_length=1)]
    caveats: list[str] = []
    probe: str | None = None

    @property
    def points(self) -> Sequence[PointTable]:
        """The [[point]] tables, of whichever protocol; they stand in the order of the file."""
        raise NotImplementedError


def lint(document: Document, file: Head) -> Iterator[Fault]:
    """Find what is wrong between the points of any file that is right key by key."""
    seen: dict[str, int] = {}
    for position, point in enumerate(file.points):
        if point.name in seen:
            yield document.fault(
                ("point", position, "name"),
                f"the point '{point.name}' is already point {seen[point.name] + 1}",
                "Give each point a name of its own.",
            )
        seen.setdefault(point.name, position)
    if file.probe is not None and file.probe not in seen:
        near = difflib.get_close_matches(file.probe, seen, n=1)
        yield document.fault(
            ("probe",),
            f"there is no point '{file.probe}'",
            f"Did you mean '{near[0]}'?" if near else "Name a point of this file.",
        )
    for position, point in enumerate(file.points):
        counts = not point.unit and file.kind in _COUNTING_KINDS
        if point.register_ and not counts and canonical_unit(point.unit) not in _BILLED:
            message = f"a register counts energy or volume, and '{point.unit}' is neither"
            yield document.fault(("point", position, "unit"), message, "Correct the unit, or leave 'register' out.")
    for position, point in enumerate(file.points if file.kind == "lift" else ()):
        if point.write is not None:
            yield document.fault(
                ("point", position, "write"), "a lift is never written", "Leave it out; the house only reads lifts."
            )


def untraceable(document: Document, sources: Sequence[str]) -> Iterator[Fault]:
    """Find the sources that nobody could look up; those we ship must all be found again."""
    for position, source in enumerate(sources):
        if not _TRACEABLE.search(source):
            message = f"nobody can find '{source}'"
            remedy = "Name the document with its number, the public code as owner/repository, or an address."
            yield document.fault(("sources", position), message, remedy)
