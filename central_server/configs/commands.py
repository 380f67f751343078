"""``central edge config``: settings for gateways, and what became of them."""

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from central_server.command import NO, Json, fail, on_database
from central_server.config import Config
from central_server.configs.overview import in_force
from central_server.configs.service import history as history_of
from central_server.configs.service import push as push_to
from central_server.configs.store import OFFERED, ConfigRow
from central_server.db import Database
from central_server.errors import UsageError
from central_server.rbac import system
from protocols.config_offer import CONFIRMED

config_app = typer.Typer(help="Settings for gateways: push them, see what became of them.", no_args_is_help=True)

_LOOK_S = 1.0


@config_app.command("push")
def push(
    ctx: typer.Context,
    edge_id: Annotated[str, typer.Argument(metavar="EDGE", help="The gateway's id.")],
    file: Annotated[Path, typer.Argument(help="The whole new settings (TOML).")],
    wait: Annotated[int, typer.Option("--wait", min=0, help="Wait so many seconds for what becomes of them.")] = 0,
    as_json: Json = False,
) -> None:
    """Offer settings to a gateway: it checks them, tries them for 60 s, and goes back by itself; 1 if it did."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is not UTF-8 text"
        text = "{file} cannot be read: {reason}. Name a settings file."
        fail(UsageError("config_unreadable", text, file=str(file), reason=reason), as_json)

    async def offer(_: Config, db: Database) -> int:
        return await push_to(db, system("command line"), edge_id, text)

    number = on_database(ctx, offer, as_json)
    if not as_json:
        typer.echo(f"Revision {number} is offered to '{edge_id}'.")
    until = time.monotonic() + wait
    row = _one(ctx, edge_id, number, as_json)
    while row.state == OFFERED and time.monotonic() < until:
        time.sleep(_LOOK_S)
        row = _one(ctx, edge_id, number, as_json)
    if as_json:
        typer.echo(json.dumps({"edge_id": edge_id, **_row(row)}, ensure_ascii=False))
    elif wait:
        typer.echo(f"Revision {number} is {row.state}" + (f": {row.reason}" if row.reason else "."))
    if wait and row.state != CONFIRMED:
        raise typer.Exit(NO)


@config_app.command("list")
def list_settings(ctx: typer.Context, as_json: Json = False) -> None:
    """List which revision each gateway runs, and whether another waits for it."""
    rows = on_database(ctx, lambda _, db: in_force(db, system("command line")), as_json)
    if as_json:
        found = [asdict(row) | {"heard_at": None if row.heard_at is None else _iso(row.heard_at)} for row in rows]
        typer.echo(json.dumps({"gateways": found}, ensure_ascii=False))
        return
    for row in rows:
        runs = "has not told what it runs" if row.revision is None else f"revision {row.revision}, {row.state}"
        waits = "" if row.offered is None else f"; revision {row.offered} of this centre waits for it"
        typer.echo(f"{row.edge_id:<20} {row.site:<20} {runs}{waits}")
    if not rows:
        typer.echo("There is no gateway yet. Let one in with 'central edge invite SITE --id gw-1'.")


@config_app.command("history")
def history(
    ctx: typer.Context,
    edge_id: Annotated[str, typer.Argument(metavar="EDGE", help="The gateway's id.")],
    as_json: Json = False,
) -> None:
    """List the settings that were meant for a gateway, newest first, and what became of them."""
    rows = _rows(ctx, edge_id, as_json)
    if as_json:
        typer.echo(json.dumps({"edge_id": edge_id, "revisions": [_row(row) for row in rows]}, ensure_ascii=False))
        return
    for row in rows:
        told = _row(row)
        typer.echo(f"{row.number:>5}  {told['issued_at'][:19]}Z  {row.actor:<16} {row.state:<10} {row.reason or ''}")
    if not rows:
        typer.echo(f"Nothing was pushed to '{edge_id}' yet: central edge config push {edge_id} FILE")


def _rows(ctx: typer.Context, edge_id: str, as_json: bool) -> list[ConfigRow]:
    async def look(_: Config, db: Database) -> list[ConfigRow]:
        return await history_of(db, edge_id)

    return on_database(ctx, look, as_json)


def _one(ctx: typer.Context, edge_id: str, number: int, as_json: bool) -> ConfigRow:
    return next(row for row in _rows(ctx, edge_id, as_json) if row.number == number)


def _row(row: ConfigRow) -> dict[str, Any]:
    told = row._asdict() | {"issued_at": _iso(row.issued_at), "revision": row.number}
    return told | {"reported_at": None if row.reported_at is None else _iso(row.reported_at)}


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
