"""``edge probe``: whether one device lives, what it is, and which profile fits it."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from drivers.bus.owner import BusState
from drivers.bus.settings import SerialSettings
from drivers.errors import BusDown, ProfileError
from drivers.factory import create_bus
from drivers.search.registry import WAYS
from edge_agent.capture import describe_line, line_text
from edge_agent.commands.complete import places, profiles, protocols
from edge_agent.commands.place import Place, named_line, place_of, told_by
from edge_agent.commands.shell import NO, WRONG, Json, err, fail, fail_settings, out, print_json, say, settings_of
from edge_agent.config import Device
from edge_agent.control import ControlError, NotRunning
from edge_agent.fit import MISFIT
from edge_agent.probe import Question, examine
from edge_agent.workbench import new_question

_MOST_SHOWN = 8


def probe(
    ctx: typer.Context,
    target: Annotated[
        str,
        typer.Argument(
            metavar="DEVICE|BUS",
            help="A device of the settings, or a line as 'edge scan' takes it.",
            autocompletion=places,
        ),
    ],
    address: Annotated[str | None, typer.Argument(help="With a line: the device's address on it.")] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", help="Try this one alone.", autocompletion=profiles)
    ] = None,
    protocol: Annotated[
        str | None, typer.Option("--protocol", "-p", help="Default: as the address looks.", autocompletion=protocols)
    ] = None,
    baud: Annotated[
        int | None, typer.Option("--baud", "-b", help="Of a free port; default: the protocol's usual.")
    ] = None,
    parity: Annotated[str | None, typer.Option(help="Of a free port: N, E or O; default: the usual.")] = None,
    tries: Annotated[
        int, typer.Option("--tries", "-n", min=1, max=100, help="How often the round trip is measured.")
    ] = 5,
    is_all: Annotated[bool, typer.Option("--all", help="Try every profile, though the device's own one fits.")] = False,
    as_json: Json = False,
) -> None:
    """Find out whether a device lives, what it says it is, how fast it answers, and which profiles fit."""
    place, device, address = _target(ctx, target, address, as_json=as_json)
    try:
        question = new_question(
            place.line.kind, address, device, profile=profile, protocol=protocol, tries=tries, is_all=is_all
        )
    except ProfileError as error:
        fail_settings(error, as_json=as_json)
    except ValueError as error:
        fail(str(error), WRONG, as_json=as_json)
    if place.settings is None and isinstance(place.line, SerialSettings):
        place = place._replace(line=_set(place.line, question.protocols[0], baud, parity))
    fields = {"address": address, "profile": profile, "protocol": protocol, "tries": tries, "is_all": is_all}
    try:
        report = asyncio.run(_ask(place, question, fields, is_quiet=as_json))
    except BusDown as error:
        fail(error.reason, as_json=as_json)
    except (ControlError, NotRunning) as error:
        fail(str(error), as_json=as_json)
    line = describe_line(place.line)
    is_fine = _is_fine(report, question.named)
    if as_json:
        print_json({"ok": is_fine, "bus": place.line.id, "line": line, "named": question.named, **report})
    else:
        _show(report, line_text(line), question.named)
    if not is_fine:
        raise typer.Exit(NO)


def _target(ctx: typer.Context, target: str, address: str | None, *, as_json: bool) -> tuple[Place, Device | None, str]:
    if address is not None:
        place = place_of(ctx, target, as_json=as_json)
        known = place.settings.devices if place.settings is not None else ()
        device = next((it for it in known if (it.bus, it.address) == (place.line.id, address)), None)
        return place, device, address
    if named_line(target) is not None:
        fail(f"say which address on {target} is to be probed: edge probe {target} ADDRESS", WRONG, as_json=as_json)
    settings = settings_of(ctx, as_json=as_json)
    device = {it.id: it for it in settings.devices}.get(target)
    buses = {bus.id: bus for bus in settings.buses}
    if device is None:
        if target in buses:
            fail(f"say which address on {target} is to be probed: edge probe {target} ADDRESS", WRONG, as_json=as_json)
        listed = ", ".join(it.id for it in settings.devices) or "none"
        fail(f"there is no device '{target}'. There are: {listed}.", WRONG, as_json=as_json)
    return Place(buses[device.bus], settings), device, device.address


def _set(line: SerialSettings, protocol: str, baud: int | None, parity: str | None) -> SerialSettings:
    usual = WAYS[protocol].settings[0] if protocol in WAYS and WAYS[protocol].settings else (9600, "N")
    return SerialSettings(line.id, line.port, baud or usual[0], 8, parity or usual[1])


async def _ask(place: Place, question: Question, fields: Mapping[str, Any], *, is_quiet: bool) -> dict[str, Any]:
    """Take what is told; Ctrl-C ends it."""
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, running.cancel)

    async def directly() -> AsyncGenerator[dict[str, Any]]:
        bus = create_bus(place.line)
        async with bus:
            await asyncio.sleep(0)
            async with aclosing(examine(bus, question)) as source:
                async for told in source:
                    yield told
            if bus.state is BusState.DOWN and bus.error is not None:
                raise BusDown(bus.error)

    report: dict[str, Any] = {}
    try:
        with err.status("", spinner="dots") as status:
            if is_quiet:
                status.stop()
            async with aclosing(told_by(place, "probe", directly, **fields)) as source:
                async for told in source:
                    if "report" in told:
                        report = told["report"]
                    else:
                        status.update(say(told["progress"]))
    except asyncio.CancelledError:
        raise typer.Exit(130) from None
    return report


def _is_fine(report: Mapping[str, Any], named: str | None) -> bool:
    verdicts = {row["profile"]: row["verdict"] for row in report["profiles"]}
    return bool(report["alive"]) and verdicts.get(named or "") != MISFIT


def _show(report: Mapping[str, Any], line: str, named: str | None) -> None:
    if not report["alive"]:
        reason = f" ({say(report['error'])})" if report["error"] else ""
        out.print(
            say(f"Nothing answers as {report['protocol']} at address {report['address']} on {line}") + reason + ".",
            markup=False,
            soft_wrap=True,
        )
        out.print(say("Check the power, the wiring (A and B exchanged?), the address, the baud rate and the parity."))
        return
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_row(say("address"), Text(f"{report['address']} ({report['protocol']}), {line}"))
    if report["said"]:
        table.add_row(say("says"), Text(report["said"]))
    for name, text in report["identity"].items():
        table.add_row(say(name), Text(text))
    trip = report["round_trip"]
    if trip["answered"]:
        times = f"{trip['min_ms']:g} / {trip['median_ms']:g} / {trip['max_ms']:g} ms"
        table.add_row(say("round trip"), say(f"{times} (least, median, most), {trip['lost']} of {trip['tries']} lost"))
    out.print(table)
    if report["profiles"]:
        out.print()
        _show_profiles(report["profiles"], named)
    if report["advice"]:
        out.print()
        out.print(say(report["advice"]), markup=False, soft_wrap=True)


def _show_profiles(rows: list[dict[str, Any]], named: str | None) -> None:
    table = Table("", say("profile"), "", say("why"), box=None, padding=(0, 2))
    shown = rows[:_MOST_SHOWN] + [row for row in rows[_MOST_SHOWN:] if row["profile"] == named]
    for row in shown:
        style = "green" if row["verdict"] == "fits" else "" if row["verdict"] != MISFIT else "dim"
        mark = "*" if row["profile"] == named else ""
        table.add_row(mark, row["profile"], say(row["verdict"]), Text("; ".join(row["reasons"][:2])), style=style)
    out.print(table)
    if len(rows) > len(shown):
        out.print(say(f"and {len(rows) - len(shown)} more that fit less"))
