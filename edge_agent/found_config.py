"""What a search has found, as blocks of a settings file. Pure.

Every block is one that 'edge config check' takes, but where a profile is still to be chosen: that line is
a comment, so that the check names it.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from drivers.bus.settings import BleSettings, BusSettings, OsdpSettings, SerialSettings, TcpSettings
from drivers.search import Sighting

_SHORT = {
    "electricity": "em",
    "water": "wm",
    "heat": "hm",
    "gas": "gm",
    "access": "door",
    "elevator": "lift",
}


class Found(NamedTuple):
    """Something that answered, and the line's settings at which it did."""

    sighting: Sighting
    line: BusSettings


class Known(NamedTuple):
    """What the settings have already: the bus, where the line is one, all ids, and the addresses on it."""

    bus: str | None = None
    line: BusSettings | None = None
    ids: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()


def settings_blocks(found: Sequence[Found], place: str, known: Known) -> str:
    """Write [[bus]] and [[device]] tables for what was found; a bus that is known already is only named.

    Shape: a port that answered at several settings gets the one that most answered at; the rest is
    written as comments, because one line has one owner and one setting.
    """
    lines = sorted({it.line for it in found}, key=lambda line: -sum(it.line == line for it in found))
    ids = set(known.ids)
    parts: list[str] = []
    for number, line in enumerate(lines):
        bus = known.bus or _free(_bus_id(line), ids)
        if known.bus is None:
            parts.append(_commented(_bus(bus, line)) if number else _bus(bus, line))
        else:
            parts.append(f"# The bus '{bus}' is in the settings already{_otherwise(line, known.line)}.\n")
        if number and known.bus is None:
            parts.append("# One line has one owner and one setting: these devices need the same as the others.\n")
        for it in found:
            if it.line == line:
                block = _device(it.sighting, bus, place, known.addresses, ids)
                parts.append(_commented(block) if number and known.bus is None else block)
    return "\n".join(parts)


def _otherwise(line: BusSettings, known: BusSettings | None) -> str:
    if not isinstance(line, SerialSettings) or not isinstance(known, SerialSettings):
        return ""
    if (line.baudrate, line.parity) == (known.baudrate, known.parity) or line.port.startswith("tcp://"):
        return ""
    return f", set otherwise: these answered at {line.baudrate} {line.bytesize}{line.parity}{line.stopbits}"


def _bus_id(line: BusSettings) -> str:
    return {"modbus-tcp": "tcp", "serial": "line", "osdp": "osdp", "ble": "ble"}[line.kind]


def _free(stem: str, ids: set[str]) -> str:
    """Make an id that nobody has."""
    name = next(name for name in _names(stem) if name not in ids)
    ids.add(name)
    return name


def _names(stem: str) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"{stem}-{number}"


def _bus(bus: str, line: BusSettings) -> str:
    rows: dict[str, str | int] = {"id": bus, "kind": line.kind}
    if isinstance(line, TcpSettings):
        rows |= {"host": line.host, "port": line.port}
    elif isinstance(line, BleSettings):
        rows |= {"adapter": line.adapter}
    elif isinstance(line, OsdpSettings):
        rows |= {"host": line.host, "tcp_port": line.tcp_port} if line.host else {"port": line.port}
        rows |= {"baudrate": line.baudrate}
    else:
        rows |= _serial(line)
    return _table("[[bus]]", rows)


def _serial(line: SerialSettings) -> dict[str, str | int]:
    if line.port.startswith("tcp://"):
        host, _, port = line.port.removeprefix("tcp://").rpartition(":")
        return {"host": host, "tcp_port": int(port)}
    return {
        "port": line.port,
        "baudrate": line.baudrate,
        "bytesize": line.bytesize,
        "parity": line.parity,
        "stopbits": line.stopbits,
    }


def _device(sighting: Sighting, bus: str, place: str, addresses: Collection[str], ids: set[str]) -> str:
    said = f"# {_one_line(sighting.detail)}\n"
    if sighting.address in addresses:
        return f"{said}# {sighting.address} on '{bus}' is in the settings already.\n"
    kind = (sighting.profile_hint or "").partition("/")[0]
    rows: dict[str, str | int] = {"id": _free(_SHORT.get(kind, sighting.protocol), ids), "bus": bus}
    if sighting.profile_hint is not None:
        rows["profile"] = sighting.profile_hint
    text = said + _table("[[device]]", rows | {"address": sighting.address})
    if sighting.profile_hint is None:
        text += f"# profile = \"...\"   'edge probe {place} {sighting.address}' says which fits\n"
    return _commented(text) if "AA" in sighting.address else text  # a pattern, not one device


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _table(header: str, rows: dict[str, str | int]) -> str:
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in rows.items()]
    return "\n".join((header, *lines, ""))


def _commented(text: str) -> str:
    return "".join(line if line.startswith("#") else f"# {line}" for line in text.splitlines(keepends=True))
