"""Profiles of Modbus devices: their register maps.

[modbus]            what holds for every point
[[modbus.range]]    the addresses that the model has, where its manual says so
[relay], [card]     a door's opener and its reader, in profiles of doors only
[[point]]           one number each: a whole register or several, or with 'bit' or 'mask' a part of one
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from drivers.profile.file import Exact, Head, PointTable, Table
from protocols import modbus
from protocols.register import largest

Type = Literal[
    "bit",
    "u8hi", "u8lo",
    "u16", "i16", "bcd16",
    "u32", "i32", "f32", "bcd32", "mod10k2",
    "u48", "i48", "bcd48", "mod10k3",
    "u64", "i64", "f64", "bcd64", "mod10k4",
]  # fmt: skip
Order = Literal[
    "ABCD", "CDAB", "BADC", "DCBA",
    "ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "EFGHABCD", "CDABGHEF", "FEHGBADC", "DCBAHGFE",
]  # fmt: skip
# The halves of a register are a register and a mask.
BYTES = {"u8hi": 0xFF00, "u8lo": 0x00FF}
MAX_ADDRESS = 65535
Address = Annotated[int, Field(ge=0, le=MAX_ADDRESS)]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a point lives.

    Shape: zero-based ``address``; ``count`` registers, or one coil or discrete input where
    ``type`` is ``bit``; value = number * ``scale``; a number among ``not_available`` is none. With a
    ``mask`` the number is only these bits of the register, moved down to the lowest place. A
    bit that ``is_inverted`` is off where the device says on.
    """

    function: int
    address: int
    type: str
    order: str
    scale: Decimal
    count: int
    not_available: frozenset[int] = frozenset()
    mask: int | None = None
    is_inverted: bool = False

    @property
    def shift(self) -> int:
        """How far the bits of ``mask`` stand above the lowest place."""
        return 0 if self.mask is None else (self.mask & -self.mask).bit_length() - 1

    @property
    def most(self) -> int:
        """The largest whole number that can come; Unsupported for a float."""
        if self.type == "bit":
            return 1
        return largest(self.type) if self.mask is None else self.mask >> self.shift


class Relay(NamedTuple):
    """What opens a door: a coil that the module releases itself after the register's milliseconds."""

    coil: int
    pulse_register: int


class CardMap(NamedTuple):
    """Where a door's reader leaves its last card; zero-based input registers, ``number`` the first of four."""

    counter: int
    bits: int
    number: int


@dataclass(frozen=True, slots=True)
class Link:
    """How the model is asked; only a door has ``relay`` and ``card``."""

    max_registers: int = 125
    max_gap: int = 0
    relay: Relay | None = None
    card: CardMap | None = None


class ModbusPoint(PointTable):
    address: Address
    function: Literal[1, 2, 3, 4] | None = None
    type: Type | None = None
    order: Order | None = None
    scale: Exact = Decimal(1)
    length: int | None = None
    not_available: int | list[int] = []
    bit: Annotated[int, Field(ge=0, le=63)] | None = None
    mask: Annotated[int, Field(gt=0)] | None = None


class RangeTable(Table):
    """Registers, coils or inputs that the model has, both ends inclusive."""

    function: Literal[1, 2, 3, 4]
    first: Address
    last: Address


class Settings(Table):
    function: Literal[1, 2, 3, 4] = 3
    type: Type = "u16"
    order: Order = "ABCD"
    max_registers: Annotated[int, Field(ge=1, le=modbus.MAX_REGISTERS)] = modbus.MAX_REGISTERS
    max_gap: Annotated[int, Field(ge=0, le=64)] = 0
    range: list[RangeTable] = []


class RelayTable(Table):
    """The only places of a device that are ever written."""

    coil: Address
    pulse_register: Address


class CardTable(Table):
    """Input registers: a u16 counter of cards, a u16 bit length, and the bits as a u64, the last one lowest."""

    counter: Address
    bits: Address
    number: Address


class ModbusFile(Head):
    protocol: Literal["modbus"]
    modbus: Settings = Settings()
    relay: RelayTable | None = None
    card: CardTable | None = None
    point: Annotated[list[ModbusPoint], Field(min_length=1)]

    @property
    def points(self) -> Sequence[ModbusPoint]:
        return self.point


TABLES: Mapping[str, type[Table]] = {
    "point": ModbusPoint,
    "modbus": Settings,
    "modbus.range": RangeTable,
    "relay": RelayTable,
    "card": CardTable,
}


def source(file: ModbusFile, point: ModbusPoint) -> Source:
    """Say where a point lives, with what the file says of all points."""
    named = type_of(file, point)
    type_ = "u16" if named in BYTES else named
    mask = BYTES.get(named, point.mask) if point.bit is None else 1 << point.bit
    return Source(
        function=point.function or file.modbus.function,
        address=point.address,
        type=type_,
        order=point.order or file.modbus.order,
        scale=point.scale,
        count=modbus.TYPE_LENGTH.get(type_, 1),  # a bit takes one place
        not_available=frozenset(_as_read(number, type_) for number in sentinels(point)),
        mask=mask,
    )


def type_of(file: ModbusFile, point: ModbusPoint) -> str:
    """Say a point's type; a coil is a bit without saying so."""
    function = point.function or file.modbus.function
    if point.type is None and function in (modbus.READ_COILS, modbus.READ_DISCRETES):
        return "bit"
    return point.type or file.modbus.type


def sentinels(point: ModbusPoint) -> list[int]:
    """Give the numbers of a point that are none, as the file writes them."""
    return point.not_available if isinstance(point.not_available, list) else [point.not_available]


def modulus(source: Source) -> Decimal | None:
    """Say where a counter begins anew; a float and a signed number have no such place."""
    if source.type[0] in "if":
        return None
    return (source.most + 1) * source.scale


def link(file: ModbusFile) -> Link:
    """Say how the model is asked."""
    relay, card = file.relay, file.card
    return Link(
        max_registers=file.modbus.max_registers,
        max_gap=file.modbus.max_gap,
        relay=None if relay is None else Relay(relay.coil, relay.pulse_register),
        card=None if card is None else CardMap(card.counter, card.bits, card.number),
    )


def _as_read(number: int, type_: str) -> int:
    """Take 0x8000 in a signed register for the negative number that it is there."""
    if type_[0] != "i" or number <= (most := largest(type_)):
        return number
    return number - 2 * (most + 1)
