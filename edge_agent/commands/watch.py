"""``edge watch``: live values for as long as somebody looks."""

import asyncio
import time
from typing import Annotated, Any

import typer
from rich.live import Live

from edge_agent.commands import complete
from edge_agent.commands.shell import WRONG, Json, err, fail, out, print_json, run_until_stopped, say, settings_of
from edge_agent.commands.table import watch_table
from edge_agent.config import Settings
from edge_agent.control import ControlClient, ControlError, NotRunning

_FRAME_ROWS = 4  # of the window: the head, the caption's two, and the cursor's


def watch(
    ctx: typer.Context,
    devices: Annotated[
        list[str] | None, typer.Argument(help="Devices by id; default: all.", autocompletion=complete.devices)
    ] = None,
    every: Annotated[float, typer.Option("--every", min=0.2, help="Seconds between looks.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Show live values until Ctrl-C; with --json one object a line."""
    settings = settings_of(ctx, as_json=as_json)
    known = [device.id for device in settings.devices]
    for device in devices or ():
        if device not in known:
            fail(f"there is no device '{device}'. There are: {', '.join(known) or 'none'}.", WRONG, as_json=as_json)
    try:
        run_until_stopped(_watch(settings, frozenset(devices or known), every, as_json=as_json))
    except NotRunning:
        fail("the gateway is not running. Start it with 'edge run'.", as_json=as_json)
    except ControlError as error:
        fail(str(error), as_json=as_json)


async def _watch(settings: Settings, wanted: frozenset[str], every: float, *, as_json: bool) -> None:
    client = ControlClient(settings.socket_path)

    async def look() -> list[dict[str, Any]]:
        return [row for row in await client.ask("values") if row["id"] in wanted]

    rows = await look()
    if as_json or not out.is_terminal:
        while True:
            if as_json:
                print_json({"devices": rows})
            else:
                out.print(watch_table(rows, time.time()))
            await asyncio.sleep(every)
            rows = await look()
    err.print(say(f"{settings.edge_id}: live values, Ctrl-C ends."))
    with Live(console=out, screen=True, auto_refresh=False) as live:
        while True:
            live.update(watch_table(rows, time.time(), max(1, out.height - _FRAME_ROWS)), refresh=True)
            await asyncio.sleep(every)
            rows = await look()
