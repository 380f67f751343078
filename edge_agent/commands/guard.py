"""``edge guard``: the registers that are not believed, and an engineer's word for them."""

import getpass
from typing import Annotated

import typer
from rich.table import Table

from edge_agent.commands import complete
from edge_agent.commands.shell import Json, ask, fail, out, print_json, say, settings_of

app = typer.Typer(no_args_is_help=True, help="Registers that did what they cannot; nothing is billed from them.")

_STOPPED = "the gateway is not running. Start it with 'edge run'."
_COLUMNS = ("device", "register", "why", "believed", "now", "reads")
# What may have happened, in the words of the plant room.
_REASONS = {
    "zero": "stands at zero",
    "decrease": "went down",
    "spike": "grew by more than its line carries",
    "swap": "went down and goes on from there: another meter?",
    "ratio": "goes on at a multiple: another ratio or decimal point?",
}


@app.command("list")
def list_(ctx: typer.Context, as_json: Json = False) -> None:
    """List the registers in doubt."""
    rows = ask(settings_of(ctx, as_json=as_json), "guard", as_json=as_json)
    if rows is None:
        fail(_STOPPED, as_json=as_json)
    if as_json:
        print_json({"doubts": rows})
    elif not rows:
        out.print(say("Every register is believed."))
    else:
        table = Table(*map(say, _COLUMNS), box=None, padding=(0, 2))
        for row in rows:
            before, now = f"{row['believed']} {row['unit']}", f"{row['value']} {row['unit']}"
            why = say(_REASONS.get(row["reason"], row["reason"]))
            table.add_row(row["device"], row["point"], why, before, now, str(row["reads"]))
        out.print(table)
        out.print(
            say("If the meter or its transformers were exchanged: edge guard accept DEVICE REGISTER"), markup=False
        )


@app.command("accept")
def accept(
    ctx: typer.Context,
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="The device's id.", autocompletion=complete.devices)],
    point: Annotated[
        str, typer.Argument(metavar="REGISTER", help="The register's point name.", autocompletion=complete.points)
    ],
    as_json: Json = False,
) -> None:
    """Take a register's present level for right, because you know what happened; it is recorded."""
    settings = settings_of(ctx, as_json=as_json)
    answer = ask(
        settings, "guard", as_json=as_json, action="accept", device=device, point=point, operator=getpass.getuser()
    )
    if answer is None:
        fail(_STOPPED, as_json=as_json)
    if as_json:
        print_json(answer)
    else:
        out.print(say(f"{device}/{point} is believed again from its present level on"), markup=False)
