"""The ``edge`` command: a gateway and the tools of the engineer who brings it up."""

import os
from pathlib import Path
from typing import Annotated

import typer

from edge_agent.commands import buffer, config, door, guard, imports, service, sim, sync
from edge_agent.commands.bundle import bundle
from edge_agent.commands.capture import capture
from edge_agent.commands.commission import commission
from edge_agent.commands.decode import decode
from edge_agent.commands.doctor import doctor
from edge_agent.commands.enrol import enroll
from edge_agent.commands.gaps import gaps
from edge_agent.commands.history import history
from edge_agent.commands.order import guess_order
from edge_agent.commands.probe import probe
from edge_agent.commands.replay import replay
from edge_agent.commands.scan import scan
from edge_agent.commands.shell import speak
from edge_agent.commands.watch import watch
from edge_agent.commands.write import write

_OTHERS = 0o022

app = typer.Typer(name="edge", no_args_is_help=True, pretty_exceptions_enable=False)
app.command("run")(service.run)
app.command("status")(service.status)
app.command("devices")(service.devices)
app.command("read")(service.read)
app.command("watch")(watch)
app.command("enroll")(enroll)
app.add_typer(buffer.app, name="buffer")
app.add_typer(sync.app, name="sync")
app.command("gaps")(gaps)
app.command("history")(history)
app.command("scan")(scan)
app.command("probe")(probe)
# A number may be negative and is no option then.
app.command("write", context_settings={"ignore_unknown_options": True})(write)
app.command("capture")(capture)
app.command("replay")(replay)
app.command("guess-order")(guess_order)
app.command("decode")(decode)
app.command("doctor")(doctor)
app.command("commission")(commission)
app.command("bundle")(bundle)
app.add_typer(config.app, name="config")
app.add_typer(imports.app, name="import")
app.command("door")(door.door)
app.command("doors")(door.doors)
app.add_typer(guard.app, name="guard")
app.add_typer(sim.app, name="sim")


@app.callback()
def settings(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", envvar="GATEHOUSE_EDGE_CONFIG", help="Settings file; default ./edge.toml."),
    ] = None,
    lang: Annotated[str | None, typer.Option("--lang", help="en or zh; default: as the environment says.")] = None,
) -> None:
    """Poll meters, keep every reading, deliver it once; and find out what is wrong with a line."""
    speak(lang)


def main() -> None:
    """Run the command line; whoever starts it, nobody else may write what it makes."""
    os.umask(os.umask(_OTHERS) | _OTHERS)
    app()
