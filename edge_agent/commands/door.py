"""``edge doors`` and ``edge door``: what stands open, and an engineer's way in."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from edge_agent.commands import complete
from edge_agent.commands.shell import WRONG, Json, ask, fail, out, print_json, say, settings_of
from edge_agent.commands.table import complaints, doors_table
from edge_agent.config import Settings

_STOPPED = "the gateway is not running. Start it with 'edge run'."


def doors(ctx: typer.Context, as_json: Json = False) -> None:
    """List the doors with their state and their last decision."""
    settings = settings_of(ctx, as_json=as_json)
    rows = ask(settings, "doors", as_json=as_json)
    if rows is None:
        fail(_STOPPED, as_json=as_json)
    if as_json:
        print_json({"doors": rows})
    elif not rows:
        out.print(
            say("There is no door in the settings. A door is a [[device]] with a profile of access/."), markup=False
        )
    else:
        out.print(doors_table(rows, out.width, time.time()))
        for row in rows:
            if row["alarms"]:
                out.print(Text(f"{row['id']}: {', '.join(row['alarms'])}", style="bold red"))
        for line in complaints(rows):
            out.print(Text(line, style="yellow"))
        version = rows[0]["rules_version"]
        out.print(say("no access rules yet: every card is denied" if version is None else f"access rules {version}"))


def door(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="DOOR", help="The door's device id.", autocompletion=complete.devices)],
    action: Annotated[str, typer.Argument(help="open: let the lock go for a moment.")],
    as_json: Json = False,
) -> None:
    """Open a door from here; it is recorded before the lock moves."""
    settings = settings_of(ctx, as_json=as_json)
    if action != "open":
        fail(f"a door cannot be told to '{action}'. Say: edge door {name} open", WRONG, as_json=as_json)
    _check(settings, name, as_json=as_json)
    found: Mapping[str, Any] | None = ask(settings, "door", as_json=as_json, door=name, action=action)
    if found is None:
        fail(_STOPPED, as_json=as_json)
    if as_json:
        print_json({"ok": True, **found})
    else:
        out.print(say(f"{name} is open for a moment; recorded as {found['decision_id']}"), markup=False)


def _check(settings: Settings, name: str, *, as_json: bool) -> None:
    known = [device.id for device in settings.devices if device.profile.kind == "door"]
    if name not in known:
        fail(f"there is no door '{name}'. There are: {', '.join(known) or 'none'}.", WRONG, as_json=as_json)
