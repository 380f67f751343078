"""The small estate of the demonstration: what is simulated, and whose home each meter serves."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Meter:
    """One device of the demonstration; ``unit`` is the home it is billed to, None for the rest."""

    id: str
    line: str
    profile: str
    address: str
    period_s: int
    unit: str | None = None
    tariff: str | None = None
    point: str | None = None
    initial: str | None = None
    mean: int | None = None
    dead: bool = False

    @property
    def kind(self) -> str:
        return self.profile.split("/")[0]

    def name(self, language: str) -> str:
        """Name it as people of the estate would."""
        word = NAMES[self.id if self.id in NAMES else self.kind][language]
        return f"{self.unit} {word}" if self.unit else word


_ELECTRICITY = {"tariff": "beijing-electricity-residential", "point": "energyImportTotal"}
_WATER = {"tariff": "beijing-water-residential", "point": "volumeTotal"}
_SDM, _DTSU = "electricity/eastron-sdm630", "electricity/chint-dtsu666"
_DLT, _CJT = "electricity/dlt645-2007", "water/cjt188"

METERS = (
    Meter("em-101", "sdm-630", _SDM, "1", 2, "1-101", initial="20417.35", mean=900, **_ELECTRICITY),
    Meter("em-102", "dtsu-666", _DTSU, "2", 2, "1-102", initial="3120.08", mean=450, **_ELECTRICITY),
    Meter("em-201", "line-1", _DLT, "202611000103", 3, "1-201", initial="1234.56", mean=380, **_ELECTRICITY),
    Meter("em-202", "line-1", _DLT, "202611000104", 3, "1-202", initial="4810.02", mean=520, **_ELECTRICITY),
    Meter("em-301", "line-1", _DLT, "202611000105", 3, "1-301", initial="87.90", mean=290, **_ELECTRICITY),
    Meter("em-302", "line-1", _DLT, "202611000106", 3, dead=True),
    Meter("wm-101", "line-2", _CJT, "20261100000201", 3, "1-101", initial="312.44", mean=18, **_WATER),
    Meter("wm-102", "line-2", _CJT, "20261100000202", 3, "1-102", initial="98.07", mean=12, **_WATER),
    Meter("wm-201", "line-2", _CJT, "20261100000203", 3, "1-201", initial="1204.91", mean=25, **_WATER),
    Meter("lift-a", "lift-gw", "elevator/modbus-gateway", "1", 2),
    Meter("door-1", "door-io", "access/modbus-door", "1", 2),
)
NAMES = {
    "electricity": {"zh": "电表", "en": "electricity"},
    "water": {"zh": "水表", "en": "water"},
    "em-302": {"zh": "1-302 电表(未安装)", "en": "1-302 electricity (not installed)"},
    "lift-a": {"zh": "1 号楼 A 梯", "en": "Building 1 lift A"},
    "door-1": {"zh": "1 号楼单元门", "en": "Building 1 entrance"},
    "site": {"zh": "港湾一期", "en": "Harbour Phase 1"},
    "1": {"zh": "1 号楼", "en": "Building 1"},
    "2": {"zh": "2 号楼", "en": "Building 2"},
}
_KNOWN = {
    "1-101": ({"zh": "张伟", "en": "Zhang Wei"}, "97.41"),
    "1-102": ({"zh": "王芳", "en": "Wang Fang"}, "89.37"),
    "1-201": ({"zh": "李娜", "en": "Li Na"}, "120.55"),
    "1-202": ({"zh": "刘洋", "en": "Liu Yang"}, "64.02"),
    "1-301": ({"zh": "陈静", "en": "Chen Jing"}, "143.88"),
    "1-302": ({"zh": "赵磊", "en": "Zhao Lei"}, "89.37"),
}
_FAMILY = (("黄", "Huang"), ("周", "Zhou"), ("吴", "Wu"), ("徐", "Xu"), ("孙", "Sun"), ("马", "Ma"), ("朱", "Zhu"))
_GIVEN = (("敏", "Min"), ("强", "Qiang"), ("丽", "Li"), ("军", "Jun"), ("洁", "Jie"), ("勇", "Yong"))
_AREAS = ("89.37", "97.41", "120.55", "64.02")


@dataclass(frozen=True, slots=True)
class Home:
    """A unit of the estate and who owns it; ``number`` counts from 0."""

    number: int
    building: str
    code: str
    owner: Mapping[str, str]
    area: str

    @property
    def phone(self) -> str:
        return f"138{10_000_000 + 137_911 * (self.number + 1):08d}"

    @property
    def has_line(self) -> bool:
        """Tell whether its meters are read by the gateway; the others are read by people."""
        return self.code in _KNOWN


def _homes() -> Iterator[Home]:
    for number in range(40):
        building, floor, door = 1 + number // 20, 1 + number % 20 // 4, 1 + number % 4
        code = f"{building}-{floor}0{door}"
        family, given = _FAMILY[number % len(_FAMILY)], _GIVEN[number % len(_GIVEN)]
        made = {"zh": family[0] + given[0], "en": f"{family[1]} {given[1]}"}
        owner, area = _KNOWN.get(code, (made, _AREAS[door - 1]))
        yield Home(number, str(building), code, owner, area)


HOMES = tuple(_homes())
LEFT = HOMES[4]  # its tenant has moved out
EQUIPMENT = (
    ("LF-A", "lift", {"zh": "1 号楼 A 梯", "en": "Building 1 lift A"}, "1"),
    ("PU-1", "pump", {"zh": "生活水泵 1 号", "en": "Water pump 1"}, None),
    ("PU-2", "pump", {"zh": "生活水泵 2 号", "en": "Water pump 2"}, None),
    ("FP-1", "fire", {"zh": "消防水泵", "en": "Fire pump"}, None),
    ("EL-1", "electrical", {"zh": "配电室低压柜", "en": "Low-voltage cabinet"}, None),
    ("DR-1", "door", {"zh": "1 号楼单元门", "en": "Building 1 entrance"}, "1"),
)
TCP_LINES = ("sdm-630", "dtsu-666", "lift-gw", "door-io")


def table(header: str, values: Mapping[str, Any]) -> str:
    """Write one TOML table; a JSON string, number or truth value is a TOML one too."""
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value is not None]
    return "\n".join((header, *lines, "", ""))


def site_toml(ports: Mapping[str, int], *, seed: int, speed: int) -> str:
    """Describe the simulated site: meters that live ``speed`` seconds in each."""
    text = table("[site]", {"seed": seed, "speed": speed, "journal": "journal.jsonl", "state": "sim-state.json"})
    for line in TCP_LINES:
        text += table("[[line]]", {"id": line, "kind": "modbus-tcp", "port": ports[line]})
    text += table(
        "[[line]]",
        {"id": "line-1", "kind": "serial", "path": "line-1", "baudrate": 9600, "paced": True, "reply_ms": 25},
    )
    text += table("[line.faults]", {"preamble": 4, "noise": 0.05, "late": 0.02, "late_s": 0.3})
    text += table(
        "[[line]]",
        {"id": "line-2", "kind": "serial", "path": "line-2", "baudrate": 9600, "paced": True, "reply_ms": 25},
    )
    text += table("[line.faults]", {"echo": True, "preamble": 2})
    for meter in METERS:
        values = {"id": meter.id, "line": meter.line, "profile": meter.profile}
        values |= {"address": meter.address, "initial": meter.initial, "mean": meter.mean}
        text += table("[[device]]", values | {"dead": meter.dead or None})
    return text


def edge_toml(ports: Mapping[str, int], uplink: int, language: str, *, speed: int) -> str:
    """Set up the gateway."""
    text = table("[edge]", {"id": "gw-1", "data": "edge"})
    text += table("[uplink]", {"url": f"http://127.0.0.1:{uplink}", "secret_file": "gw-1.secret"})
    for line in TCP_LINES:
        values = {"id": line, "kind": "modbus-tcp", "host": "127.0.0.1", "port": ports[line], "timeout_ms": 500}
        text += table("[[bus]]", values)
    for line in ("line-1", "line-2"):
        values = {"id": line, "kind": "serial", "port": line, "baudrate": 9600, "parity": "N", "timeout_ms": 500}
        text += table("[[bus]]", values)
    for meter in METERS:
        values = {"id": meter.id, "name": meter.name(language), "bus": meter.line, "profile": meter.profile}
        # A line of 9,600 baud carries three meters' few points in their period, and not all they have.
        points = ["energyImportTotal", "powerTotal", "voltageL1"] if meter.profile == _DLT else None
        # Meters that live faster count faster; the counter guard must not take that for a fault.
        values |= {"address": meter.address, "period_s": meter.period_s}
        values |= {"max_per_hour": 1000 * speed if meter.mean is not None else None}
        text += table("[[device]]", values | {"points": points})
    return text


def central_toml(port: int, language: str) -> str:
    """Set up the centre."""
    values = {"listen": f"127.0.0.1:{port}", "database": "sqlite:///central/central.db"}
    return table("[central]", values | {"language": language, "zone": "Asia/Shanghai"})


def manual_points(home: Home) -> tuple[tuple[str, str, str, str, Decimal, Decimal], ...]:
    """Give kind, device, point, tariff, first register and use of a month of a home whose meters people read."""
    first = Decimal(1000 + 37 * home.number)
    power, water = Decimal(150 + 7 * home.number % 190), Decimal(4 + home.number % 9)
    return (
        ("electricity", f"em-{home.code}", "energyImportTotal", _ELECTRICITY["tariff"], first, power),
        ("water", f"wm-{home.code}", "volumeTotal", _WATER["tariff"], first / 4, water),
    )


def records_toml(edge_id: str, language: str, since: date, manual_id: str = "manual-1") -> str:
    """Write what the centre knows of the estate; homes without a line are read by hand since a day."""
    text = table("[[site]]", {"code": "harbour", "name": NAMES["site"][language], "zone": "Asia/Shanghai"})
    for building in ("1", "2"):
        values = {"site": "harbour", "code": building, "name": NAMES[building][language]}
        text += table("[[building]]", values)
    for home in HOMES:
        text += table("[[owner]]", {"code": f"o-{home.code}", "name": home.owner[language], "phone": home.phone})
        values = {"site": "harbour", "building": home.building, "code": home.code, "area_m2": home.area}
        text += table("[[unit]]", values | {"owner": f"o-{home.code}"})
        if not home.has_line:
            text += _manual(home, manual_id, since)
    text += _people(language, since)
    for code, kind, name, building in EQUIPMENT:
        values = {"site": "harbour", "code": code, "name": name[language], "kind": kind, "building": building}
        text += table("[[equipment]]", values)
    for meter in METERS:
        if meter.unit is None:
            continue
        place = {"site": "harbour", "building": "1", "unit": meter.unit}
        code = f"{meter.unit}-{meter.kind}"
        text += table("[[metering_point]]", {"code": code, **place, "kind": meter.kind, "tariff": meter.tariff})
        values = {"metering_point": code, "gateway": edge_id, "device": meter.id, "point": meter.point}
        # An instant is no JSON: it stands without quotes.
        text += table("[[installation]]", values).rstrip() + "\nfrom = 2026-01-01T00:00:00+08:00\n\n"
    return text


def _manual(home: Home, manual_id: str, since: date) -> str:
    text, place = "", {"site": "harbour", "building": home.building, "unit": home.code}
    for kind, device, point, tariff, first, _ in manual_points(home):
        code = f"{home.code}-{kind}"
        text += table("[[metering_point]]", {"code": code, **place, "kind": kind, "tariff": tariff})
        values = {"metering_point": code, "gateway": manual_id, "device": device, "point": point, "initial": str(first)}
        text += table("[[installation]]", values).rstrip() + f"\nfrom = {since}T00:00:00+08:00\n\n"
    return text


def _people(language: str, since: date) -> str:
    """Every fifth home is let; one tenant has moved out again. Every third owner has a car."""
    text = ""
    for home in HOMES[4::5]:
        place = {"site": "harbour", "building": home.building, "unit": home.code, "person": f"t-{home.code}"}
        name = {"zh": f"租客{home.number}", "en": f"Tenant {home.number}"}[language]
        phone = f"139{20_000_000 + home.number:08d}"
        text += table("[[owner]]", {"code": f"t-{home.code}", "name": name, "phone": phone})
        text += table("[[tenancy]]", place).rstrip() + f"\nfrom_on = {since}\n"
        text += f"to_on = {since + timedelta(days=60)}\n\n" if home is LEFT else "\n"
    for home in HOMES[::3]:
        place = {"site": "harbour", "building": home.building, "unit": home.code}
        text += table("[[vehicle]]", {"plate": f"沪A{10_000 + 731 * home.number}", "person": f"o-{home.code}", **place})
    return text
