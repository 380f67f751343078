"""``central audit`` and ``central outbox``: check the chain, and look at what waits to be sent."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from central_server import audit
from central_server.admin import codes, trail
from central_server.command import NO, Json, on_database
from central_server.config import Config
from central_server.db import Database

audit_app = typer.Typer(help="Who did what: check that nothing of it was changed.", no_args_is_help=True)
outbox_app = typer.Typer(help="Messages that wait to be sent.", no_args_is_help=True)


@audit_app.command("verify")
def verify(
    ctx: typer.Context,
    holds: Annotated[
        str, typer.Option("--holds", help="A hash noted earlier; the chain must still hold it.", metavar="HASH")
    ] = "",
    as_json: Json = False,
) -> None:
    """Walk the chain from its beginning; 1 if an entry was changed, taken away or put in.

    Entries taken from the end leave no gap: note the hash this prints, away from this machine, and
    give it the next time with --holds.
    """

    async def work(_: Config, db: Database) -> tuple[audit.Verdict, bool]:
        verdict = await audit.verify(db)
        return verdict, not holds or await trail.holds(db, holds)

    verdict, is_held = on_database(ctx, work, as_json)
    is_whole = verdict.broken_id is None and is_held
    if as_json:
        said = {"entries": verdict.entries, "head": verdict.head, "broken_id": verdict.broken_id, "held": is_held}
        typer.echo(json.dumps({"ok": is_whole, **said}))
    elif verdict.broken_id is not None:
        text = f"Entry {verdict.broken_id} does not fit the one before it; the {verdict.entries} before it are whole."
        typer.echo(f"central: {text} Compare with a backup.", err=True)
    elif not is_held:
        typer.echo("central: The chain is whole, but the hash noted earlier is not in it: its end was cut.", err=True)
    else:
        typer.echo(f"All {verdict.entries} entries fit. The newest hash is {verdict.head}")
    if not is_whole:
        raise typer.Exit(NO)


@outbox_app.command("list")
def list_messages(ctx: typer.Context, as_json: Json = False) -> None:
    """List the messages nothing has carried yet; this version has nothing that does."""
    found = on_database(ctx, lambda _, db: codes.list_outbox(db), as_json)
    if as_json:
        rows = [{"id": row.id, "person": row.person_code, "kind": row.kind, "body": row.body} for row in found]
        typer.echo(json.dumps({"messages": rows}, ensure_ascii=False))
        return
    for row in found:
        at = datetime.fromtimestamp(row.created_at // 1000, UTC)
        typer.echo(f"{at:%Y-%m-%dT%H:%M:%SZ} {row.person_code:<16} {row.body}")
    if not found:
        typer.echo("Nothing waits.")
