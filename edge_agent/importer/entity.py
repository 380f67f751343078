"""One of Home Assistant's entities: its fields, each noted where it went."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from edge_agent.importer.ledger import Ledger
from edge_agent.importer.naming import known_unit
from edge_agent.importer.plan import WIDTHS
from edge_agent.importer.source import Path_, Tag

_SWAPS = {"none": "ABCD", "byte": "BADC", "word": "CDAB", "word_byte": "DCBA", "false": "ABCD"}
_STRUCT = re.compile(r"^([<>!=@]?)(?:1?)([hHiIlLqQfd])$")
_STRUCT_TYPES = {"h": "i16", "H": "u16", "i": "i32", "I": "u32", "l": "i32", "L": "u32"}
_STRUCT_TYPES |= {"q": "i64", "Q": "u64", "f": "f32", "d": "f64"}
_INPUTS = {"coil": 1, "discrete_input": 2, "discrete_inputs": 2, "discrete": 2, "holding": 3, "input": 4}
_INPUTS |= {"coils": 1, "holdings": 3}
_MOST_VIRTUAL = 256
DISPLAY = "it is for display only; a reading is kept as the device sent it"
CONTROL = "it is for control, and nothing is written that a profile does not allow; see 'write' in it"
_LEFT = {
    "unique_id": "a point is known by its device and its name",
    "precision": DISPLAY, "min_value": DISPLAY, "max_value": DISPLAY, "zero_suppress": DISPLAY,
    "lazy_error_count": "a device that fails is told at once, and asked again by its breaker",
    "entity_category": DISPLAY, "icon": DISPLAY, "enabled_by_default": DISPLAY,
    "min_temp": CONTROL, "max_temp": CONTROL, "temp_step": CONTROL, "write_registers": CONTROL, "temp_write": CONTROL,
    "target_temp_write_registers": CONTROL,
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
        key = "register_type" if "register_type" in self.row and "input_type" not in self.row else "input_type"
        if (function := self.function(key, "holding")) not in (3, 4):
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
