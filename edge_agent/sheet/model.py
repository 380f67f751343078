"""What a commissioning sheet says, before it is drawn. Pure.

A label's code is ``gatehouse:device:EDGE/DEVICE``: two ids of small letters, digits and dashes. It names the
device and nothing else, so that a label stays right when an address, a name or a network changes.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drivers.bus.settings import BusSettings, SerialSettings, TcpSettings
from edge_agent.config import Device, Settings

OK, FAILED, NOT_READ = "ok", "failed", "not read"
_NO_VALUES: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a device said just now.

    Shape: ``values`` as ``edge read --json`` gives them; ``error`` is a sentence, None where it answered.
    Units: ``took_ms`` is for all its points, from the question to the last answer.
    """

    values: Sequence[Mapping[str, Any]]
    error: str | None
    took_ms: float


@dataclass(frozen=True, slots=True)
class PointRow:
    """One line of a device's table; the empty texts of a point that was not read are for a pen."""

    name: str
    value: str
    unit: str
    quality: str
    taken_at: str


@dataclass(frozen=True, slots=True)
class DeviceBlock:
    """One device on the sheet."""

    id: str
    name: str
    address: str
    profile: str
    source: str
    result: str
    error: str | None
    took_ms: float | None
    points: tuple[PointRow, ...]
    code: str


@dataclass(frozen=True, slots=True)
class BusBlock:
    """One line of the site and what stands on it; ``facts`` are pairs of a heading and a text."""

    id: str
    facts: tuple[tuple[str, str], ...]
    error: str | None
    devices: tuple[DeviceBlock, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole sheet; ``made_at`` carries the site's zone."""

    edge_id: str
    site: str
    made_at: datetime
    version: str
    fingerprint: str
    buses: tuple[BusBlock, ...]

    @property
    def devices(self) -> tuple[DeviceBlock, ...]:
        return tuple(device for bus in self.buses for device in bus.devices)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many devices answered, failed and were not read."""
        found = Counter(device.result for device in self.devices)
        return {result: found[result] for result in (OK, FAILED, NOT_READ)}


def label_code(edge_id: str, device_id: str) -> str:
    """Give the text of a device's label."""
    return f"gatehouse:device:{edge_id}/{device_id}"


def fingerprint(settings_file: bytes) -> str:
    """Give what ``sha256sum edge.toml`` prints, so that anybody can hold a file against a sheet."""
    return hashlib.sha256(settings_file).hexdigest()


def new_sheet(
    settings: Settings,
    print_: str,
    head: tuple[str, str, datetime],
    status: Mapping[str, Mapping[str, Any]],
    readings: Mapping[str, Reading],
) -> Sheet:
    """Put a sheet together.

    Shape: ``head`` is the site's name, the software's version and the instant; ``status`` has the buses of
    ``edge status`` by id, and ``readings`` the devices that were read.
    """
    site, version, made_at = head
    here = made_at.astimezone(settings.zone)
    buses = tuple(
        BusBlock(
            bus.id,
            _facts(bus, status.get(bus.id, {})),
            status.get(bus.id, {}).get("error"),
            tuple(
                _device(settings, device, readings.get(device.id))
                for device in settings.devices
                if device.bus == bus.id
            ),
        )
        for bus in settings.buses
    )
    return Sheet(settings.edge_id, site, here, version, print_, buses)


def _facts(bus: BusSettings, row: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    used, nominal = row.get("utilisation"), row.get("nominal_ms")
    return (
        ("kind", bus.kind),
        *_line(bus),
        ("timeout", f"{bus.timeout_s:g} s"),
        ("utilisation", "-" if used is None else f"{100 * used:.0f} %"),
        ("nominal period", "-" if nominal is None else f"{nominal / 1000:.1f} s"),
    )


def _line(bus: BusSettings) -> tuple[tuple[str, str], ...]:
    if isinstance(bus, TcpSettings):
        return (("port", f"{bus.host}:{bus.port}"),)
    if isinstance(bus, SerialSettings):
        port = ("port", bus.port)
        if bus.port.startswith("tcp://"):
            return (port,)
        setting = f"{bus.baudrate} {bus.bytesize}{bus.parity}{bus.stopbits}"
        return (port, ("line", setting + (" ASCII" if bus.is_ascii else "")))
    return (("port", bus.place),)


def _device(settings: Settings, device: Device, reading: Reading | None) -> DeviceBlock:
    values = {value["point"]: value for value in (reading.values if reading is not None else _NO_VALUES)}
    units = {point.name: point.canonical_unit for point in device.profile.points}
    result = NOT_READ if reading is None else OK if reading.error is None else FAILED
    return DeviceBlock(
        id=device.id,
        name=device.name,
        address=device.address,
        profile=device.profile.name,
        source=device.profile.sources[0] if device.profile.sources else "",
        result=result,
        error=None if reading is None else reading.error,
        took_ms=None if reading is None else reading.took_ms,
        points=tuple(_point(settings, name, units[name], values.get(name)) for name in device.points),
        code=label_code(settings.edge_id, device.id),
    )


def _point(settings: Settings, name: str, unit: str, value: Mapping[str, Any] | None) -> PointRow:
    if value is None:
        return PointRow(name, "", unit, "", "")
    number = "-" if value["value"] is None else str(value["value"])
    shown = f"{value['word']} ({number})" if value.get("word") else number
    at = datetime.fromisoformat(value["taken_at"]).astimezone(settings.zone)
    return PointRow(name, shown, unit, value["quality"], f"{at:%H:%M:%S}")
