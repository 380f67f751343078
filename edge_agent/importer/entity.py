"""Home Assistant's entities, turned into points; each reader takes one entity's table apart.

Every reader raises ValueError with the reason why an entity cannot be carried at all.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from edge_agent.importer.ledger import Ledger
from edge_agent.importer.naming import known_unit
from edge_agent.importer.plan import WIDTHS, PointPlan
from edge_agent.importer.source import Path_, Tag

NOT_MODBUS = "it is not of Modbus"
_SWAPS = {"none": "ABCD", "byte": "BADC", "word": "CDAB", "word_byte": "DCBA", "false": "ABCD"}
_STRUCT = re.compile(r"^([<>!=@]?)(?:1?)([hHiIlLqQfd])$")
_STRUCT_TYPES = {"h": "i16", "H": "u16", "i": "i32", "I": "u32", "l": "i32", "L": "u32"}
_STRUCT_TYPES |= {"q": "i64", "Q": "u64", "f": "f32", "d": "f64"}
_INPUTS = {"coil": 1, "discrete_input": 2, "discrete_inputs": 2, "discrete": 2, "holding": 3, "input": 4}
_INPUTS |= {"coils": 1, "holdings": 3}
_MOST_VIRTUAL = 256
_BILLED = ("kWh", "Wh", "MWh", "GJ", "MJ", "kJ", "m3", "L", "kvarh", "varh", "kVAh")
_CLASS_WORDS = {
    "door": ("closed", "open"), "window": ("closed", "open"), "opening": ("closed", "open"), "moisture": ("dry", "wet"),
    "garage_door": ("closed", "open"), "smoke": ("clear", "detected"), "gas": ("clear", "detected"),
    "motion": ("clear", "detected"), "problem": ("ok", "problem"), "running": ("stopped", "running"),
}  # fmt: skip
_DISPLAY = "it is for display only; a reading is kept as the device sent it"
_CONTROL = "it is for control, and nothing is written that a profile does not allow; see 'write' in it"
_LEFT = {
    "unique_id": "a point is known by its device and its name",
    "precision": _DISPLAY, "min_value": _DISPLAY, "max_value": _DISPLAY, "zero_suppress": _DISPLAY,
    "lazy_error_count": "a device that fails is told at once, and asked again by its breaker",
    "entity_category": _DISPLAY, "icon": _DISPLAY, "enabled_by_default": _DISPLAY,
    "min_temp": _CONTROL, "max_temp": _CONTROL, "temp_step": _CONTROL, "write_registers": _CONTROL, "temp_write": _CONTROL,
    "target_temp_write_registers": _CONTROL,
    "retries": "a lost answer is asked for again by the line's own rules",
    "retry_on_empty": "a lost answer is asked for again by the line's own rules",
}  # fmt: skip


class Entity:
    """One entity's table, and the account of it."""

    def __init__(self, ledger: Ledger, path: Path_, row: Mapping[str, Any]) -> None:
        self.path = path
        self.row = row
        self.ledger = ledger
        self.label = str(row.get("name") or "")
        self.is_polled = row.get("scan_interval") != 0
        if "name" in row:
            ledger.carry((*path, "name"), "point.name")
        for key in row:
            if key in _LEFT:
                ledger.leave((*path, key), _LEFT[key])
            elif isinstance(row[key], Tag) and key not in ("slave", "device_address", "unit"):
                raise ValueError(f"'{key}' stands elsewhere (!{row[key].kind} {row[key].text}), which is not read")

    def carry(self, key: str, target: str) -> None:
        self.ledger.carry_all(self.path, (key,), target)

    def leave(self, key: str, reason: str) -> None:
        if key in self.row:
            self.ledger.leave((*self.path, key), reason)

    def address(self, *keys: str) -> int:
        """Take the first of some addresses. Raises: ValueError."""
        for key in keys:
            if key in self.row:
                value = self.row[key]
                if isinstance(value, list) and len(value) == 1:
                    value = value[0]  # theirs for a write of one register as a block
                if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 65535:
                    raise ValueError(f"{key} '{value}' is no register from 0 to 65535")
                self.carry(key, "point.address")
                return value
        raise ValueError(f"it has no {keys[0]}")

    def register_function(self) -> int:
        """Take the kind of place of a number, which no coil holds. Raises: ValueError."""
        if (function := self.function("input_type", "holding")) not in (3, 4):
            raise ValueError("a number stands in no coil; input_type is holding or input")
        return function

    def function(self, key: str, usual: str) -> int:
        """Take the kind of place that is read. Raises: ValueError."""
        value = str(self.row.get(key) or usual).lower()
        if value not in _INPUTS:
            raise ValueError(f"{key} '{value}' is none of coil, discrete_input, holding and input")
        self.carry(key, "point.function")
        return _INPUTS[value]

    def number(self, key: str, usual: int) -> int:
        """Take a whole number. Raises: ValueError."""
        value = self.row.get(key, usual)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{key} '{value}' is no whole number")
        return value

    def unit(self, key: str) -> str:
        """Take a unit; one that is not known here leaves the point without."""
        value = self.row.get(key)
        if value is None:
            return ""
        if (unit := known_unit(str(value))) is None:
            self.leave(
                key, f"the unit '{value}' is not known here; the point has none, and its number is carried as it is"
            )
            return ""
        self.carry(key, "point.unit")
        return unit

    def scale(self, part: str = "") -> Decimal:
        """Take the factor. Raises: ValueError where an offset would be lost with it."""
        names = [f"{part}scale", f"{part}offset"]
        scale, offset = _decimal(self.row.get(names[0], 1), names[0]), _decimal(self.row.get(names[1], 0), names[1])
        if offset:
            raise ValueError(f"points have no offset here, and without its {offset} the value would be wrong")
        if scale == 0:
            raise ValueError("a scale of 0 makes every value 0")
        for key in names:
            self.carry(key, "point.scale")
        return scale

    def shape(self) -> tuple[str, str]:
        """Take type and order. Raises: ValueError."""
        type_ = self._type(str(self.row.get("data_type", "int16")).lower())
        count = self.row.get("count")
        if count is not None and count != WIDTHS[type_]:
            raise ValueError(f"count says {count} registers and the type {WIDTHS[type_]}; make a point of each number")
        swap = str(self.row.get("swap") or "none").lower()
        if swap not in _SWAPS:
            raise ValueError(f"swap '{swap}' is none of none, byte, word and word_byte")
        order = _SWAPS[swap]
        if str(self.row.get("structure", "")).startswith("<") and type_ == self._custom():
            order = {"ABCD": "DCBA", "CDAB": "BADC", "BADC": "CDAB", "DCBA": "ABCD"}[order]
        if WIDTHS[type_] == 1:
            order = {"CDAB": "ABCD", "DCBA": "BADC"}.get(order, order)
        for key, target in (("data_type", "point.type"), ("count", "point.type"), ("structure", "point.type")):
            self.carry(key, target)
        self.carry("swap", "point.order")
        return type_, order

    def _custom(self) -> str | None:
        found = _STRUCT.match(str(self.row.get("structure", "")))
        return _STRUCT_TYPES[found.group(2)] if found else None

    def _type(self, kind: str) -> str:
        count = self.row.get("count", 1)
        kind = {"integer": "int"}.get(kind, kind)
        if kind in ("int", "uint", "float") and isinstance(count, int):
            kind = f"{kind}{16 * max(count, 2 if kind == 'float' else 1)}"
        type_ = {"int": "i", "uint": "u", "float": "f"}.get(kind.rstrip("0123456789"), "?") + kind.lstrip("intufloa")
        if kind == "custom":
            type_ = self._custom() or "?"
        else:
            self.leave("structure", "it holds for data_type custom only")
        if type_ not in WIDTHS:
            structure = f" '{self.row['structure']}'" if kind == "custom" and "structure" in self.row else ""
            raise ValueError(f"points have no type '{kind}'{structure} here: they are one number of 16 to 64 bits")
        return type_

    def not_available(self, type_: str) -> int | None:
        """Take the number that stands for none."""
        value = self.row.get("nan_value")
        if value is None:
            return None
        try:
            number = int(str(value), 0)
        except ValueError:
            number = -1
        if type_[0] == "f" or not -(1 << 16 * WIDTHS[type_] - 1) <= number < 1 << 16 * WIDTHS[type_]:
            self.leave("nan_value", f"'{value}' is no number that a {type_} can hold")
            return None
        if type_[0] == "u" and number < 0:
            self.leave("nan_value", f"'{value}' is no number that a {type_} can hold")
            return None
        self.carry("nan_value", "point.not_available")
        return number

    def copies(self) -> int:
        """Say how many there are with those that are counted on from this one. Raises: ValueError."""
        for key in ("virtual_count", "slave_count"):
            if key in self.row:
                more = self.number(key, 0)
                if not 0 <= more <= _MOST_VIRTUAL:
                    raise ValueError(f"{key} {more} is more than {_MOST_VIRTUAL}")
                self.carry(key, "points")
                return 1 + more
        return 1


def _decimal(value: Any, key: str) -> Decimal:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal("NaN")
    if isinstance(value, bool) or not found.is_finite():
        raise ValueError(f"{key} '{value}' is no number")
    return found


def _codes(entity: Entity, pairs: Mapping[str, str], usual: Mapping[str, int]) -> dict[int, str]:
    """Name a register's codes: from a key of theirs, or as is usual there. Raises: ValueError."""
    states: dict[int, str] = {}
    for key, text in pairs.items():
        value = entity.row.get(key, usual.get(key))
        for code in value if isinstance(value, list) else [value]:
            if code is None:
                continue
            if isinstance(code, bool) or not isinstance(code, int) or not 0 <= code <= 65535:
                raise ValueError(f"{key} '{code}' is no number of a register")
            states.setdefault(code, text)
        entity.carry(key, "point.states")
    return states


def _sensor(it: Entity) -> Iterator[PointPlan]:
    type_, order = it.shape()
    first, function = it.address("address", "register"), it.register_function()
    it.carry("register_type", "point.function")
    unit = it.unit("unit_of_measurement")
    state_class = str(it.row.get("state_class") or "")
    is_register = state_class in ("total", "total_increasing") and unit in _BILLED
    it.carry("state_class", "point.register")
    if not is_register and state_class in ("total", "total_increasing"):
        it.leave("state_class", "a register counts energy or volume in a unit that is known here")
    it.leave("device_class", "what is measured is said by the unit")
    scale, none, copies = it.scale(), it.not_available(type_), it.copies()
    for index in range(copies):
        label = it.label if index == 0 else f"{it.label} {index}"
        address = first + index * WIDTHS[type_]
        yield PointPlan(
            it.path, label, function, address, type_, order, scale, unit, is_register,
            not_available=none, is_polled=it.is_polled,
        )  # fmt: skip


def _binary(it: Entity) -> Iterator[PointPlan]:
    first, function = it.address("address", "coil"), it.function("input_type", "coil")
    off, on = _CLASS_WORDS.get(str(it.row.get("device_class")), ("off", "on"))
    it.carry("device_class", "point.states")
    is_bit = function in (1, 2)
    for index in range(it.copies()):
        label = it.label if index == 0 else f"{it.label} {index}"
        # Of a register theirs looks at the lowest bit, and counts on by registers.
        type_, bit = ("bit", None) if is_bit else ("u16", 0)
        states = {0: off, 1: on}
        yield PointPlan(it.path, label, function, first + index, type_, bit=bit, states=states, is_polled=it.is_polled)


def _switch(it: Entity) -> Iterator[PointPlan]:
    """Read what a switch, a light or a fan shows; nothing of it is written."""
    verify = it.row.get("verify")
    table = verify if isinstance(verify, dict) else {}
    if not table:
        it.carry("verify", "point")
    checked = Entity(it.ledger, (*it.path, "verify"), {**table}) if table else it
    usual = str(it.row.get("write_type") or "holding")
    function = checked.function("input_type", usual) if table else it.function("write_type", usual)
    it.carry("write_type", "point.function")
    address = checked.address("address") if "address" in table else it.address("address", "coil", "register")
    commands = _codes(it, {"command_on": "on", "command_off": "off"}, {"command_on": 1, "command_off": 0})
    states = commands
    if "state_on" in table or "state_off" in table:
        told = {text: code for code, text in commands.items()}
        states = _codes(checked, {"state_on": "on", "state_off": "off"}, told)
        for key in ("command_on", "command_off"):
            it.leave(key, _CONTROL)
    if "address" in table:
        it.leave("address", _CONTROL)
    if table:
        checked.leave("delay", _CONTROL)
    for key in ("brightness_address", "color_temp_address", "min_temp", "max_temp"):
        it.leave(key, _CONTROL)
    it.leave("device_class", _DISPLAY)
    if function in (1, 2):
        states = {0: "off", 1: "on"}
    yield PointPlan(
        it.path,
        it.label,
        function,
        address,
        "bit" if function in (1, 2) else "u16",
        states=states,
        is_polled=it.is_polled,
    )


def _cover(it: Entity) -> Iterator[PointPlan]:
    if "status_register" in it.row:
        address, function = it.address("status_register"), it.function("status_register_type", "holding")
        for key in ("address", "coil", "register", "input_type", "register_type"):
            it.leave(key, _CONTROL)
    else:
        address = it.address("address", "coil", "register")
        function = it.function("input_type", "coil" if "coil" in it.row else "holding")
    words = {"state_closed": "closed", "state_open": "open", "state_opening": "opening", "state_closing": "closing"}
    states = _codes(it, words, {"state_closed": 0, "state_open": 1, "state_opening": 2, "state_closing": 3})
    it.leave("device_class", _DISPLAY)
    if function in (1, 2):
        states = {0: "closed", 1: "open"}
    type_ = "bit" if function in (1, 2) else "u16"
    yield PointPlan(it.path, it.label, function, address, type_, states=states, is_polled=it.is_polled)


def _climate(it: Entity) -> Iterator[PointPlan]:
    type_, order = it.shape()
    has_own = "current_temp_scale" in it.row or "current_temp_offset" in it.row
    scale, none = it.scale("current_temp_" if has_own else ""), it.not_available(type_)
    function = it.register_function()
    unit = it.unit("temperature_unit") or ("" if "temperature_unit" in it.row else "degC")
    number = (order, scale, unit)
    address = it.address("address")
    yield PointPlan(
        it.path,
        f"{it.label} temperature",
        function,
        address,
        type_,
        *number,
        not_available=none,
        is_polled=it.is_polled,
    )
    if isinstance(it.row.get("target_temp_register"), int):
        target = it.address("target_temp_register")
        if has_own or "target_temp_scale" in it.row or "target_temp_offset" in it.row:
            number = (order, it.scale("target_temp_"), unit)
        yield PointPlan(it.path, f"{it.label} target", 3, target, type_, *number, is_polled=it.is_polled)
    else:
        it.leave("target_temp_register", "one register for each mode; make a point of each")
    if "hvac_onoff_register" in it.row:
        words = {"hvac_on_value": "on", "hvac_off_value": "off"}
        states = _codes(it, words, {"hvac_on_value": 1, "hvac_off_value": 0})
        onoff = it.address("hvac_onoff_register")
        yield PointPlan(it.path, f"{it.label} power", 3, onoff, "u16", states=states, is_polled=it.is_polled)
    if "hvac_onoff_coil" in it.row:
        coil = it.address("hvac_onoff_coil")
        yield PointPlan(
            it.path, f"{it.label} power", 1, coil, "bit", states={0: "off", 1: "on"}, is_polled=it.is_polled
        )
    for key in ("hvac_mode_register", "fan_mode_register", "swing_mode_register", "hvac_action_register"):
        yield from _mode(it, key)


def _mode(it: Entity, key: str) -> Iterator[PointPlan]:
    """Read the register of a mode: its address, and the code of each mode."""
    table = it.row.get(key)
    if not isinstance(table, dict):
        return
    part = Entity(it.ledger, (*it.path, key), {**table})
    values = table.get("values")
    try:
        address, function = part.address("address"), part.register_function()
        if not isinstance(values, dict):
            raise ValueError("no codes are named")
        codes = Entity(it.ledger, (*it.path, key, "values"), values)
        states = _codes(codes, {str(word): str(word).removeprefix("state_") for word in values}, {})
    except ValueError as error:
        it.leave(key, str(error))
        return
    part.leave("write_registers", _CONTROL)
    label = f"{it.label} {key.removesuffix('_register').replace('_', ' ')}"
    yield PointPlan(it.path, label, function, address, "u16", states=states, is_polled=it.is_polled)


_READERS: Mapping[str, Callable[[Entity], Iterator[PointPlan]]] = {
    "sensors": _sensor,
    "binary_sensors": _binary,
    "switches": _switch,
    "lights": _switch,
    "fans": _switch,
    "covers": _cover,
    "climates": _climate,
}


def entities(platform: str) -> Callable[[Entity], Iterator[PointPlan]]:
    """Give what reads the entities of a platform."""
    return _READERS[platform]
