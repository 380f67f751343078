"""Profiles of DL/T 645 meters: data identifiers.

[dlt645]   preamble, variant, utc_offset_h, password_level
[[point]]  di and what the codec's table does not know of it; bit of a status word; control, the
           relay command that brings about each state of a point that is written
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from drivers.profile.file import Exact, Head, PointTable, Table
from protocols import dlt645, dlt645_1997
from protocols.dlt645_command import CONTROLS
from protocols.dlt645_item import DataItem
from protocols.dlt645_reader import number_behind
from protocols.toml import Document, Fault

Variant = Literal["2007", "1997"]


def _identifier(value: object) -> object:
    """Read a data identifier as it is printed: eight hex digits, four in 1997."""
    if isinstance(value, str) and len(value) in (4, 8):
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise ValueError(
        f"'{value}' is not a data identifier: eight hex digits in quotes, as \"00010000\", or four of 1997"
    )


def _action(value: object) -> object:
    """Read a relay command as it is printed: two hex digits."""
    if isinstance(value, str) and len(value) == 2:
        try:
            action = int(value, 16)
        except ValueError:
            action = -1
        if action in CONTROLS:
            return action
    known = ", ".join(f'"{action:02X}" {word}' for action, word in CONTROLS.items())
    raise ValueError(f"'{value}' is not a relay command; there are {known}")


Identifier = Annotated[int, BeforeValidator(_identifier)]
Action = Annotated[int, BeforeValidator(_action)]


class Source(NamedTuple):
    """The data identifier of a point.

    Shape: ``block`` is the identifier to read it with others by, else ``di`` itself; ``is_common``
    where the codec's own table knows its length and decimals; ``bit`` of a status word; ``controls``
    gives the relay command for the code of each state.
    """

    di: int
    block: int | None
    length: int
    decimals: int
    is_signed: bool
    is_common: bool
    bit: int | None = None
    controls: Mapping[int, int] = {}


class Link(NamedTuple):
    """How the meter is spoken to.

    Units: ``utc_offset_h`` how far the meter's own clock is ahead of UTC.
    """

    preamble: int
    variant: Variant = "2007"
    utc_offset_h: Decimal = Decimal(8)
    password_level: int = 2


class Dlt645Point(PointTable):
    di: Identifier
    block: Identifier | None = None
    length: Annotated[int, Field(ge=1, le=8)] | None = None
    decimals: Annotated[int, Field(ge=0, le=8)] | None = None
    signed: bool | None = None
    bit: Annotated[int, Field(ge=0, le=15)] | None = None
    control: dict[str, Action] = {}


class Settings(Table):
    preamble: Annotated[int, Field(ge=0, le=20)] = 4
    variant: Variant = "2007"
    utc_offset_h: Annotated[Exact, Field(ge=-12, le=14)] = Decimal(8)
    password_level: Annotated[int, Field(ge=0, le=0x99)] = 2


class Dlt645File(Head):
    protocol: Literal["dlt645"]
    dlt645: Settings = Settings()
    point: Annotated[list[Dlt645Point], Field(min_length=1)]

    @property
    def points(self) -> Sequence[Dlt645Point]:
        return self.point


TABLES: Mapping[str, type[Table]] = {"point": Dlt645Point, "dlt645": Settings}


def _block(file: Dlt645File, di: int) -> tuple[DataItem, ...]:
    return (dlt645_1997.ITEMS if file.dlt645.variant == "1997" else dlt645.ITEMS).get(di, ())


def _number(file: Dlt645File, di: int) -> DataItem | None:
    """Give the one number behind an identifier, None for a block and for what the table does not know."""
    if file.dlt645.variant == "2007":
        return number_behind(di)
    items = _block(file, di)
    return items[0] if len(items) == 1 else None


def source(file: Dlt645File, point: Dlt645Point) -> Source:
    """Say what a point is read by, with what the codec's own table knows of it."""
    common = _number(file, point.di)
    is_own = (point.length, point.decimals, point.signed) != (None, None, None)
    return Source(
        di=point.di,
        block=point.block,
        length=point.length or (common.length if common else 0),
        decimals=point.decimals if point.decimals is not None else (common.decimals if common else 0),
        is_signed=point.signed if point.signed is not None else bool(common and common.is_signed),
        is_common=common is not None and not is_own,
        bit=point.bit,
        controls={int(code): action for code, action in point.control.items() if code.isdecimal()},
    )


def modulus(source: Source) -> Decimal:
    """Say where a counter begins anew: all its digits are BCD."""
    return Decimal(10) ** (2 * source.length - source.decimals)


def link(file: Dlt645File) -> Link:
    """Say how the meter is spoken to."""
    told = file.dlt645
    return Link(told.preamble, told.variant, told.utc_offset_h, told.password_level)


def lint(document: Document, file: Dlt645File) -> Iterator[Fault]:
    """Find what is wrong between the points of a file that is right key by key."""
    seen: dict[tuple[int, int | None], str] = {}
    for position, point in enumerate(file.point):
        key = (point.di, point.bit)
        if (other := seen.get(key)) is not None:
            yield document.fault(
                ("point", position, "di"), f"{point.di:08X} is already point '{other}'", "Name each number once."
            )
        seen.setdefault(key, point.name)
        yield from _lint_identifier(document, file, position, point)
        yield from _lint_block(document, file, position, point)
        yield from _lint_write(document, file, position, point)


def _lint_identifier(document: Document, file: Dlt645File, position: int, point: Dlt645Point) -> Iterator[Fault]:
    common = _number(file, point.di)
    is_own = (point.length, point.decimals, point.signed) != (None, None, None)
    place = ("point", position, "di")
    digits = len(document.data["point"][position]["di"])
    if file.dlt645.variant == "2007" and digits != 8:
        yield document.fault(
            place,
            f"{point.di:04X} is not a data identifier of 2007",
            'Write eight hex digits in quotes, or variant = "1997" under [dlt645].',
        )
    elif file.dlt645.variant == "1997" and digits != 4:
        yield document.fault(
            place, f"{point.di:08X} is an identifier of 2007", 'Write four hex digits, or variant = "2007".'
        )
    elif point.bit is not None:
        if not point.states:
            yield document.fault(
                ("point", position, "bit"), "a bit has no states", "Say what 0 and 1 mean in 'states'."
            )
    elif len(items := _block(file, point.di)) > 1:
        yield document.fault(
            place,
            f"{point.di:08X} is a block of {len(items)} numbers",
            "Name the number's own identifier in 'di' and this one in 'block'.",
        )
    elif common is None and (point.length is None or point.decimals is None):
        yield document.fault(
            place,
            f"{point.di:08X} is not a common identifier",
            "Say its 'length' in bytes and its 'decimals', as the meter's manual does.",
        )
    elif common is not None and not is_own and point.unit != common.unit:
        yield document.fault(
            ("point", position, "unit"),
            f"{point.di:08X} is in {common.unit or 'no unit'}, not in {point.unit or 'no unit'}",
            f"Write '{common.unit}'; the driver converts it.",
        )


def _lint_block(document: Document, file: Dlt645File, position: int, point: Dlt645Point) -> Iterator[Fault]:
    if point.block is None:
        return
    if point.di not in {item.di for item in _block(file, point.block)}:
        yield document.fault(
            ("point", position, "block"),
            f"{point.di:08X} is not in the block {point.block:08X}",
            "Leave the block out or name the one that holds it.",
        )
    elif (point.length, point.decimals, point.signed) != (None, None, None):
        yield document.fault(
            ("point", position, "block"), "a number of an odd length cannot be cut from a block", "Leave it out."
        )


def _lint_write(document: Document, file: Dlt645File, position: int, point: Dlt645Point) -> Iterator[Fault]:
    if point.write is None:
        if point.control:
            yield document.fault(
                ("point", position, "control"), "control without write does nothing", "Add write = {} or leave it out."
            )
        return
    if file.dlt645.variant == "1997":
        yield document.fault(
            ("point", position, "write"), "a meter of 1997 is only read here", "Leave it out, or use its keys."
        )
    elif point.states and set(point.control) != set(point.states):
        yield document.fault(
            ("point", position, "control"),
            "the states that are written have no relay commands",
            'Give each state its own, as control = { 0 = "1C", 1 = "1A" }.',
        )
    elif not point.states and point.control:
        yield document.fault(("point", position, "control"), "control needs states", "Say the states it brings about.")
