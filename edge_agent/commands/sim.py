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
from edge_agent.commands.shell import WRONG, fail, fail_settings
from edge_agent.commands.shell import run as run_async
from protocols.toml import SettingsError


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
    try:
        site = load_site(file) if file else training_site(Path(tempfile.mkdtemp(prefix="gatehouse-sim-")))
    except SettingsError as error:
        fail_settings(error, as_json=False)
    site = replace(site, seed=site.seed if seed is None else seed, speed=site.speed if speed is None else speed)
    try:
        run_async(run_site(site, ready=lambda addresses: _ready(site, addresses, write_config)))
    except SimError as error:
        fail(str(error), WRONG)


def _ready(site: Site, addresses: Mapping[str, str], write_config: Path | None) -> None:
    for line, address in addresses.items():
        devices = ", ".join(device.id for device in site.devices if device.line == line)
        typer.echo(f"{line:<12} {address:<40} {devices}")
    if write_config is not None:
        write_config.write_text(edge_config(site, addresses), encoding="utf-8")
        typer.echo(f"Settings written to {write_config}. Now: edge -c {write_config} run")
    typer.echo("ready")
