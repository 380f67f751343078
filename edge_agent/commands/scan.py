"""``edge scan``: what stands on a line."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from drivers.bus.settings import BleSettings, BusSettings, SerialSettings, TcpSettings
from drivers.errors import BusDown
from drivers.factory import create_bus
from drivers.search import Progress as Step
from drivers.search import Scope, Sighting
from drivers.search.registry import WAYS
from edge_agent.capture import describe_line, line_text
from edge_agent.commands.complete import buses, protocols
from edge_agent.commands.place import Place, may_write, place_of, told_by
from edge_agent.commands.shell import NO, WRONG, Json, err, fail, out, print_json, say
from edge_agent.control import ControlError, NotRunning
from edge_agent.found_config import Found, Known, settings_blocks

_PARITIES = ("N", "E", "O")
_LISTED = ", ".join(WAYS)


class _Try(NamedTuple):
    """One search at one setting of the line."""

    protocol: str
    settings: BusSettings
    text: str


class _Found(NamedTuple):
    sighting: Sighting
    text: str
    line: BusSettings


def scan(
    ctx: typer.Context,
    place: Annotated[
        str,
        typer.Argument(
            metavar="BUS",
            help="A bus of the settings, /dev/ttyUSB0, host:502 for Modbus TCP, tcp://host:4001 for a converter, or hci0 for BLE.",
            autocompletion=buses,
        ),
    ],
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol", "-p", help=f"Default: all of {_LISTED} that the line carries.", autocompletion=protocols
        ),
    ] = None,
    baud: Annotated[list[int] | None, typer.Option("--baud", "-b", help="Default: the rates usual for each.")] = None,
    parity: Annotated[str | None, typer.Option(help="N, E or O; default: the usual one.")] = None,
    address: Annotated[
        list[str] | None, typer.Option("--address", "-a", help="Default: all, or as the protocol finds them.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds that a silent address may cost.")] = None,
    write_config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|-", help="Write [[bus]] and [[device]] blocks of what was found here; - for the screen."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for devices; Ctrl-C stops it and shows what was found.

    A bus of the running gateway is searched by the gateway itself, as it is set, whenever its polls leave room.
    """
    for name in protocol or ():
        if name not in WAYS:
            fail(f"'{name}' cannot be searched for. There are: {_LISTED}.", WRONG, as_json=as_json)
    if parity is not None and parity not in _PARITIES:
        fail(f"'{parity}' is not a parity. Say N, E or O.", WRONG, as_json=as_json)
    if write_config is not None and str(write_config) != "-":
        may_write(write_config, as_json=as_json)
    if write_config is not None and str(write_config) == "-" and as_json:
        fail("--write-config - and --json both want the screen. Name a file for the settings.", WRONG, as_json=True)
    where = place_of(ctx, place, as_json=as_json)
    tries = list(_tries(where.line, protocol, baud, parity))
    if not tries:
        fail(f"'{place}' carries none of {', '.join(protocol or ())}. Name another protocol.", WRONG, as_json=as_json)
    found: list[_Found] = []
    is_over = False
    scope = Scope(tuple(address) if address else None, timeout)
    fields = {"protocols": protocol or None, "addresses": address or None, "timeout_s": timeout}
    try:
        is_over = asyncio.run(_search(where, tries, scope, fields, found, is_quiet=as_json))
    except BusDown as error:
        fail(error.reason, as_json=as_json)
    except (ControlError, NotRunning) as error:
        fail(str(error), as_json=as_json)
    except ValueError as error:
        fail(str(error), WRONG, as_json=as_json)
    is_screen = write_config is not None and str(write_config) == "-"
    if not found or as_json or not is_screen:
        _show(found, is_over=is_over, as_json=as_json)
    if write_config is not None and found:
        _write(write_config, where, place, found, as_json=as_json)
    if not found:
        raise typer.Exit(NO)


def _tries(
    line: BusSettings, protocols: Sequence[str] | None, bauds: Sequence[int] | None, parity: str | None
) -> Iterator[_Try]:
    for name in protocols or WAYS:
        if isinstance(line, TcpSettings):
            if name == "modbus":
                yield _Try(name, line, f"{line.host}:{line.port}")
            continue
        if isinstance(line, BleSettings) or name == "ble":
            if isinstance(line, BleSettings) and name == "ble":
                yield _Try(name, replace(line, scan="active"), line.adapter)
            continue
        port = line.port if isinstance(line, SerialSettings) else line.place
        if port.startswith("tcp://"):
            yield _Try(name, SerialSettings("scan", port), name)
            continue
        usual = WAYS[name].settings
        wanted = [(rate, parity or usual[0][1]) for rate in bauds] if bauds else [(r, parity or p) for r, p in usual]
        for rate, chosen in dict.fromkeys(wanted):
            yield _Try(name, SerialSettings("scan", port, rate, 8, chosen), f"{name} {rate} 8{chosen}1")


async def _search(
    place: Place, tries: Sequence[_Try], scope: Scope, fields: dict[str, Any], found: list[_Found], *, is_quiet: bool
) -> bool:
    """Try after try, or have the running gateway search its line; False where Ctrl-C ended it."""
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, running.cancel)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    own = _Try("", place.line, line_text(describe_line(place.line)))
    with suppress(asyncio.CancelledError), Progress(*columns, console=err, disable=is_quiet, transient=True) as bars:
        bar = bars.add_task("")
        source = told_by(place, "scan", lambda: _directly(tries, scope), **fields)
        async with aclosing(source):
            async for told in source:
                one: _Try = told.get("try", own)
                if "found" not in told:
                    text = f"{one.text} {told['text']}"
                    bars.update(bar, description=text, completed=told["done"], total=told["total"])
                    continue
                sighting = Sighting(**told["found"])
                if not any(known.sighting[:2] == sighting[:2] for known in found):
                    found.append(_Found(sighting, one.text, one.settings))
                    bars.console.print(f"{one.text}: {sighting.address} {sighting.detail}", markup=False)
            return True
    return False


async def _directly(tries: Sequence[_Try], scope: Scope) -> AsyncGenerator[dict[str, Any]]:
    """Search a line that nobody else has."""
    for one in tries:
        async with create_bus(one.settings) as bus:
            async for told in WAYS[one.protocol].search(bus, scope):
                if isinstance(told, Step):
                    yield {"try": one, **told._asdict()}
                else:
                    yield {"try": one, "found": told._asdict()}


def _write(file: Path, where: Place, place: str, found: Sequence[_Found], *, as_json: bool) -> None:
    settings, known = where.settings, Known()
    if settings is not None:
        ids = frozenset(it.id for it in (*settings.buses, *settings.devices))
        addresses = frozenset(it.address for it in settings.devices if it.bus == where.line.id)
        known = Known(where.line.id, where.line, ids, addresses)
    text = settings_blocks([Found(it.sighting, it.line) for it in found], place, known)
    if str(file) == "-":
        typer.echo(text, nl=False)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}. Name another file.", WRONG, as_json=as_json)
    err.print(say(f"Written to {file}: look it through and put it into your settings."), markup=False, soft_wrap=True)


def _show(found: Sequence[_Found], *, is_over: bool, as_json: bool) -> None:
    if as_json:
        print_json({"found": [{**it.sighting._asdict(), "line": it.text} for it in found]})
    elif not found and not is_over:
        out.print(say("Stopped before anything answered."))
    elif not found:
        out.print(
            say("Nothing answered. Check the wiring (A and B exchanged?), the power, the address and the baud rate.")
        )
    else:
        table = Table(*map(say, ("protocol", "address", "line", "profile", "what it said")), box=None, padding=(0, 2))
        for sighting, text, _ in found:
            table.add_row(sighting.protocol, sighting.address, text, sighting.profile_hint or "-", sighting.detail)
        out.print(table)
