"""Home Assistant's platforms: how an entity of each becomes points.

Every reader raises ValueError with the reason why an entity cannot be carried at all.
"""

from collections.abc import Callable, Iterator, Mapping

from edge_agent.importer.entity import CONTROL, DISPLAY, Entity
from edge_agent.importer.plan import WIDTHS, PointPlan

_BILLED = ("kWh", "Wh", "MWh", "GJ", "MJ", "kJ", "m3", "L", "kvarh", "varh", "kVAh")
_CLASS_WORDS = {
    "door": ("closed", "open"), "window": ("closed", "open"), "opening": ("closed", "open"), "moisture": ("dry", "wet"),
    "garage_door": ("closed", "open"), "smoke": ("clear", "detected"), "gas": ("clear", "detected"),
    "motion": ("clear", "detected"), "problem": ("ok", "problem"), "running": ("stopped", "running"),
}  # fmt: skip


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
            it.leave(key, CONTROL)
    if "address" in table:
        it.leave("address", CONTROL)
    if table:
        checked.leave("delay", CONTROL)
    for key in ("brightness_address", "color_temp_address", "min_temp", "max_temp"):
        it.leave(key, CONTROL)
    it.leave("device_class", DISPLAY)
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
            it.leave(key, CONTROL)
    else:
        address = it.address("address", "coil", "register")
        function = it.function("input_type", "coil" if "coil" in it.row else "holding")
    words = {"state_closed": "closed", "state_open": "open", "state_opening": "opening", "state_closing": "closing"}
    states = _codes(it, words, {"state_closed": 0, "state_open": 1, "state_opening": 2, "state_closing": 3})
    it.leave("device_class", DISPLAY)
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
    part.leave("write_registers", CONTROL)
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
