"""Profiles of OSDP readers and door controllers: which of their contacts and outputs is what.

[osdp]       the reader, its lamp and its buzzer
[relay]      the output that opens, in profiles of doors only
[[point]]    a state that the device reports
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from drivers.profile.file import Head, PointTable, Table
from protocols.toml import Document, Fault

Place = Annotated[int, Field(ge=0, le=63)]
NUMBERED = ("input", "output")


class Source(NamedTuple):
    """Which report a point is read from.

    Shape: ``report`` is tamper, power, key (1 while the default key is in use), input or output;
    ``number`` which of the inputs or outputs, from 0; ``is_inverted`` where an open contact is active.
    """

    report: str
    number: int = 0
    is_inverted: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """What a device is told.

    Shape: ``relay`` is the output that opens, None where there is none; so are ``led`` and ``buzzer``.
    """

    relay: int | None = None
    led: int | None = 0
    buzzer: int | None = 0
    reader: int = 0


class OsdpPoint(PointTable):
    report: Literal["tamper", "power", "key", "input", "output"]
    number: Place | None = None
    inverted: bool = False


class Settings(Table):
    reader: Place = 0
    led: Place = 0
    has_led: bool = True
    has_buzzer: bool = True


class RelayTable(Table):
    """The only output of a device that is ever switched."""

    output: Place


class OsdpFile(Head):
    protocol: Literal["osdp"]
    osdp: Settings = Settings()
    relay: RelayTable | None = None
    point: Annotated[list[OsdpPoint], Field(min_length=1)]

    @property
    def points(self) -> Sequence[OsdpPoint]:
        return self.point


TABLES: Mapping[str, type[Table]] = {"point": OsdpPoint, "osdp": Settings, "relay": RelayTable}


def source(file: OsdpFile, point: OsdpPoint) -> Source:
    """Say which report a point is read from."""
    return Source(point.report, point.number or 0, point.inverted)


def link(file: OsdpFile) -> Link:
    """Say what the device is told."""
    settings = file.osdp
    return Link(
        None if file.relay is None else file.relay.output,
        settings.led if settings.has_led else None,
        settings.reader if settings.has_buzzer else None,
        settings.reader,
    )


def lint(document: Document, file: OsdpFile) -> Iterator[Fault]:
    """Find what is wrong between the points of a file that is right key by key."""
    if file.relay is not None and file.kind != "door":
        message = f"a device of kind '{file.kind}' has no [relay]"
        yield document.fault(("relay",), message, "Only a door is opened; everything else is read.")
    taken: dict[tuple[str, int | None], str] = {}
    for position, point in enumerate(file.point):
        loc = ("point", position)
        if (point.number is None) == (point.report in NUMBERED):
            has = "needs its 'number'" if point.report in NUMBERED else "has no 'number'"
            yield document.fault((*loc, "number"), f"the report '{point.report}' {has}", "Inputs and outputs have one.")
        if set(point.states) != {"0", "1"}:
            yield document.fault((*loc, "states"), "a contact has the states 0 and 1", "Give each its word.")
        if point.write is not None:
            yield document.fault((*loc, "write"), "an OSDP output is not written as a point", "Name it in [relay].")
        if (other := taken.get((point.report, point.number))) is not None:
            yield document.fault((*loc, "report"), f"this is '{other}' already", "Two points cannot share a contact.")
        taken[point.report, point.number] = point.name
