"""The small estate of the demonstration: what is simulated, and whose home each meter serves."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
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
    "building": {"zh": "1 号楼", "en": "Building 1"},
}
UNITS = (
    ("1-101", {"zh": "张伟", "en": "Zhang Wei"}, "97.41"),
    ("1-102", {"zh": "王芳", "en": "Wang Fang"}, "89.37"),
    ("1-201", {"zh": "李娜", "en": "Li Na"}, "120.55"),
    ("1-202", {"zh": "刘洋", "en": "Liu Yang"}, "64.02"),
    ("1-301", {"zh": "陈静", "en": "Chen Jing"}, "143.88"),
    ("1-302", {"zh": "赵磊", "en": "Zhao Lei"}, "89.37"),
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


def edge_toml(ports: Mapping[str, int], uplink: int, language: str) -> str:
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
        text += table("[[device]]", values | {"address": meter.address, "period_s": meter.period_s, "points": points})
    return text


def central_toml(port: int, language: str) -> str:
    """Set up the centre."""
    values = {"listen": f"127.0.0.1:{port}", "database": "sqlite:///central/central.db"}
    return table("[central]", values | {"language": language, "zone": "Asia/Shanghai"})


def records_toml(edge_id: str, language: str) -> str:
    """Write what the centre knows of the estate: homes, owners, and which meter serves whom."""
    text = table("[[site]]", {"code": "harbour", "name": NAMES["site"][language], "zone": "Asia/Shanghai"})
    text += table("[[building]]", {"site": "harbour", "code": "1", "name": NAMES["building"][language]})
    for code, owner, area in UNITS:
        text += table("[[owner]]", {"code": f"o-{code}", "name": owner[language]})
        values = {"site": "harbour", "building": "1", "code": code, "area_m2": area}
        text += table("[[unit]]", values | {"owner": f"o-{code}"})
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
