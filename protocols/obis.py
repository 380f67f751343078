"""Data sets of electricity and other meters by OBIS: ``1-0:1.8.0*255(000123.45*kWh)``.

A-B:C.D.E*F: A the medium, B the channel, C what, D how it was measured, E the tariff, F which past one.
Meters leave out what is usual, so 1.8.0 and 1-0:1.8.0*255 are the same register.

Source: the house's fact sheet, chapter 6, which names pwitab/iec62056-21 and the DSMR parsers of
ndokter and lvzon; the lists of DSMR 5 for what P1 adds.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from protocols.errors import MalformedFrame
from protocols.quantity import UNITS, Quality, Quantity


class DataSet(NamedTuple):
    """One address and what stands in its brackets, in their order."""

    address: str
    fields: tuple[str, ...]


class Reading(NamedTuple):
    """One value.

    Shape: ``obis`` as C.D.E, or as sent where it is none; ``medium`` is A, 1 for electricity; ``channel``
    0 is the meter itself, others are meters that it speaks for; ``storage`` n the n-th past value by the
    meter's own count; ``at`` its own instant, ISO 8601 without a zone; ``text`` what is no number.
    """

    name: str
    obis: str
    quantity: Quantity
    raw: bytes
    text: str | None = None
    medium: int = 1
    channel: int = 0
    tariff: int | None = None
    storage: int | None = None
    at: str | None = None


class _Code(NamedTuple):
    medium: int
    channel: int
    c: str
    d: str
    e: int
    storage: int | None

    @property
    def text(self) -> str:
        return f"{self.c}.{self.d}.{self.e}"


# All that stands on one line but its brackets must be an address; a line may go on with more brackets.
_LINE = re.compile(r"([^()]*)((?:\([^()]*\))*)")
_FIELD = re.compile(r"\(([^()]*)\)")
_CODE = re.compile(r"(?:(\d{1,3})-(\d{1,3}):)?([0-9]{1,3}|[CFLP])\.([0-9]{1,3}|[F])(?:\.(\d{1,3}))?(?:[*&](\d{1,3}))?")
_NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,9})?")
_INSTANT = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?[SW]?")
_ENERGY, _MAXIMUM, _NOW = "8", "6", "7"
_ENERGIES = {
    "1": ("energyImport", True),
    "2": ("energyExport", True),
    "3": ("reactiveImport", False),
    "4": ("reactiveExport", False),
    "5": ("reactiveQuadrant1", False),
    "6": ("reactiveQuadrant2", False),
    "7": ("reactiveQuadrant3", False),
    "8": ("reactiveQuadrant4", False),
    "9": ("apparentImport", False),
    "10": ("apparentExport", False),
    "15": ("energyAbsolute", True),
    "16": ("energyNet", True),
}
_MOMENTS = {
    "1": "powerImport",
    "2": "powerExport",
    "16": "powerTotal",
    "3": "reactivePowerImport",
    "4": "reactivePowerExport",
    "9": "apparentPowerTotal",
    "13": "pf",
    "14": "freq",
    "91": "currentNeutral",
    **{f"{20 * phase + 1}": f"powerImportL{phase}" for phase in (1, 2, 3)},
    **{f"{20 * phase + 2}": f"powerExportL{phase}" for phase in (1, 2, 3)},
    **{f"{20 * phase + 3}": f"reactivePowerImportL{phase}" for phase in (1, 2, 3)},
    **{f"{20 * phase + 4}": f"reactivePowerExportL{phase}" for phase in (1, 2, 3)},
    **{f"{20 * phase + 11}": f"currentL{phase}" for phase in (1, 2, 3)},
    **{f"{20 * phase + 12}": f"voltageL{phase}" for phase in (1, 2, 3)},
    **{f"{20 * phase + 13}": f"pfL{phase}" for phase in (1, 2, 3)},
    **{f"{20 * phase + 16}": f"powerL{phase}" for phase in (1, 2, 3)},
}
_DEMANDS = {"1": "demandImportMax", "2": "demandExportMax", "3": "reactiveDemandImportMax"}
_OTHERS = {
    "0.9.1": "meterTime",
    "0.9.2": "meterDate",
    "0.0.0": "meterNumber",
    "C.1.0": "meterNumber",
    "96.1.0": "meterNumber",
    "96.1.1": "meterNumber",
    "F.F.0": "errorCode",
    "0.2.0": "firmware",
    "0.2.8": "protocolVersion",
    "1.0.0": "meterTime",
    "96.14.0": "tariffNow",
    "96.7.21": "powerOutageCount",
    "96.7.9": "longPowerOutageCount",
    "96.13.0": "message",
    "96.13.1": "messageCode",
    "17.0.0": "powerLimit",
    "96.3.10": "relayState",
    "24.1.0": "deviceType",
    "24.4.0": "valveState",
    **{f"{20 * phase + 12}.32.0": f"voltageSagCountL{phase}" for phase in (1, 2, 3)},
    **{f"{20 * phase + 12}.36.0": f"voltageSwellCountL{phase}" for phase in (1, 2, 3)},
}
# What a meter behind another one measures, by the device type that it tells.
_DEVICES = {
    2: "energyImportTotal",
    3: "gasVolume",
    4: "heatEnergy",
    6: "hotWaterVolume",
    7: "waterVolume",
    10: "coolingEnergy",
    11: "coolingEnergy",
    12: "heatEnergy",
}
_UNIT_WORDS = {unit.lower(): unit for unit in UNITS if unit}


def parse_lines(text: str) -> list[DataSet]:
    """Take lines of data sets apart; a line that begins with a bracket belongs to the one before.

    Raises: MalformedFrame for a line that is none.
    """
    sets: list[DataSet] = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        if line == "!":
            continue
        rest = line
        while rest:
            match = _LINE.match(rest)
            if match is None or not match[2]:
                raise MalformedFrame(f"'{line[:40]}' is no data set: an address and brackets")
            fields = tuple(_FIELD.findall(match[2]))
            if match[1].strip():
                sets.append(DataSet(match[1].strip(), fields))
            elif sets and rest is line:
                sets[-1] = DataSet(sets[-1].address, sets[-1].fields + fields)
            else:
                raise MalformedFrame(f"'{line[:40]}' has a value without an address")
            rest = rest[match.end() :]
    return sets


def readings(sets: Sequence[DataSet]) -> list[Reading]:
    """Name and read the values of a message; one without a known name bears its address."""
    devices = _device_types(sets)
    return [reading for each in sets for reading in _readings(each, devices)]


def normal_obis(text: str) -> str | None:
    """Write an address as C.D.E, the form in which readings bear it; None for what is none."""
    code = _code(text)
    return None if code is None else code.text


def channel_of(text: str) -> int | None:
    """Tell the channel of an address that names one, 0 for the meter itself."""
    code = _code(text)
    return None if code is None else code.channel


def _code(address: str) -> _Code | None:
    match = _CODE.fullmatch(address)
    if match is None:
        return None
    medium, channel, c, d, e, f = match.groups()
    storage = None if f is None or int(f) == 0xFF else int(f)
    is_other = int(medium or 1) == 0
    return _Code(int(medium or 1), int(channel or 0) if is_other else 0, c.lstrip("0") or "0", d, int(e or 0), storage)


def _device_types(sets: Sequence[DataSet]) -> Mapping[int, int]:
    types: dict[int, int] = {}
    for each in sets:
        code = _code(each.address)
        if code is not None and code.text == "24.1.0" and each.fields and each.fields[0].isdecimal():
            types[code.channel] = int(each.fields[0][:3])
    return types


def _readings(each: DataSet, devices: Mapping[int, int]) -> Iterator[Reading]:
    code = _code(each.address)
    if code is None:
        for place, field in enumerate(each.fields):
            name = each.address if place == 0 else f"{each.address}[{place}]"
            yield _read(Reading(name, each.address, Quantity(None, ""), b""), field)
        return
    tariff = code.e if code.d in (_ENERGY, _MAXIMUM) else None
    about = Reading(
        _name(code),
        code.text,
        Quantity(None, ""),
        b"",
        medium=code.medium,
        channel=code.channel,
        tariff=tariff,
        storage=code.storage,
    )
    if code.c == "24" and code.d in ("2", "3"):
        yield _behind(about, each.fields, devices)
        return
    at = _instant(each.fields[1]) if len(each.fields) == 2 and code.d == _MAXIMUM else None
    for place, field in enumerate(each.fields[:1] if at else each.fields):
        yield _read(about._replace(at=at, name=about.name + (f"[{place}]" if place else "")), field)


def _behind(about: Reading, fields: tuple[str, ...], devices: Mapping[int, int]) -> Reading:
    """Read what a meter on a channel tells: an instant first and its value last, the unit at either's side.

    Shape: DSMR 4 and 5 write (instant)(value*unit), DSMR 3 (instant)(..)(..)(n)(address)(unit)(value).
    """
    name = _DEVICES.get(devices.get(about.channel, 3 if about.obis == "24.3.0" else 0), "channelValue")
    about = about._replace(name=name, at=_instant(fields[0]) if fields else None)
    if len(fields) < 2:
        return about._replace(quantity=Quantity(None, "", Quality.INVALID))
    value = fields[-1] if len(fields) != 7 or "*" in fields[-1] else f"{fields[-1]}*{fields[5]}"
    return _read(about, value)


def _name(code: _Code) -> str:
    tariff = f"Tariff{code.e}" if code.e else ""
    if code.medium == 1 and code.d == _ENERGY and code.c in _ENERGIES:
        name, is_active = _ENERGIES[code.c]
        return name + (tariff or ("Total" if is_active else ""))
    if code.medium == 1 and code.d == _NOW and code.c in _MOMENTS and not code.e:
        return _MOMENTS[code.c]
    if code.medium == 1 and code.d == _MAXIMUM and code.c in _DEMANDS:
        return _DEMANDS[code.c] + tariff
    return _OTHERS.get(code.text, code.text)


def _read(about: Reading, field: str) -> Reading:
    raw = field.encode("ascii", "replace")
    value, has_unit, unit = field.partition("*")
    unit = _UNIT_WORDS.get(unit.lower(), unit)
    if about.name == "meterTime" and (at := _instant(value)):
        return about._replace(raw=raw, text=at)
    if has_unit and _NUMBER.fullmatch(value):
        return about._replace(raw=raw, quantity=Quantity(Decimal(value), unit))
    if has_unit:
        is_empty = bool(value) and not value.strip("-* ")
        quality = Quality.NOT_AVAILABLE if is_empty else Quality.INVALID
        return about._replace(raw=raw, quantity=Quantity(None, unit, quality))
    if (about.name in ("pf", "pfL1", "pfL2", "pfL3") or about.name.endswith("Count")) and _NUMBER.fullmatch(value):
        return about._replace(raw=raw, quantity=Quantity(Decimal(value), ""))
    return about._replace(raw=raw, text=field)


def _instant(field: str) -> str | None:
    match = _INSTANT.fullmatch(field)
    if match is None:
        return None
    year, month, day, hour, minute, second = match.groups(default="00")
    if not ("01" <= month <= "12" and "01" <= day <= "31" and hour <= "23" and minute <= "59" and second <= "59"):
        return None
    return f"20{year}-{month}-{day}T{hour}:{minute}:{second}"
