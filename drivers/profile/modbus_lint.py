"""What is wrong in the profile of a Modbus device that is right key by key."""

from collections.abc import Iterable, Iterator

from drivers.profile.modbus import MAX_ADDRESS, ModbusFile, ModbusPoint, Source, sentinels, source, type_of
from protocols.modbus import READ_COILS, READ_DISCRETES, READ_INPUT
from protocols.register import LONG_ORDERS, largest
from protocols.toml import Document, Fault

MAX_CARD_SPAN = 16
_BIT_FUNCTIONS = (READ_COILS, READ_DISCRETES)
_FLOATS = ("f32", "f64")
_LONG = 4  # registers
# What a part can be cut out of.
_WHOLE = ("u16", "u32", "u48", "u64")


def lint(document: Document, file: ModbusFile) -> Iterator[Fault]:
    """Find what is wrong between the points of a file, and in each point against its type."""
    yield from _door_faults(document, file)
    yield from _range_faults(document, file)
    places: list[tuple[str, Source]] = []
    for position, point in enumerate(file.point):
        loc = ("point", position)
        if shape := list(_shape_faults(document, loc, file, point)):
            yield from shape
            continue
        place = source(file, point)
        yield from _number_faults(document, loc, point, place)
        yield from _reach_faults(document, loc, file, place)
        yield from _overlap_faults(document, loc, places, place)
        places.append((point.name, place))


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


def _range_faults(document: Document, file: ModbusFile) -> Iterator[Fault]:
    for position, it in enumerate(file.modbus.range):
        if it.first > it.last:
            message = f"the range begins at {it.first} and ends at {it.last} already"
            yield document.fault(("modbus", "range", position, "first"), message, "Write the lower address first.")


def _shape_faults(document: Document, loc: tuple[str, int], file: ModbusFile, point: ModbusPoint) -> Iterator[Fault]:
    """Check that function, type, order and part of a register go together."""
    function, type_ = point.function or file.modbus.function, type_of(file, point)
    is_bit = function in _BIT_FUNCTIONS
    if is_bit != (type_ == "bit"):
        kind = "coils and discrete inputs hold bits" if is_bit else "registers hold no bits"
        yield document.fault(loc, f"function {function} with type {type_}: {kind}", "Correct one.")
        return
    place = source(file, point)
    if place.order in LONG_ORDERS and place.count != _LONG:
        message = f"the order '{place.order}' is one of four registers, and a {type_} has {place.count}"
        yield document.fault((*loc, "order"), message, "Write ABCD, CDAB, BADC or DCBA.")
    if point.bit is not None and point.mask is not None:
        yield document.fault((*loc, "mask"), "a point has either 'bit' or 'mask'", "Leave one of them out.")
    key = "bit" if point.bit is not None else "mask"
    if (point.bit is not None or point.mask is not None) and type_ not in _WHOLE:
        message = f"no part can be cut out of a {type_}"
        yield document.fault((*loc, key), message, f"Use one of {', '.join(_WHOLE)}, or leave '{key}' out.")
    elif place.mask is not None and place.mask > largest(place.type):
        message = f"a {type_} has no such bits: it has {16 * place.count}, counted from 0"
        yield document.fault((*loc, key), message, "Correct the bits or the type.")
    elif place.mask is not None and (place.mask >> place.shift) & ((place.mask >> place.shift) + 1):
        message = f"the bits of the mask {place.mask:#x} do not stand side by side"
        yield document.fault((*loc, key), message, "Make a point of each group of bits.")
    if point.write is not None and function in (READ_DISCRETES, READ_INPUT):
        message = f"what function {function} reads cannot be written"
        yield document.fault((*loc, "write"), message, "Leave 'write' out, or name the coil or holding register.")
    if place.mask is not None and point.write is not None:
        message = "a part of a register is never written: its other bits would be overwritten"
        yield document.fault((*loc, "write"), message, "Leave 'write' out.")


def _number_faults(document: Document, loc: tuple[str, int], point: ModbusPoint, place: Source) -> Iterator[Fault]:
    """Check the point's numbers against what its register can hold."""
    if point.scale == 0:
        yield document.fault((*loc, "scale"), "a scale of 0 makes every value 0", "Write the manual's factor.")
    if point.length is not None and point.length != place.count:
        message = f"a {point.type or place.type} has {place.count} registers, not {point.length}"
        yield document.fault((*loc, "length"), message, "Correct the type or the length.")
    if place.type in _FLOATS:
        return
    least = -place.most - 1 if place.type[0] == "i" else 0
    what = f"{place.most + 1 - least} numbers, from {least} to {place.most}"
    if wrong := [code for code in point.states if int(code) > place.most]:
        message = f"the state {wrong[0]} cannot come: the register holds {what}"
        yield document.fault((*loc, "states"), message, "Correct the code or the type.")
    # A bit pattern may stand for the negative number that it is.
    top = place.most if least == 0 else 2 * place.most + 1
    if outside := [number for number in sentinels(point) if not least <= number <= top]:
        message = f"the number {outside[0]} cannot come: the register holds {what}"
        yield document.fault((*loc, "not_available"), message, "Correct the number or the type.")


def _reach_faults(document: Document, loc: tuple[str, int], file: ModbusFile, place: Source) -> Iterator[Fault]:
    """Check that the place exists and that one request can read it whole."""
    last = place.address + place.count - 1
    if last > MAX_ADDRESS:
        yield document.fault(
            (*loc, "address"),
            f"a {place.type} at {place.address} ends beyond register {MAX_ADDRESS}",
            "Addresses are zero-based; take the vendor's number less one, without its 3 or 4 in front.",
        )
    has = [it for it in file.modbus.range if it.function == place.function]
    if file.modbus.range and not any(it.first <= place.address and last <= it.last for it in has):
        declared = ", ".join(f"{it.first} to {it.last}" for it in has) or "none"
        message = f"{_registers(range(place.address, last + 1))} of function {place.function} cannot be reached"
        remedy = f"[[modbus.range]] has {declared} for this function; correct the address or the range."
        yield document.fault((*loc, "address"), message, remedy)
    if place.function not in _BIT_FUNCTIONS and place.count > file.modbus.max_registers:
        message = f"a {place.type} has {place.count} registers and a request at most {file.modbus.max_registers}"
        yield document.fault((*loc, "address"), message, "Correct 'max_registers', or leave the point out.")


def _overlap_faults(
    document: Document, loc: tuple[str, int], places: Iterable[tuple[str, Source]], place: Source
) -> Iterator[Fault]:
    mine = range(place.address, place.address + place.count)
    for name, other in places:
        shared = range(max(mine.start, other.address), min(mine.stop, other.address + other.count))
        if other.function != place.function or not shared:
            continue
        is_same = (place.address, place.type, place.order) == (other.address, other.type, other.order)
        if place.mask is None or other.mask is None or not is_same:
            message = f"register {shared[0]} is already part of '{name}'"
            remedy = "Two numbers cannot share a register; check address and type of both."
            yield document.fault((*loc, "address"), message, remedy)
            return
        if place.mask & other.mask:
            message = f"the bits {place.mask & other.mask:#x} of register {shared[0]} are already part of '{name}'"
            yield document.fault((*loc, "address"), message, "Points may share a register, but not its bits.")
            return


def _registers(places: range) -> str:
    return f"register {places[0]}" if len(places) == 1 else f"registers {places[0]} to {places[-1]}"
