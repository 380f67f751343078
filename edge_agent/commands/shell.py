"""What every command needs: the settings, the running gateway, output and errors in one form."""

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console

from edge_agent.config import Settings, find_config, load_settings
from edge_agent.control import ControlClient, ControlError, NotRunning
from protocols.toml import SettingsError

NO, WRONG = 1, 2
T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def settings_of(ctx: typer.Context, *, as_json: bool = False) -> Settings:
    """Load the settings that the command line names; wrong ones end the command with 2."""
    named: Path | None = ctx.find_root().params.get("config")
    try:
        return load_settings(find_config(named))
    except SettingsError as error:
        fail_settings(error, as_json=as_json)


def fail_settings(error: SettingsError, *, as_json: bool) -> NoReturn:
    """Show every fault of a file and end with 2."""
    if as_json:
        print_json({"ok": False, "faults": [fault._asdict() for fault in error.faults]})
    else:
        for fault in error.faults:
            typer.echo(str(fault), err=True)
    raise typer.Exit(WRONG)


def fail(text: str, code: int = NO, *, as_json: bool = False) -> NoReturn:
    """End with one clear sentence."""
    if as_json:
        print_json({"ok": False, "error": text})
    else:
        typer.echo(f"edge: {text}", err=True)
    raise typer.Exit(code)


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))


def ask(settings: Settings, op: str, *, as_json: bool = False, **fields: Any) -> Any | None:
    """Ask the running gateway; None where none runs."""
    try:
        return asyncio.run(ControlClient(settings.socket_path).ask(op, **fields))
    except NotRunning:
        return None
    except ControlError as error:
        fail(str(error), as_json=as_json)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's asynchronous part; Ctrl-C ends it quietly."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def age(seconds: float | None) -> str:
    """Print an age as people say it."""
    if seconds is None:
        return "-"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
