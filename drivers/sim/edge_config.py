"""The gateway's side of a simulated site: the settings file of an edge that would serve it."""

import json
from collections.abc import Mapping
from pathlib import Path

from drivers.profile import load_profile
from drivers.sim.site import Device, Line, Site

# A serial line at 2400 baud gives a meter a few items a second, four meters a round in ten; TCP does not mind.
_MOST_PER_HOUR = 1000
_PERIOD_S = {"serial": 15, "modbus-tcp": 5}


def edge_config(
    site: Site,
    addresses: Mapping[str, str] | None = None,
    *,
    edge_id: str = "gw-1",
    data: str = "data",
    uplink_url: str | None = None,
    secret_file: str = "gw-1.secret",  # noqa: S107  the name of a file, not a secret
) -> str:
    """Write the TOML of an edge that reads every device of a site, dead ones included.

    Shape: ``addresses`` as ``run_site`` gives them; needed only where a line's port is 0.
    """
    parts = [_table("[edge]", {"id": edge_id, "data": data})]
    if uplink_url is not None:
        parts.append(_table("[uplink]", {"url": uplink_url, "secret_file": secret_file}))
    parts += [_bus(line, (addresses or {}).get(line.id)) for line in site.lines]
    kinds = {line.id: line.kind for line in site.lines}
    parts += [_device(device, _PERIOD_S[kinds[device.line]], site.speed) for device in site.devices]
    return "\n".join(parts)


def _bus(line: Line, address: str | None) -> str:
    values: dict[str, str | int] = {"id": line.id, "kind": line.kind}
    if line.kind == "serial":
        values |= {"port": address or str(Path(line.path or "").absolute()), "baudrate": line.baudrate}
        # A pty refuses parity; on a real line the meter's own setting belongs here.
        values |= {"bytesize": 8, "parity": "N", "stopbits": 1}
    else:
        port = int(address.rpartition(":")[2]) if address else line.port
        values |= {"host": line.host, "port": port}
    return _table("[[bus]]", values | {"timeout_ms": line.timeout_ms})


def _device(device: Device, period_s: int, speed: int) -> str:
    values: dict[str, str | int] = {"id": device.id, "name": device.name, "bus": device.line}
    values |= {"profile": device.profile, "address": device.address, "period_s": device.period_s or period_s}
    if speed > 1 and any(point.is_register for point in load_profile(device.profile).points):
        # Time runs faster on the site, and so does every counter; the guard must not take that for a fault.
        values["max_per_hour"] = _MOST_PER_HOUR * speed
    return _table("[[device]]", values)


def _table(header: str, values: Mapping[str, str | int]) -> str:
    # A JSON string is a TOML basic string as long as nothing is escaped beyond the Basic Multilingual Plane.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join((header, *lines, ""))
