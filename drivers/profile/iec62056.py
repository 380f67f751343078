"""Profiles of meters that are read by OBIS: IEC 62056-21 mode C, and P1 telegrams.

[iec62056] readout_s   how long a readout may take
[p1]       interval_s  how often a telegram comes
[[point]]  obis, and channel of a meter that this one speaks for
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from drivers.profile.file import Exact, Head, PointTable, Table
from protocols.obis import normal_obis
from protocols.toml import Document, Fault


def _obis(text: str) -> str:
    normal = normal_obis(text)
    if normal is None:
        raise ValueError(f'\'{text}\' is not an OBIS code, as "1.8.0" or "1-0:1.8.0"')
    return normal


class Source(NamedTuple):
    """The OBIS code of a point, C.D.E; ``channel`` 0 is the meter itself."""

    obis: str
    channel: int


class Link(NamedTuple):
    """How the meter is spoken to.

    Units: ``wait_s`` is how long a readout, or the next telegram, may take.
    """

    wait_s: float


class ObisPoint(PointTable):
    obis: Annotated[str, AfterValidator(_obis)]
    channel: Annotated[int, Field(ge=0, le=15)] = 0


class ModeC(Table):
    # At 300 baud a readout of 2,000 characters takes 67 s.
    readout_s: Annotated[Exact, Field(gt=0, le=600)] = Decimal(90)


class P1(Table):
    interval_s: Annotated[Exact, Field(gt=0, le=120)] = Decimal(10)


class Iec62056File(Head):
    protocol: Literal["iec62056"]
    iec62056: ModeC = ModeC()
    point: Annotated[list[ObisPoint], Field(min_length=1)]

    @property
    def points(self) -> Sequence[ObisPoint]:
        return self.point


class P1File(Head):
    protocol: Literal["p1"]
    p1: P1 = P1()
    point: Annotated[list[ObisPoint], Field(min_length=1)]

    @property
    def points(self) -> Sequence[ObisPoint]:
        return self.point


TABLES: Mapping[str, type[Table]] = {"point": ObisPoint, "iec62056": ModeC}
P1_TABLES: Mapping[str, type[Table]] = {"point": ObisPoint, "p1": P1}


def source(file: Iec62056File | P1File, point: ObisPoint) -> Source:
    """Say what a point is found by."""
    return Source(point.obis, point.channel)


def link(file: Iec62056File | P1File) -> Link:
    """Say how long to wait."""
    return Link(float(file.iec62056.readout_s if isinstance(file, Iec62056File) else file.p1.interval_s))


def lint(document: Document, file: Iec62056File | P1File) -> Iterator[Fault]:
    """Find what is wrong between the points of a file that is right key by key."""
    seen: dict[tuple[str, int], str] = {}
    for position, point in enumerate(file.point):
        if (other := seen.get((point.obis, point.channel))) is not None:
            message = f"{point.obis} is already point '{other}'"
            yield document.fault(("point", position, "obis"), message, "Name each number once.")
        seen.setdefault((point.obis, point.channel), point.name)
        if point.write is not None:
            yield document.fault(("point", position, "write"), "a meter of this protocol is only read", "Leave it out.")
