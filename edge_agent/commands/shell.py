"""What every command needs: the settings, the running gateway, output and errors in one form."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console

from edge_agent.config import Settings, find_config
from edge_agent.config_revision import settings_in_force
from edge_agent.control import ControlClient, ControlError, NotRunning
from edge_agent.speech import LANGUAGES, choose, translate
from protocols.toml import Fault, SettingsError

NO, WRONG = 1, 2
T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

# What is piped into another program has no width of its own; a row is to stay on its line there.
_PIPED_WIDTH = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 200

out = Console(highlight=False, width=_PIPED_WIDTH)
err = Console(stderr=True, highlight=False)


_asked: ContextVar[str | None] = ContextVar("language", default=None)


def speak(language: str | None) -> None:
    """Set the language of people's output; None for what the environment asks for."""
    _asked.set(language if language in LANGUAGES else None)
    if language is not None and language not in LANGUAGES:
        fail(f"there is no language '{language}'. There are: {', '.join(LANGUAGES)}.", WRONG)


def language() -> str:
    return _asked.get() or choose(os.environ)


def say(text: str) -> str:
    """Give a sentence, or a heading, in the language of people's output; JSON stays in English."""
    return translate(text, language())


def settings_of(
    ctx: typer.Context, *, as_json: bool = False, load: Callable[[Path], Settings] = settings_in_force
) -> Settings:
    """Load the settings of the gateway that the command line names; wrong ones end the command with 2."""
    named: Path | None = ctx.find_root().params.get("config")
    try:
        return load(find_config(named))
    except SettingsError as error:
        fail_settings(error, as_json=as_json)


def fail_settings(error: SettingsError, *, as_json: bool) -> NoReturn:
    """Show every fault of a file and end with 2."""
    if as_json:
        print_json({"ok": False, "faults": [fault._asdict() for fault in error.faults]})
    else:
        for fault in error.faults:
            typer.echo(_fault_text(fault), err=True)
    raise typer.Exit(WRONG)


def _fault_text(fault: Fault) -> str:
    if language() == "en":
        return str(fault)
    place = f"{fault.file}:{fault.line}" if fault.line else fault.file
    key = f" {fault.key}:" if fault.key else ""
    return f"{place}:{key} {say(fault.message)}。{say(fault.remedy)}"


def fail(text: str, code: int = NO, *, as_json: bool = False) -> NoReturn:
    """End with one clear sentence."""
    if as_json:
        print_json({"ok": False, "error": text})
    else:
        typer.echo(f"edge: {say(text)}", err=True)
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


def has_store(settings: Settings, *, as_json: bool = False) -> bool:
    """Tell whether the gateway has stored anything yet; ends the command where that cannot be seen."""
    path = settings.store_path
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        fail(f"{path}: the store cannot be read ({error.strerror}). Use the gateway's account.", WRONG, as_json=as_json)
    return True


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's asynchronous part; Ctrl-C breaks it off quietly."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def run_until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run what has no end of its own; Ctrl-C and SIGTERM are its good end."""

    async def stoppable() -> None:
        running = asyncio.current_task()
        assert running is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        await work

    with suppress(asyncio.CancelledError):
        asyncio.run(stoppable())
