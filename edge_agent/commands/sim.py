"""``edge sim``: a simulated site to learn on, on real sockets and ptys; ``edge sim do`` makes things happen in it."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from drivers.sim.control import USAGE, ask
from drivers.sim.edge_config import edge_config
from drivers.sim.errors import SimError
from drivers.sim.run import run_site
from drivers.sim.site import Site, load_site
from drivers.sim.training import training_site
from edge_agent.commands.shell import NO, WRONG, fail, fail_settings, print_json, run_until_stopped
from protocols.toml import SettingsError

_SERVE = "serve"


class _ServeByDefault(TyperGroup):
    """Take ``edge sim [SITE.toml]`` as ``edge sim serve [SITE.toml]``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = [_SERVE, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_ServeByDefault, no_args_is_help=False)
_MARK = "# Written by 'edge sim' for a gateway of its site, and written again whenever it starts."


@app.callback()
def sim() -> None:
    """Serve a simulated site (edge sim [SITE.toml]), or make something happen in one (edge sim do)."""


@app.command(_SERVE)
def serve(
    file: Annotated[
        Path | None, typer.Argument(help="A site file (TOML); default: the built-in training site.")
    ] = None,
    write_config: Annotated[
        Path | None, typer.Option("--write-config", help="Write the settings of a gateway that reads this site here.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Another seed is another history.")] = None,
    speed: Annotated[int | None, typer.Option("--speed", min=1, help="Seconds the meters live in one.")] = None,
    control: Annotated[
        Path | None, typer.Option("--control", help="Open a socket here for 'edge sim do SOCKET ...'.")
    ] = None,
) -> None:
    """Serve a simulated site until Ctrl-C."""
    if write_config is not None:
        _refuse_to_overwrite(write_config)
    try:
        site = load_site(file) if file else training_site(Path(tempfile.mkdtemp(prefix="gatehouse-sim-")))
    except SettingsError as error:
        fail_settings(error, as_json=False)
    site = replace(site, seed=site.seed if seed is None else seed, speed=site.speed if speed is None else speed)
    try:
        run_until_stopped(
            run_site(site, ready=lambda addresses: _ready(site, addresses, write_config), control=control)
        )
    except SimError as error:
        fail(str(error), WRONG)


@app.command("do", help=f"Make something happen: {USAGE}.")
def do(
    socket: Annotated[Path, typer.Argument(help="The socket that 'edge sim --control' has opened.")],
    words: Annotated[list[str], typer.Argument(metavar="WHAT...", help="What is to happen.")],
) -> None:
    """Print the answer as one JSON line; 1 if the site refuses."""
    try:
        told = ask(socket, words)
    except SimError as error:
        fail(str(error), WRONG)
    print_json(told)
    if not told.get("ok"):
        raise typer.Exit(NO)


def _refuse_to_overwrite(file: Path) -> None:
    """End the command where the file is there and somebody else's, most likely a real gateway's."""
    try:
        is_ours = not file.exists() or file.read_text(encoding="utf-8", errors="replace").startswith(_MARK)
    except OSError as error:
        fail(f"{file} cannot be used: {error.strerror}. Name another file.", WRONG)
    if not is_ours:
        fail(f"{file} is there already, and 'edge sim' has not written it. Name another file, or move it away.", WRONG)


def _ready(site: Site, addresses: Mapping[str, str], write_config: Path | None) -> None:
    for line, address in addresses.items():
        devices = ", ".join(device.id for device in site.devices if device.line == line)
        typer.echo(f"{line:<12} {address:<40} {devices}")
    if write_config is not None:
        try:
            write_config.write_text(f"{_MARK}\n\n{edge_config(site, addresses)}", encoding="utf-8")
        except OSError as error:
            raise SimError(f"{write_config} cannot be written: {error.strerror}. Name another file.") from None
        typer.echo(f"Settings written to {write_config}. Now: edge -c {write_config} run")
    typer.echo("ready")
