"""Profiles of Modbus devices: their register maps.

[modbus]          what holds for every point
[relay], [card]   a door's opener and its reader, in profiles of doors only
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from drivers.profile.file import Exact, Head, PointTable, Table
from protocols import modbus
from protocols.toml import Document, Fault

Type = Literal["bit", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "bcd16", "bcd32"]
Order = Literal["ABCD", "CDAB", "BADC", "DCBA"]
MAX_ADDRESS = 65535
MAX_CARD_SPAN = 16
Address = Annotated[int, Field(ge=0, le=MAX_ADDRESS)]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a point lives.

    Shape: zero-based ``address``; ``count`` registers, or one coil or discrete input where
    ``type`` is ``bit``; value = number * ``scale``; a number equal to ``not_available`` is none.
    """

    function: int
    address: int
    type: str
    order: str
    scale: Decimal
    count: int
    not_available: int | None = None


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
    not_available: int | None = None


class Settings(Table):
    function: Literal[1, 2, 3, 4] = 3
    type: Type = "u16"
    order: Order = "ABCD"
    max_registers: Annotated[int, Field(ge=4, le=modbus.MAX_REGISTERS)] = modbus.MAX_REGISTERS
    max_gap: Annotated[int, Field(ge=0, le=64)] = 0


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


TABLES: Mapping[str, type[Table]] = {"point": ModbusPoint, "modbus": Settings, "relay": RelayTable, "card": CardTable}


def source(file: ModbusFile, point: ModbusPoint) -> Source:
    """Say where a point lives, with what the file says of all points."""
    type_ = _type(file, point)
    return Source(
        function=point.function or file.modbus.function,
        address=point.address,
        type=type_,
        order=point.order or file.modbus.order,
        scale=point.scale,
        count=_count(type_),
        not_available=point.not_available,
    )


_BITS = {"u16": 16, "u32": 32, "u64": 64}
_DIGITS = {"bcd16": 4, "bcd32": 8}


def modulus(source: Source) -> Decimal | None:
    """Say where a counter begins anew; a float and a signed number have no such place."""
    if source.type in _DIGITS:
        return Decimal(10) ** _DIGITS[source.type] * source.scale
    return Decimal(2) ** _BITS[source.type] * source.scale if source.type in _BITS else None


def link(file: ModbusFile) -> Link:
    """Say how the model is asked."""
    relay, card = file.relay, file.card
    return Link(
        max_registers=file.modbus.max_registers,
        max_gap=file.modbus.max_gap,
        relay=None if relay is None else Relay(relay.coil, relay.pulse_register),
        card=None if card is None else CardMap(card.counter, card.bits, card.number),
    )


def lint(document: Document, file: ModbusFile) -> Iterator[Fault]:
    """Find what is wrong between the points of a file that is right key by key."""
    yield from _door_faults(document, file)
    yield from _map_faults(document, file)


def _door_faults(document: Document, file: ModbusFile) -> Iterator[Fault]:
    """Refuse a write path where there must be none; above all the house never moves a lift."""
    for name, table in (("relay", file.relay), ("card", file.card)):
        if table is not None and file.kind != "door":
            message = f"a device of kind '{file.kind}' has no [{name}]"
            yield document.fault((name,), message, "Only a door is opened and has a reader; everything else is read.")
    if file.card is not None:
        places = [file.card.counter, file.card.bits, *range(file.card.number, file.card.number + 4)]
        if len(set(places)) != len(places) or max(places) - min(places) >= MAX_CARD_SPAN:
            message = f"the six registers must differ and lie within {MAX_CARD_SPAN}, to be read at one time"
            yield document.fault(("card",), message, "Correct the addresses.")


def _map_faults(document: Document, file: ModbusFile) -> Iterator[Fault]:
    taken: dict[tuple[int, int], str] = {}
    for position, point in enumerate(file.point):
        function = point.function or file.modbus.function
        type_ = _type(file, point)
        is_bit = function in (modbus.READ_COILS, modbus.READ_DISCRETES)
        if is_bit != (type_ == "bit"):
            kind = "coils and discrete inputs hold bits" if is_bit else "registers hold no bits"
            yield document.fault(("point", position), f"function {function} with type {type_}: {kind}", "Correct one.")
            continue
        count = _count(type_)
        if point.length is not None and point.length != count:
            yield document.fault(
                ("point", position, "length"),
                f"a {type_} has {count} registers, not {point.length}",
                "Correct the type or the length.",
            )
        if point.address + count - 1 > MAX_ADDRESS:
            yield document.fault(
                ("point", position, "address"),
                f"a {type_} at {point.address} ends beyond register {MAX_ADDRESS}",
                "Addresses are zero-based; take the vendor's number less one, without its 3 or 4 in front.",
            )
        for place in range(point.address, point.address + count):
            if (other := taken.get((function, place))) is not None:
                yield document.fault(
                    ("point", position, "address"),
                    f"register {place} is already part of '{other}'",
                    "Two numbers cannot share a register; check address and type of both.",
                )
                break
            taken[function, place] = point.name


def _type(file: ModbusFile, point: ModbusPoint) -> str:
    """Say a point's type; a coil is a bit without saying so."""
    function = point.function or file.modbus.function
    if point.type is None and function in (modbus.READ_COILS, modbus.READ_DISCRETES):
        return "bit"
    return point.type or file.modbus.type


def _count(type_: str) -> int:
    """Say how many registers a type takes; a bit takes one place."""
    return modbus.TYPE_LENGTH.get(type_, 1)
