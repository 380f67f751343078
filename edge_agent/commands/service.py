"""``edge run``, ``status``, ``devices``, ``read``, ``watch``: the gateway and what it sees."""

import asyncio
import logging
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.table import Table

from drivers.bus.exchange import Priority
from drivers.errors import DriverError
from drivers.factory import create_bus, create_driver
from edge_agent.agent import lanes_json, run_agent
from edge_agent.commands.shell import NO, WRONG, Json, age, ask, err, fail, out, print_json, settings_of
from edge_agent.commands.shell import run as run_async
from edge_agent.config import Device, Settings
from edge_agent.control import ControlClient, ControlError, NotRunning
from edge_agent.credential import UplinkError
from edge_agent.live import value_json
from edge_agent.store_file import StoreError, read_lanes

_STATE_STYLE = {"offline": "bold red", "degraded": "yellow", "down": "bold red", "refused": "bold red"}
_STARTING_S = 0.5
_NOT_RUNNING = "The gateway is not running; what follows is from its settings and its store."


def run(ctx: typer.Context) -> None:
    """Poll, store and sync until SIGTERM or Ctrl-C."""
    settings = settings_of(ctx)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        run_async(run_agent(settings))
    except (StoreError, UplinkError) as error:
        fail(str(error), WRONG)


def status(ctx: typer.Context, as_json: Json = False) -> None:
    """Show the gateway, its lanes, its uplink, its buses and its devices."""
    settings = settings_of(ctx, as_json=as_json)
    found, is_running = _status(settings, as_json=as_json)
    if as_json:
        print_json({**found, "running": is_running})
    else:
        if not is_running:
            err.print(_NOT_RUNNING)
        _print_status(found)
    if not is_running:
        raise typer.Exit(NO)


def devices(ctx: typer.Context, as_json: Json = False) -> None:
    """List the devices with their state."""
    settings = settings_of(ctx, as_json=as_json)
    found, is_running = _status(settings, as_json=as_json)
    if not is_running and not as_json:
        err.print(_NOT_RUNNING)
    rows = found["devices"]
    if as_json:
        print_json({"devices": rows})
    elif rows:
        out.print(_device_table(rows))
    else:
        out.print("There is no device yet. Add a [[device]] to the settings.")


def read(
    ctx: typer.Context,
    device: Annotated[str, typer.Argument(help="The device's id.")],
    point: Annotated[str | None, typer.Argument(help="One point; default: all.")] = None,
    as_json: Json = False,
) -> None:
    """Read a device now, through the running gateway or, without one, directly."""
    settings = settings_of(ctx, as_json=as_json)
    known = {found.id: found for found in settings.devices}
    if device not in known:
        fail(f"there is no device '{device}'. There are: {', '.join(known) or 'none'}.", WRONG, as_json=as_json)
    names = [found.name for found in known[device].profile.points]
    if point is not None and point not in names:
        fail(f"'{device}' has no point '{point}'. It has: {', '.join(names)}.", WRONG, as_json=as_json)
    points = [point] if point is not None else None
    values = ask(settings, "read", as_json=as_json, device=device, points=points)
    if values is None:
        values = _read_directly(settings, known[device], points, as_json=as_json)
    if as_json:
        print_json({"device": device, "values": values})
        return
    table = Table("point", "value", "unit", "quality", "taken at", box=None)
    table.columns[1].justify = "right"
    for value in values:
        table.add_row(value["point"], _shown(value), value["unit"], value["quality"], value["taken_at"])
    out.print(table)


def _read_directly(settings: Settings, device: Device, points: list[str] | None, *, as_json: bool) -> Any:
    (line,) = [bus for bus in settings.buses if bus.id == device.bus]

    async def work() -> list[dict[str, Any]]:
        async with create_bus(line) as bus:
            await asyncio.sleep(0)
            driver = create_driver(device.profile, bus, device.address)
            values = await driver.read(points, Priority.COMMAND)
        states = {found.name: found.states for found in device.profile.points}
        return [value_json(value, states[value.point]) for value in values]

    try:
        return run_async(work())
    except DriverError as error:
        fail(error.reason, as_json=as_json)
    except BaseExceptionGroup as group:
        found, rest = group.split(DriverError)
        if found is None or rest is not None:
            raise
        fail(str(found.exceptions[0]), as_json=as_json)


def watch(
    ctx: typer.Context,
    every: Annotated[float, typer.Option("--every", min=0.2, help="Seconds between looks.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Show live values until Ctrl-C; with --json one object a line."""
    settings = settings_of(ctx, as_json=as_json)
    try:
        run_async(_watch(settings, every, as_json=as_json))
    except NotRunning:
        fail("the gateway is not running. Start it with 'edge run'.", as_json=as_json)
    except ControlError as error:
        fail(str(error), as_json=as_json)


async def _watch(settings: Settings, every: float, *, as_json: bool) -> None:
    client = ControlClient(settings.socket_path)
    first = await client.ask("values")
    if as_json:
        while True:
            print_json({"devices": await client.ask("values")})
            await asyncio.sleep(every)
    with Live(_watch_table(first), console=out, screen=out.is_terminal, auto_refresh=False) as live:
        while True:
            live.update(_watch_table(await client.ask("values")), refresh=True)
            await asyncio.sleep(every)


def _watch_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(
        "device",
        "state",
        "point",
        "value",
        "unit",
        "age",
        box=None,
        title="Live values  (Ctrl-C ends)",
        title_justify="left",
    )
    table.columns[3].justify = table.columns[5].justify = "right"
    now = time.time()
    for row in rows:
        state, first = row["state"], True
        for value in row["values"] or [{}]:
            taken = datetime.fromisoformat(value["taken_at"]).timestamp() if value else None
            table.add_row(
                f"{row['id']}  [dim]{row['name']}[/]" if first else "",
                f"[{_STATE_STYLE.get(state, 'dim')}]{state}[/]" if first else "",
                value.get("point", row["error"] or ""),
                _shown(value) if value else "",
                value.get("unit", ""),
                age(None if taken is None else max(0.0, now - taken)) if value else "",
            )
            first = False
    return table


def _shown(value: Mapping[str, Any]) -> str:
    if value["value"] is None:
        return "-"
    return f"{value['word']} ({value['value']})" if value["word"] else str(value["value"])


def _status(settings: Settings, *, as_json: bool) -> tuple[dict[str, Any], bool]:
    """Describe the gateway, and tell whether it runs."""
    for is_last in (False, True):
        if (found := ask(settings, "status", as_json=as_json)) is not None:
            return found, True
        try:
            return _stopped(settings), False
        except StoreError as error:
            if is_last:
                fail(str(error), WRONG, as_json=as_json)
            time.sleep(_STARTING_S)  # a gateway that is just starting has a store that is not whole yet
    raise AssertionError


def _stopped(settings: Settings) -> dict[str, Any]:
    """Describe a gateway that does not run. Raises: StoreError."""
    lanes = lanes_json(read_lanes(settings.store_path)) if settings.store_path.exists() else {}
    nothing = {"state": "unknown", "last_ok_at": None, "error": None, "breaker": "closed", "retry_in_s": None}
    return {
        "edge_id": settings.edge_id,
        "epoch": None,
        "uptime_s": None,
        "clock": {"ok": True, "offset_ms": None},
        "lanes": lanes,
        "uplink": {"state": "stopped" if settings.uplink else "none"},
        "buses": [
            {"id": bus.id, "kind": bus.kind, "state": "stopped", "utilisation": None, "period_ms": None}
            | {"nominal_ms": None, "error": None}
            for bus in settings.buses
        ],
        "devices": [
            {"id": device.id, "name": device.name, "bus": device.bus, "profile": device.profile.name}
            | {"kind": device.profile.kind, "address": device.address, "period_s": device.period_s}
            | nothing
            for device in settings.devices
        ],
    }


def _print_status(found: Mapping[str, Any]) -> None:
    uplink = found["uplink"]
    out.print(f"[bold]{found['edge_id']}[/]  up {age(found['uptime_s'])}  epoch {found['epoch'] or '-'}")
    style = _STATE_STYLE.get(uplink["state"], "default")
    line = f"uplink [{style}]{uplink['state']}[/]"
    if uplink.get("last_ack_at"):
        line += f"  last acknowledged {uplink['last_ack_at']}"
    if uplink.get("error"):
        line += f"  {uplink['error']}"
    out.print(line)
    out.print(lanes_table(found["lanes"]))
    table = Table("bus", "kind", "state", "in use", "period", "nominal", "error", box=None)
    for bus in found["buses"]:
        used = "-" if bus["utilisation"] is None else f"{bus['utilisation']:.0%}"
        state = f"[{_STATE_STYLE.get(bus['state'], 'default')}]{bus['state']}[/]"
        table.add_row(
            bus["id"], bus["kind"], state, used, _ms(bus["period_ms"]), _ms(bus["nominal_ms"]), bus["error"] or ""
        )
    out.print(table)
    out.print(_device_table(found["devices"]))


def lanes_table(lanes: Mapping[str, Any]) -> Table:
    """Lay the lanes out for people."""
    table = Table("lane", "accepted", "acknowledged", "waiting", "oldest", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, lane in lanes.items():
        oldest = age(lane["oldest_age_s"])
        table.add_row(name, str(lane["next_seq"] - 1), str(lane["acked_seq"]), str(lane["pending"]), oldest)
    return table


def _device_table(rows: list[dict[str, Any]]) -> Table:
    table = Table("device", "name", "bus", "profile", "address", "state", "last answer", "error", box=None)
    for row in rows:
        state = f"[{_STATE_STYLE.get(row['state'], 'default')}]{row['state']}[/]"
        if row["retry_in_s"] is not None:
            state += f" (probe in {row['retry_in_s']:.0f} s)"
        cells = (row["id"], row["name"], row["bus"], row["profile"], row["address"])
        table.add_row(*cells, state, row["last_ok_at"] or "-", row["error"] or "")
    return table


def _ms(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds / 1000:.1f} s"
