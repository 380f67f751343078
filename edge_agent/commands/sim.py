"""``edge sim``: a simulated site to learn on, on real sockets and ptys."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from drivers.sim.edge_config import edge_config
from drivers.sim.errors import SimError
from drivers.sim.run import run_site
from drivers.sim.site import Site, load_site
from drivers.sim.training import training_site
from edge_agent.commands.shell import WRONG, fail, fail_settings, run_until_stopped
from protocols.toml import SettingsError

_MARK = "# Written by 'edge sim' for a gateway of its site, and written again whenever it starts."


def sim(
    file: Annotated[
        Path | None, typer.Argument(help="A site file (TOML); default: the built-in training site.")
    ] = None,
    write_config: Annotated[
        Path | None, typer.Option("--write-config", help="Write the settings of a gateway that reads this site here.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Another seed is another history.")] = None,
    speed: Annotated[int | None, typer.Option("--speed", min=1, help="Seconds the meters live in one.")] = None,
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
        run_until_stopped(run_site(site, ready=lambda addresses: _ready(site, addresses, write_config)))
    except SimError as error:
        fail(str(error), WRONG)


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
