"""``edge config``: tell whether a settings file or a device profile is right."""

from pathlib import Path
from typing import Annotated

import typer

from drivers.profile import Profile, parse_profile
from edge_agent.commands.shell import Json, fail_settings, print_json, say
from edge_agent.config import Settings, load_settings, read_text
from protocols.toml import SettingsError, parse

app = typer.Typer(help="Check settings before they are used.", no_args_is_help=True)


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A settings file, or a device profile (TOML).")], as_json: Json = False
) -> None:
    """Check settings and the profiles they name, or one profile; every fault with line, key and remedy."""
    try:
        found = _load(file)
    except SettingsError as error:
        fail_settings(error, as_json=as_json)
    if isinstance(found, Profile):
        counts = {"points": len(found.points)}
        text = f"profile of '{found.title}', {found.protocol}, {_count(len(found.points), 'point', 'points')}"
    else:
        counts = {"buses": len(found.buses), "devices": len(found.devices)}
        uplink = f"reports to {found.uplink.url}" if found.uplink else "has no uplink: it only stores"
        size = f"{_count(len(found.buses), 'bus', 'buses')}, {_count(len(found.devices), 'device', 'devices')}"
        text = f"gateway '{found.edge_id}', {size}, {uplink}"
    if as_json:
        print_json({"ok": True, **counts, "faults": []})
    else:
        typer.echo(say(f"{file}: {text}. Nothing wrong was found."))


def _load(file: Path) -> Settings | Profile:
    """Read a file as what it is. Raises: SettingsError."""
    text = read_text(file)
    if "protocol" in parse(text, str(file)).data:
        return parse_profile(text, f"{file.absolute().parent.name}/{file.stem}", str(file))
    return load_settings(file)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
