"""``central audit`` and ``central outbox``: check the chain, and look at what waits to be sent."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from central_server import audit
from central_server.admin import codes, trail
from central_server.context import open_context
from central_server.db import Database
from central_server.errors import CentralError, UsageError
from protocols.toml import SettingsError

audit_app = typer.Typer(help="Who did what: check that nothing of it was changed.", no_args_is_help=True)
outbox_app = typer.Typer(help="Messages that wait to be sent.", no_args_is_help=True)

_NO, _WRONG = 1, 2

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


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

    async def work(db: Database) -> tuple[audit.Verdict, bool]:
        verdict = await audit.verify(db)
        return verdict, not holds or await trail.holds(db, holds)

    verdict, is_held = _on_database(ctx, work, as_json)
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
        raise typer.Exit(_NO)


@outbox_app.command("list")
def list_messages(ctx: typer.Context, as_json: Json = False) -> None:
    """List the messages nothing has carried yet; this version has nothing that does."""
    found = _on_database(ctx, codes.list_outbox, as_json)
    if as_json:
        rows = [{"id": row.id, "person": row.person_code, "kind": row.kind, "body": row.body} for row in found]
        typer.echo(json.dumps({"messages": rows}, ensure_ascii=False))
        return
    for row in found:
        at = datetime.fromtimestamp(row.created_at // 1000, UTC)
        typer.echo(f"{at:%Y-%m-%dT%H:%M:%SZ} {row.person_code:<16} {row.body}")
    if not found:
        typer.echo("Nothing waits.")


def _on_database(ctx: typer.Context, work: Callable[[Database], Coroutine[Any, Any, T]], as_json: bool) -> T:
    async def opened() -> T:
        async with open_context(ctx.obj) as (_, db):
            return await work(db)

    try:
        return asyncio.run(opened())
    except (CentralError, SettingsError) as error:
        _fail(error, as_json)


def _fail(error: CentralError | SettingsError, as_json: bool) -> NoReturn:
    key = "settings" if isinstance(error, SettingsError) else error.key
    if as_json:
        typer.echo(json.dumps({"error": {"key": key, "message": str(error)}}, ensure_ascii=False))
    else:
        typer.echo(f"central: {error}" if isinstance(error, CentralError) else str(error), err=True)
    raise typer.Exit(_WRONG if isinstance(error, (SettingsError, UsageError)) else _NO)
