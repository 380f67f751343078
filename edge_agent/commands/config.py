"""``edge config``: tell whether a settings file is right."""

from pathlib import Path
from typing import Annotated

import typer

from edge_agent.commands.shell import Json, fail_settings, print_json
from edge_agent.config import load_settings
from protocols.toml import SettingsError

app = typer.Typer(help="Check settings before they are used.", no_args_is_help=True)


@app.command("check")
def check(file: Annotated[Path, typer.Argument(help="A settings file (TOML).")], as_json: Json = False) -> None:
    """Check a file and the profiles it names; every fault with its line, key and remedy."""
    try:
        settings = load_settings(file)
    except SettingsError as error:
        fail_settings(error, as_json=as_json)
    if as_json:
        print_json({"ok": True, "buses": len(settings.buses), "devices": len(settings.devices), "faults": []})
    else:
        uplink = f"reports to {settings.uplink.url}" if settings.uplink else "has no uplink: it only stores"
        buses, devices = len(settings.buses), len(settings.devices)
        typer.echo(
            f"{file}: gateway '{settings.edge_id}', {buses} buses, {devices} devices, {uplink}. Nothing wrong was found."
        )
