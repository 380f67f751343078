"""``edge scan``: what stands on a line."""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Annotated, NamedTuple

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from drivers.bus.settings import BusSettings, SerialSettings, TcpSettings
from drivers.errors import BusDown
from drivers.factory import create_bus
from drivers.search import Progress as Step
from drivers.search import Scope, Sighting
from drivers.search.registry import WAYS
from edge_agent.commands.shell import NO, WRONG, Json, err, fail, out, print_json, settings_of

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


def scan(
    ctx: typer.Context,
    place: Annotated[
        str,
        typer.Argument(
            metavar="BUS",
            help="A bus of the settings, /dev/ttyUSB0, host:502 for Modbus TCP, or tcp://host:4001 for a converter.",
        ),
    ],
    protocol: Annotated[
        list[str] | None, typer.Option("--protocol", "-p", help=f"Default: all of {_LISTED} that the line carries.")
    ] = None,
    baud: Annotated[list[int] | None, typer.Option("--baud", "-b", help="Default: the rates usual for each.")] = None,
    parity: Annotated[str | None, typer.Option(help="N, E or O; default: the usual one.")] = None,
    address: Annotated[
        list[str] | None, typer.Option("--address", "-a", help="Default: all, or as the protocol finds them.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds that a silent address may cost.")] = None,
    as_json: Json = False,
) -> None:
    """Look for devices; Ctrl-C stops it and shows what was found. The gateway must not hold the line meanwhile."""
    for name in protocol or ():
        if name not in WAYS:
            fail(f"'{name}' cannot be searched for. There are: {_LISTED}.", WRONG, as_json=as_json)
    if parity is not None and parity not in _PARITIES:
        fail(f"'{parity}' is not a parity. Say N, E or O.", WRONG, as_json=as_json)
    tries = list(_tries(line_of(ctx, place, as_json=as_json), protocol, baud, parity))
    if not tries:
        fail(f"'{place}' carries none of {', '.join(protocol or ())}. Name another protocol.", WRONG, as_json=as_json)
    found: list[_Found] = []
    scope = Scope(tuple(address) if address else None, timeout)
    try:
        asyncio.run(_search(tries, scope, found, is_quiet=as_json))
    except BusDown as error:
        fail(error.reason, as_json=as_json)
    except ValueError as error:
        fail(str(error), WRONG, as_json=as_json)
    _show(found, as_json=as_json)


def line_of(ctx: typer.Context, place: str, *, as_json: bool) -> BusSettings:
    """Take a place for a device file, a converter or a Modbus TCP peer, else for a bus of the settings."""
    if place.startswith(("/", "./", "tcp://")):
        return SerialSettings("scan", place)
    host, colon, port = place.rpartition(":")
    if colon and host and port.isdecimal():
        return TcpSettings("scan", host, int(port))
    settings = settings_of(ctx, as_json=as_json)
    buses = {bus.id: bus for bus in settings.buses}
    if place not in buses:
        fail(
            f"there is no bus '{place}' in the settings. There are: {', '.join(buses) or 'none'}.",
            WRONG,
            as_json=as_json,
        )
    return buses[place]


def _tries(
    line: BusSettings, protocols: Sequence[str] | None, bauds: Sequence[int] | None, parity: str | None
) -> Iterator[_Try]:
    for name in protocols or WAYS:
        if isinstance(line, TcpSettings):
            if name == "modbus":
                yield _Try(name, line, f"{line.host}:{line.port}")
            continue
        port = line.port if isinstance(line, SerialSettings) else line.place
        if port.startswith("tcp://"):
            yield _Try(name, SerialSettings("scan", port), name)
            continue
        usual = WAYS[name].settings
        wanted = [(rate, parity or usual[0][1]) for rate in bauds] if bauds else [(r, parity or p) for r, p in usual]
        for rate, chosen in dict.fromkeys(wanted):
            yield _Try(name, SerialSettings("scan", port, rate, 8, chosen), f"{name} {rate} 8{chosen}1")


async def _search(tries: Sequence[_Try], scope: Scope, found: list[_Found], *, is_quiet: bool) -> None:
    """Try after try, until Ctrl-C."""
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, running.cancel)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with suppress(asyncio.CancelledError), Progress(*columns, console=err, disable=is_quiet, transient=True) as bars:
        bar = bars.add_task("")
        for one in tries:
            async with create_bus(one.settings) as bus:
                async for told in WAYS[one.protocol].search(bus, scope):
                    if isinstance(told, Step):
                        bars.update(bar, description=f"{one.text} {told.text}", completed=told.done, total=told.total)
                    elif not any(known.sighting[:2] == told[:2] for known in found):
                        found.append(_Found(told, one.text))
                        bars.console.print(f"{one.text}: {told.address} {told.detail}", markup=False)


def _show(found: Sequence[_Found], *, as_json: bool) -> None:
    if as_json:
        print_json({"found": [{**it.sighting._asdict(), "line": it.text} for it in found]})
    elif not found:
        out.print("Nothing answered. Check the wiring (A and B exchanged?), the power, the address and the baud rate.")
    else:
        table = Table("protocol", "address", "line", "profile", "what it said", box=None, padding=(0, 2))
        for sighting, text in found:
            table.add_row(sighting.protocol, sighting.address, text, sighting.profile_hint or "-", sighting.detail)
        out.print(table)
    if not found:
        raise typer.Exit(NO)
