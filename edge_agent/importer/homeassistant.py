"""Home Assistant's ``modbus:`` hubs.

Source: home-assistant/home-assistant.io, source/_integrations/modbus.markdown, and the house's fact sheet
"The field", chapter Importers.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from edge_agent.importer.entity import Entity
from edge_agent.importer.ledger import Ledger
from edge_agent.importer.line import Line, tagged
from edge_agent.importer.plan import BusPlan, DevicePlan, PointPlan
from edge_agent.importer.platform import entities
from edge_agent.importer.source import Path_, Tag
from protocols.toml import Fault, SettingsError

_PLATFORMS = ("sensors", "binary_sensors", "switches", "lights", "fans", "covers", "climates")
_LEFT = {
    "delay": "a line is used as soon as it is open; a device that needs rest is asked again",
    "message_wait_milliseconds": "the pause between requests follows from the line's speed",
    "close_comm_on_error": "a lost line is opened again by its own rules",
    "retries": "a lost answer is asked for again by the line's own rules",
    "retry_on_empty": "a lost answer is asked for again by the line's own rules",
}
_SHORTEST_S = Decimal("0.05")
_UNITS = ("slave", "device_address", "unit")


def read_homeassistant(ledger: Ledger) -> list[DevicePlan]:
    """Find the devices of a file. Raises: SettingsError where it is no such file."""
    hubs = list(_hubs(ledger))
    if not hubs:
        message = "no hub was found: neither 'modbus:' nor a list of hubs"
        raise SettingsError([Fault(ledger.source.file, 0, "", message, "Name the file that has Modbus hubs.")])
    return [plan for path, hub in hubs for plan in _devices(ledger, path, hub)]


def _hubs(ledger: Ledger) -> Iterator[tuple[Path_, dict[str, Any]]]:
    """Give every hub's table: under ``modbus:``, or of a file that ``!include`` names there."""
    data = ledger.source.data
    rows = data
    path: Path_ = ()
    if isinstance(data, dict) and not _is_hub(data):
        for key in data:
            if key != "modbus":
                ledger.leave((key,), "it is not of Modbus")
        rows, path = data.get("modbus"), ("modbus",)
        if isinstance(rows, Tag):
            ledger.leave(path, f"the hubs stand elsewhere (!{rows.kind} {rows.text}): import that file")
    if isinstance(rows, dict):
        yield path, rows
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        if isinstance(row, dict) and _is_hub(row):
            yield (*path, index), row


def _is_hub(table: Mapping[str, Any]) -> bool:
    return "type" in table and any(key in table for key in ("host", "port", *_PLATFORMS))


def _devices(ledger: Ledger, path: Path_, hub: Mapping[str, Any]) -> Iterator[DevicePlan]:
    """Give the devices behind a hub: one for each unit that its entities name."""
    name = str(hub.get("name") or "modbus hub")
    if "name" in hub:
        ledger.carry((*path, "name"), "device.name")
    for key in hub:
        if key in _LEFT:
            ledger.leave((*path, key), _LEFT[key])
    bus = _bus(ledger, path, hub, name)
    units: dict[str, list[PointPlan]] = {}
    periods: dict[str, Decimal] = {}
    is_unnamed = False
    for platform in _PLATFORMS:
        rows = hub.get(platform)
        if isinstance(rows, Tag):
            ledger.leave((*path, platform), tagged(rows, "the profile"))
        for index, row in enumerate(rows if isinstance(rows, list) else ()):
            if not isinstance(row, dict):
                continue
            here = (*path, platform, index)
            unit = _unit(ledger, here, row)
            is_unnamed |= not any(key in row for key in _UNITS)
            units.setdefault(unit, []).extend(_points(ledger, here, platform, row))
            _note_period(ledger, here, row, unit, periods)
    if is_unnamed:
        ledger.note(f"{name}: an entity that names no slave is read at unit 1; older versions of theirs asked unit 0")
    for unit, points in sorted(units.items(), key=lambda it: it[0].rjust(4)):
        period = periods.get(unit)
        title = f"{name} {unit}" if len(units) > 1 else name
        paths = tuple(dict.fromkeys(point.path for point in points))
        yield DevicePlan(paths, path, title, unit, bus, None if period is None else float(period), tuple(points))


def _bus(ledger: Ledger, path: Path_, hub: Mapping[str, Any], name: str) -> BusPlan | None:
    kind = str(hub.get("type", "")).lower()
    if kind not in ("tcp", "udp", "rtuovertcp", "serial"):
        ledger.leave((*path, "type"), f"there is no bus of the type '{kind}' here")
        return None
    return Line(ledger, path, hub, name).plan(kind)


def _unit(ledger: Ledger, path: Path_, row: Mapping[str, Any]) -> str:
    for key in _UNITS:
        if key in row:
            if isinstance(row[key], Tag):
                ledger.leave((*path, key), tagged(row[key], "device.address"))
                return "1"
            ledger.carry((*path, key), "device.address")
            return str(row[key])
    return "1"


def _points(ledger: Ledger, path: Path_, platform: str, row: Mapping[str, Any]) -> list[PointPlan]:
    try:
        return list(entities(platform)(Entity(ledger, path, row)))
    except ValueError as error:
        ledger.leave(path, str(error))
        return []


def _note_period(ledger: Ledger, path: Path_, row: Mapping[str, Any], unit: str, periods: dict[str, Decimal]) -> None:
    """Take the shortest period of a device's entities; a device is read as a whole."""
    value, here = row.get("scan_interval"), (*path, "scan_interval")
    if value is None:
        return
    if (
        isinstance(value, bool)
        or not isinstance(value, int | Decimal)
        or not (value == 0 or _SHORTEST_S <= value <= 86_400)
    ):
        ledger.leave(here, f"'{value}' is no period from 0.05 s to a day")
    elif value == 0:
        ledger.carry(here, "device.points")
    else:
        ledger.carry(here, "device.period_s (the shortest of a device)")
        periods[unit] = min(periods.get(unit, Decimal(value)), Decimal(value))
