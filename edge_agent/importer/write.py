"""Write what an import has found: a settings file, and a profile for each distinct register map. Pure.

Shape: a point that would share a register with another is left out and named, because no profile may have
both; so is a device that no driver could read.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from edge_agent.importer.ledger import Ledger
from edge_agent.importer.naming import id_of, point_name
from edge_agent.importer.plan import BusPlan, DevicePlan, PointPlan
from edge_agent.importer.source import Path_

# Says why a device of this kind cannot stand on such a bus at this address; None where it can.
Complaint = Callable[[str, str, str], str | None]
_WATER, _HEAT = ("m3", "L", "m3/h", "L/h"), ("GJ", "MJ", "kJ")
_ELECTRIC = ("kWh", "Wh", "MWh", "V", "A", "W", "kW", "MW", "kvarh", "var", "kvar", "VA", "kVA", "Hz")


class Named(NamedTuple):
    """A point with the name that it has in the profile."""

    name: str
    point: PointPlan


@dataclass(slots=True)
class Result:
    """The texts to write: profiles by their name, and the settings."""

    settings: str = ""
    profiles: dict[str, str] = field(default_factory=dict)
    devices: int = 0
    buses: int = 0


def write_import(plans: Sequence[DevicePlan], ledger: Ledger, title: str, folder: str, complaint: Complaint) -> Result:
    """Write everything; ``title`` says where it comes from, ``folder`` where the settings look for profiles."""
    result = Result()
    bus_ids: set[str] = set()
    ids: set[str] = set()
    maps: dict[str, str] = {}
    buses: dict[tuple[str | int | None, ...], tuple[str, BusPlan]] = {}
    places: set[tuple[str, str]] = set()
    blocks: list[str] = []
    lines_used: set[Path_] = set()
    for plan in plans:
        points = _named(plan, ledger)
        if not points:
            ledger.note(f"{plan.name}: no point of it could be carried, so there is no device")
            _withdraw(plan, ledger, "no point of it could be carried, so there is no device")
            continue
        kind = next((it for it in _kinds(points) if complaint(it, "modbus-tcp", "1") is None), "electricity")
        profile = _profile(plan, points, kind, result, maps, title)
        if plan.bus is None:
            _withdraw(plan, ledger, "there is no such bus here, so no [[device]] was written")
            continue
        bus_id, bus = buses.get(plan.bus.where, ("", plan.bus))
        wrong = complaint(kind, str(bus.rows["kind"]), plan.address)
        if wrong is None and (bus_id, plan.address) in places:
            wrong = f"another device has the unit {plan.address} on this line already; put the points into one profile"
        if wrong is not None:
            ledger.note(f"{plan.name}: {wrong}. Its profile is {profile}; no [[device]] was written")
            _withdraw(plan, ledger, f"no [[device]] was written: {wrong}")
            continue
        if not bus_id:
            bus_id = id_of(plan.bus.name, "bus", bus_ids)
            buses[plan.bus.where] = bus_id, plan.bus
        elif dict(bus.rows) != dict(plan.bus.rows):
            ledger.note(
                f"{plan.name}: its line is set otherwise than for the first device on it; '{bus_id}' has that one's"
            )
        places.add((bus_id, plan.address))
        lines_used.add(plan.line_path)
        blocks.append(_device(plan, points, id_of(plan.name, "device", ids), bus_id, profile))
    for plan in plans:
        if plan.line_path not in lines_used:
            ledger.withdraw(plan.line_path, "bus.", "no device stands on this line, so no [[bus]] was written")
    head = f"# {_printable(title)}\n# What was not carried is in the report of the import; read a meter beside its display.\n\n"
    edge = _table("[edge]", {"id": "gw-1", "data": "data", "profiles": folder})
    lines = [_table("[[bus]]", {"id": id_, **bus.rows}) for id_, bus in buses.values()]
    result.settings = head + "\n".join((edge, *lines, *blocks))
    result.devices, result.buses = len(blocks), len(buses)
    return result


def _withdraw(plan: DevicePlan, ledger: Ledger, reason: str) -> None:
    for path in plan.paths:
        ledger.withdraw(path, "device.", reason)


def _named(plan: DevicePlan, ledger: Ledger) -> list[Named]:
    """Name the points that one profile may have."""
    taken: set[str] = set()
    kept: list[Named] = []
    for point in plan.points:
        if point.places.stop > 65536:
            ledger.leave(point.path, f"a {point.type} at {point.address} ends beyond register 65535")
            continue
        if (other := next((it for it in kept if _clash(it.point, point)), None)) is not None:
            same = (other.point.address, other.point.type, other.point.order) == (
                point.address,
                point.type,
                point.order,
            )
            told = "is the same number as" if same else "shares a register with"
            text = f"'{point.label}' {told} '{other.point.label}', and a profile has each register once"
            if any(it.point.path == point.path for it in kept):
                ledger.note(text)  # other points of this entity are carried
            else:
                ledger.leave(point.path, text)
            continue
        fallback = f"{('coil', 'discrete', 'holding', 'input')[point.function - 1]}{point.address}"
        kept.append(Named(point_name(point.label, point.unit, fallback, taken), point))
    return kept


def _clash(one: PointPlan, other: PointPlan) -> bool:
    if one.function != other.function or not set(one.places) & set(other.places):
        return False
    is_same = (one.address, one.type, one.order) == (other.address, other.type, other.order)
    return not is_same or one.bit is None or other.bit is None or one.bit == other.bit


def _profile(
    plan: DevicePlan, points: Sequence[Named], kind: str, result: Result, maps: dict[str, str], title: str
) -> str:
    """Write the profile of a register map, or find the one of another device that has the same."""
    text = "\n".join(_point(it) for it in points)
    if (known := maps.get(text)) is not None:
        return known
    stems = {name.partition("/")[2] for name in result.profiles}
    name = f"{kind}/{id_of(plan.name, 'device', stems)}"
    maps[text] = name
    head = _table(
        "",
        {
            "title": plan.name,
            "kind": kind,
            "protocol": "modbus",
            "sources": [title],
            "caveats": ["Imported and not held against a manual: compare every point with the device's display."],
        },
    ).lstrip()
    result.profiles[name] = f"{head}\n{text}"
    return name


def _kinds(points: Sequence[Named]) -> list[str]:
    """Say what a device can be by its units, the likeliest first."""
    units = {it.point.unit for it in points}
    told = [
        kind for kind, known in (("heat", _HEAT), ("electricity", _ELECTRIC), ("water", _WATER)) if units & set(known)
    ]
    return [*told, "io", "sensor", "electricity"]


def _point(it: Named) -> str:
    point = it.point
    rows: dict[str, object] = {"name": it.name, "function": point.function, "address": point.address}
    if point.type != "bit":
        rows["type"] = point.type
        if point.order != "ABCD" or point.type[1:] != "16":
            rows["order"] = point.order
    if point.type == "u8hi":
        rows.pop("order")
    if point.scale != 1:
        rows["scale"] = point.scale
    if point.bit is not None:
        rows["bit"] = point.bit
    if point.not_available is not None:
        rows["not_available"] = point.not_available
    if point.states:
        rows["states"] = {str(code): word for code, word in sorted(point.states.items())}
    elif point.unit:
        rows["unit"] = point.unit
    if point.is_register:
        rows["register"] = True
    said = f"# {_printable(' '.join(point.label.split()))}\n" if point.label and point.label != it.name else ""
    return said + _table("[[point]]", rows)


def _device(plan: DevicePlan, points: Sequence[Named], id_: str, bus: str, profile: str) -> str:
    rows: dict[str, object] = {"id": id_, "name": plan.name, "bus": bus, "profile": profile, "address": plan.address}
    if plan.period_s is not None:
        rows["period_s"] = plan.period_s
    polled = [it.name for it in points if it.point.is_polled]
    if polled and len(polled) < len(points):
        rows["points"] = polled
    return _table("[[device]]", rows)


def _table(header: str, rows: Mapping[str, object]) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in rows.items()]
    return "\n".join((header, *lines, ""))


def _printable(text: str) -> str:
    """Leave out what a text in TOML cannot hold."""
    return "".join(letter for letter in text if letter.isprintable())


def _value(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(_printable(value), ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(it)}" for key, it in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_value, value)) + "]"
    return f"{value:f}" if hasattr(value, "as_tuple") else f"{value}"
