"""``central mqtt``: set a broker up for the gateways, and take from it in a process of its own."""

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from central_server.app import ingest
from central_server.command import Json, do, fail, on_database
from central_server.config import Config
from central_server.context import open_context
from central_server.db import Database
from central_server.errors import UsageError
from central_server.sync.authority import load_authority
from central_server.sync.broker import PORT_TLS, Written, acl, set_up_broker

mqtt_app = typer.Typer(help="Gateways that come through an MQTT broker.", no_args_is_help=True)


@mqtt_app.command("broker")
def broker(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where the files go; the broker reads them from there.")],
    names: Annotated[
        list[str] | None, typer.Option("--name", help="A name or address of the broker; default: that of [mqtt] url.")
    ] = None,
    there: Annotated[
        Path | None, typer.Option("--there", help="The folder's path on the broker's machine, if that is another one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write mosquitto's settings, rights and certificate; once a year again for the next certificate."""

    async def work(config: Config, _: Database) -> Written:
        if config.door is None or config.broker is None:
            text = "There is no broker in {file}. Add [mqtt] with its url, such as mqtts://broker.example:8883."
            raise UsageError("no_broker", text, file=str(config.file))
        now, parts = datetime.now(UTC), urlsplit(config.broker)
        authority = load_authority(config.door.authority, now)
        return set_up_broker(folder, authority, names or [parts.hostname or ""], parts.port or PORT_TLS, now, there)

    try:
        written = on_database(ctx, work, as_json)
    except OSError as error:
        text = "The folder {folder} cannot be written: {reason}. Name another one."
        fail(UsageError("broker_folder", text, folder=str(folder), reason=error.strerror), as_json)
    until = f"{written.not_after:%Y-%m-%d}"
    if as_json:
        typer.echo(json.dumps({"ok": True, "folder": str(written.folder), "not_after": until}))
    else:
        typer.echo(f"The broker's files are in {written.folder}; its certificate lasts until {until}. Start it with:")
        typer.echo(f"  mosquitto -c {(there or written.folder.resolve()) / 'mosquitto.conf'}")


@mqtt_app.command("acl")
def show_acl() -> None:
    """Print who may write and read what, as mosquitto's acl_file has it."""
    typer.echo(acl(), nl=False)


@mqtt_app.command("run")
def run(ctx: typer.Context) -> None:
    """Take from the broker until SIGTERM or Ctrl-C, beside the server and as many others as you like."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)

    async def work() -> None:
        async with open_context(ctx.obj) as (config, db):
            await ingest(config, db)

    do(work(), as_json=False)
