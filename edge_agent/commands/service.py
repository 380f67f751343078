"""``edge run``, ``status``, ``devices``, ``read``: the gateway and what it sees."""

import asyncio
import logging
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.text import Text

from drivers.factory import create_bus, create_driver
from edge_agent.agent import VERSION, lanes_json, no_downlink, no_uplink, read_device, run_agent
from edge_agent.clock_watch import ClockState, clock_json, last_span
from edge_agent.commands import complete
from edge_agent.commands.shell import (
    NO,
    WRONG,
    Json,
    ask,
    err,
    fail,
    fail_settings,
    has_store,
    out,
    print_json,
    say,
    settings_of,
)
from edge_agent.commands.shell import run as run_async
from edge_agent.commands.table import (
    age,
    buses_table,
    complaints,
    devices_table,
    instant,
    lanes_table,
    state_text,
    values_table,
)
from edge_agent.config import Device, Settings, load_settings
from edge_agent.config_revision import RevisionError, Revisions
from edge_agent.control import ControlError
from edge_agent.credential import UplinkError
from edge_agent.incident import incident_json, read_incidents
from edge_agent.rules import RuleKeeper, RulesRefused
from edge_agent.store_file import StoreError, read_identity, read_lanes
from edge_agent.thinned import read_tally
from protocols.sync import Lane
from protocols.toml import SettingsError

_STARTING_S = 0.5
_NOT_RUNNING = "The gateway is not running; what follows is from its settings and its store."
_NO_LANE = {"next_seq": 1, "acked_seq": 0, "pending": 0, "oldest_age_s": None, "tombstones": 0, "thinned": 0}


def run(ctx: typer.Context) -> None:
    """Poll, store and sync until SIGTERM or Ctrl-C."""
    settings = settings_of(ctx, load=load_settings)  # what is in force is decided at the start itself
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        run_async(run_agent(settings))
    except SettingsError as error:
        fail_settings(error, as_json=False)
    except (StoreError, UplinkError, ControlError) as error:
        fail(str(error), WRONG)


def status(ctx: typer.Context, as_json: Json = False) -> None:
    """Show the gateway, its lanes, its uplink, its buses and its devices; 1 if it does not run."""
    settings = settings_of(ctx, as_json=as_json)
    found, is_running = _status(settings, as_json=as_json)
    if as_json:
        print_json({**found, "running": is_running})
    else:
        if not is_running:
            err.print(say(_NOT_RUNNING))
        _print_status(found, is_running=is_running)
    if not is_running:
        raise typer.Exit(NO)


def devices(ctx: typer.Context, as_json: Json = False) -> None:
    """List the devices with their state."""
    settings = settings_of(ctx, as_json=as_json)
    found, is_running = _status(settings, as_json=as_json)
    if as_json:
        print_json({"devices": found["devices"], "running": is_running})
        return
    if not is_running:
        err.print(say(_NOT_RUNNING))
    _print_devices(found["devices"])


def read(
    ctx: typer.Context,
    device: Annotated[str, typer.Argument(help="The device's id.", autocompletion=complete.devices)],
    point: Annotated[
        str | None, typer.Argument(help="One point; default: all.", autocompletion=complete.points)
    ] = None,
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
    found = ask(settings, "read", as_json=as_json, device=device, points=points)
    if found is None:
        found = run_async(_read_directly(settings, known[device], points))
    if as_json:
        print_json({"ok": found["error"] is None, "device": device, **found})
    else:
        if found["values"] or found["error"] is None:
            out.print(values_table(found["values"]))
        if found["error"] is not None:
            err.print(f"edge: {device}: {say(found['error'])}", markup=False, soft_wrap=True)
    if found["error"] is not None:
        raise typer.Exit(NO)


async def _read_directly(settings: Settings, device: Device, points: list[str] | None) -> dict[str, Any]:
    (line,) = [bus for bus in settings.buses if bus.id == device.bus]
    bus = create_bus(line)
    driver = create_driver(device.profile, bus, device.address, device.options)  # before the line is opened
    async with bus:
        await asyncio.sleep(0)
        return await read_device(driver, device.profile, points)


def _status(settings: Settings, *, as_json: bool) -> tuple[dict[str, Any], bool]:
    """Describe the gateway, and tell whether it runs."""
    for is_last in (False, True):
        if (found := ask(settings, "status", as_json=as_json)) is not None:
            return found, True
        try:
            return _stopped(settings, has_store=has_store(settings, as_json=as_json)), False
        except StoreError as error:
            if is_last:
                fail(str(error), WRONG, as_json=as_json)
            time.sleep(_STARTING_S)  # a gateway that is just starting has a store that is not whole yet
    raise AssertionError


def _stopped(settings: Settings, *, has_store: bool) -> dict[str, Any]:
    """Describe a gateway that does not run. Raises: StoreError."""
    path = settings.store_path
    nothing = {"state": "unknown", "last_ok_at": None, "error": None, "breaker": "closed", "retry_in_s": None}
    return {
        "edge_id": settings.edge_id,
        "epoch": f"{read_identity(path).epoch:016x}" if has_store else None,
        "uptime_s": None,
        "version": VERSION,
        "clock": clock_json(last_span(path) if has_store else None, None),
        "store": {
            "ok": True,
            "error": None,
            "incident": incident_json(read_incidents(path)) if has_store else None,
        },
        "lanes": lanes_json(read_lanes(path), read_tally(path))
        if has_store
        else {lane.word: _NO_LANE for lane in Lane},
        "uplink": no_uplink("stopped" if settings.uplink else "none"),
        "downlink": no_downlink("stopped" if settings.uplink else "none"),
        "access": _stopped_rules(settings),
        "config": _stopped_config(settings),
        "buses": [
            {"id": bus.id, "kind": bus.kind, "state": "stopped", "utilisation": None, "period_ms": None}
            | {"nominal_ms": None, "error": None}
            for bus in settings.buses
        ],
        "devices": [
            {"id": device.id, "name": device.name, "bus": device.bus, "profile": device.profile.name}
            | {"kind": device.profile.kind, "address": device.address, "period_s": device.period_s}
            | {**nothing, "commands": []}
            for device in settings.devices
        ],
    }


def _stopped_rules(settings: Settings) -> dict[str, Any]:
    """Say which access rules are on disk."""
    rules = RuleKeeper(settings.data, settings.edge_id)
    with suppress(RulesRefused):
        rules.load()
    return {**rules.as_json(), "decisions": 0}


def _clock_text(clock: Mapping[str, Any]) -> Text:
    match ClockState(clock["state"]):
        case ClockState.CONFIRMED:
            return Text(say("clock confirmed by the centre"))
        case ClockState.UNCONFIRMED:
            return Text(say("clock not confirmed: the centre was not heard since the start"), style="dim")
        case ClockState.WRONG:
            shift = round(clock["shift_ms"] / 1000)
            if shift > 0:
                text = f"clock {shift} s behind; stamps are put right. Set it: timedatectl set-ntp true"
            else:
                text = f"clock {-shift} s ahead; stamps are put right. Set it: timedatectl set-ntp true"
            return Text(say(text), style="bold red")
        case ClockState.UNKNOWN:
            text = "clock not known since the start; readings wait for it. Bring the centre back, or set it by hand."
            return Text(say(text), style="bold red")


def _stopped_config(settings: Settings) -> dict[str, Any] | None:
    """Say which revision of the settings runs at the next start."""
    with suppress(RevisionError):
        book = Revisions(settings.data, settings.file).book()
        if book is not None:
            return book.as_json(left_s=None)
    return None


def _print_status(found: Mapping[str, Any], *, is_running: bool) -> None:
    uptime = say(f"up {age(found['uptime_s'])}" if is_running else "not running")
    out.print(f"[bold]{escape(found['edge_id'])}[/]  {uptime}  epoch {found['epoch'] or '-'}")
    uplink, clock, store = found["uplink"], found["clock"], found.get("store", {})
    if uplink["state"] == "none":
        out.print(say("uplink none: the settings have no [uplink], this gateway only stores"), markup=False)
    else:
        heard = say(f"  last acknowledged {instant(uplink['last_ack_at'])}") if uplink["last_ack_at"] else ""
        out.print(Text.assemble(say("uplink "), state_text(uplink["state"]), heard))
    if uplink.get("error"):
        out.print(Text(f"  {say(uplink['error'])}", style="yellow"))
    if error := (found.get("downlink") or {}).get("error"):
        out.print(Text(f"{say('commands from the centre')}: {say(error)}", style="yellow"))
    out.print(_clock_text(clock))
    access = found.get("access") or {}
    if access.get("rules_version") is not None:
        version, confirmed = access["rules_version"], age(access["rules_age_s"])
        out.print(say(f"access rules {version}, confirmed {confirmed} ago  decisions {access['decisions']}"))
    config = found.get("config") or {}
    if config.get("state") in ("staged", "trial"):
        left = say(f", {config['left_s']:.0f} s left") if config["left_s"] is not None else ""
        out.print(Text(say(f"settings: revision {config['revision']} is on trial") + left, style="yellow"))
    elif failed := config.get("reverted"):
        kept = say(f"settings: revision {config['revision']} is in force, revision {failed['revision']} was reverted")
        out.print(Text(f"{kept}: {say(failed['reason'])}", style="yellow"))
    if incident := store.get("incident"):
        out.print(Text(f"{incident['at'][:16].replace('T', ' ')}Z {say(incident['sentence'])}", style="yellow"))
    if store.get("error"):
        out.print(Text(f"{say('store')} {say(store['error'])}", style="bold red"))
    out.print()
    out.print(lanes_table(found["lanes"]))
    if found["buses"]:
        out.print()
        out.print(buses_table(found["buses"]))
        _print_complaints(found["buses"])
    out.print()
    _print_devices(found["devices"])


def _print_devices(rows: list[dict[str, Any]]) -> None:
    if not rows:
        out.print(say("There is no device yet. Add a [[device]] to the settings."), markup=False)
        return
    out.print(devices_table(rows, out.width, time.time()))
    _print_complaints(rows)


def _print_complaints(rows: list[dict[str, Any]]) -> None:
    for line in complaints(rows):
        out.print(Text(line, style="yellow"))
