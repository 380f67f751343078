"""The tables of a profile file, and what a linter must say about them.

    title, kind, protocol, probe, sources, caveats
    [modbus] | [dlt645] | [cjt188]   what holds for every point
    [relay], [card]                  a door's opener and its reader, in Modbus profiles of doors only
    [[point]]                        one measurand each

``protocol`` says which of the three files it is.
"""

import difflib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from protocols import dlt645, modbus
from protocols.quantity import UNITS
from protocols.toml import Document, Fault

Type = Literal["bit", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "bcd16", "bcd32"]
Order = Literal["ABCD", "CDAB", "BADC", "DCBA"]
CJT188_FIELDS = ("volumeTotal", "settlementVolume", "valveState", "batteryLow")
MAX_ADDRESS = 65535
MAX_CARD_SPAN = 16


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


def _identifier(value: object) -> object:
    """Read a DL/T 645 data identifier as it is printed: eight hex digits."""
    if isinstance(value, str) and len(value) == 8:
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise ValueError(f"'{value}' is not a data identifier: eight hex digits in quotes, as \"00010000\"")


Identifier = Annotated[int, BeforeValidator(_identifier)]
Scale = Annotated[Decimal, BeforeValidator(_exact), Field(allow_inf_nan=False)]
Address = Annotated[int, Field(ge=0, le=MAX_ADDRESS)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PointTable(_Table):
    """What every point has, whatever the protocol."""

    name: Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9]{0,39}$")]
    unit: str = ""
    register_: Annotated[bool, Field(alias="register")] = False
    states: dict[str, str] = {}

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


class ModbusPointTable(PointTable):
    address: Address
    function: Literal[1, 2, 3, 4] | None = None
    type: Type | None = None
    order: Order | None = None
    scale: Scale = Decimal(1)
    length: int | None = None
    not_available: int | None = None


class ModbusTable(_Table):
    function: Literal[1, 2, 3, 4] = 3
    type: Type = "u16"
    order: Order = "ABCD"
    max_registers: Annotated[int, Field(ge=4, le=modbus.MAX_REGISTERS)] = modbus.MAX_REGISTERS
    max_gap: Annotated[int, Field(ge=0, le=64)] = 0


class RelayTable(_Table):
    """The only places of a device that are ever written."""

    coil: Address
    pulse_register: Address


class CardTable(_Table):
    """Input registers: a u16 counter of cards, a u16 bit length, and the bits as a u64, the last one lowest."""

    counter: Address
    bits: Address
    number: Address


class Dlt645PointTable(PointTable):
    di: Identifier
    block: Identifier | None = None
    length: Annotated[int, Field(ge=1, le=8)] | None = None
    decimals: Annotated[int, Field(ge=0, le=8)] | None = None
    signed: bool | None = None


class Dlt645Table(_Table):
    preamble: Annotated[int, Field(ge=0, le=20)] = 4


class Cjt188PointTable(PointTable):
    field: Literal["volumeTotal", "settlementVolume", "valveState", "batteryLow"] | None = None


class Cjt188Table(_Table):
    meter_type: Literal["10", "11", "12", "13", "AA"] = "10"
    di_order: Literal["1F90", "901F", "auto"] = "auto"
    preamble: Annotated[int, Field(ge=0, le=40)] = 3


class _Head(_Table):
    title: str
    kind: Literal["electricity", "water", "lift", "door"]
    sources: Annotated[list[str], Field(min_length=1)]
    caveats: list[str] = []
    probe: str | None = None


class ModbusFile(_Head):
    protocol: Literal["modbus"]
    modbus: ModbusTable = ModbusTable()
    relay: RelayTable | None = None
    card: CardTable | None = None
    point: Annotated[list[ModbusPointTable], Field(min_length=1)]


class Dlt645File(_Head):
    protocol: Literal["dlt645"]
    dlt645: Dlt645Table = Dlt645Table()
    point: Annotated[list[Dlt645PointTable], Field(min_length=1)]


class Cjt188File(_Head):
    protocol: Literal["cjt188"]
    cjt188: Cjt188Table = Cjt188Table()
    point: Annotated[list[Cjt188PointTable], Field(min_length=1)]


ProfileFile = ModbusFile | Dlt645File | Cjt188File
FILES: Mapping[str, type[ModbusFile] | type[Dlt645File] | type[Cjt188File]] = {
    "modbus": ModbusFile,
    "dlt645": Dlt645File,
    "cjt188": Cjt188File,
}
_POINTS: Mapping[str, type[PointTable]] = {
    "modbus": ModbusPointTable,
    "dlt645": Dlt645PointTable,
    "cjt188": Cjt188PointTable,
}
_LINKS: Mapping[str, type[_Table]] = {"modbus": ModbusTable, "dlt645": Dlt645Table, "cjt188": Cjt188Table}


def known_keys(protocol: str) -> Mapping[str, list[str]]:
    """Name the keys that each table of a profile of this protocol may have."""
    return {
        "": list(FILES[protocol].model_fields),
        "point": [field.alias or name for name, field in _POINTS[protocol].model_fields.items()],
        protocol: list(_LINKS[protocol].model_fields),
        "relay": list(RelayTable.model_fields),
        "card": list(CardTable.model_fields),
    }


def lint(document: Document, file: ProfileFile) -> list[Fault]:
    """Find what is wrong between the points of a file that is right key by key."""
    found = list(_doubles(document, file))
    if isinstance(file, ModbusFile):
        found += [*_door_faults(document, file), *_modbus_faults(document, file)]
    elif isinstance(file, Dlt645File):
        found += _dlt645_faults(document, file)
    else:
        found += _cjt188_faults(document, file)
    return found


def _doubles(document: Document, file: ProfileFile) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for position, point in enumerate(file.point):
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


def _modbus_faults(document: Document, file: ModbusFile) -> Iterator[Fault]:
    taken: dict[tuple[int, int], str] = {}
    for position, point in enumerate(file.point):
        function = point.function or file.modbus.function
        type_ = modbus_type(file, point)
        is_bit = function in (modbus.READ_COILS, modbus.READ_DISCRETES)
        if is_bit != (type_ == "bit"):
            kind = "coils and discrete inputs hold bits" if is_bit else "registers hold no bits"
            yield document.fault(("point", position), f"function {function} with type {type_}: {kind}", "Correct one.")
            continue
        count = modbus_count(type_)
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


def modbus_type(file: ModbusFile, point: ModbusPointTable) -> str:
    """Say a point's type; a coil is a bit without saying so."""
    function = point.function or file.modbus.function
    if point.type is None and function in (modbus.READ_COILS, modbus.READ_DISCRETES):
        return "bit"
    return point.type or file.modbus.type


def modbus_count(type_: str) -> int:
    """Say how many registers a type takes; a bit takes one place."""
    return modbus.TYPE_LENGTH.get(type_, 1)


def _dlt645_faults(document: Document, file: Dlt645File) -> Iterator[Fault]:
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


def _cjt188_faults(document: Document, file: Cjt188File) -> Iterator[Fault]:
    for position, point in enumerate(file.point):
        field = point.field or point.name
        if field not in CJT188_FIELDS:
            near = difflib.get_close_matches(field, CJT188_FIELDS, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"There are {', '.join(CJT188_FIELDS)}."
            yield document.fault(("point", position, "name"), f"the current data hold no '{field}'", hint)
        elif (unit := "m3" if field.endswith(("Total", "Volume")) else "") != point.unit:
            yield document.fault(
                ("point", position, "unit"), f"'{field}' is in {unit or 'no unit'}", f"Write '{unit}'."
            )
