"""What every ``central`` command needs: the database, and errors in one form."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from sqlalchemy.exc import DBAPIError

from central_server.config import Config
from central_server.context import open_context
from central_server.db import Database
from central_server.errors import BadRequest, CentralError, UsageError
from protocols.toml import SettingsError

T = TypeVar("T")
NO, WRONG = 1, 2

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def on_database(ctx: typer.Context, work: Callable[[Config, Database], Coroutine[Any, Any, T]], as_json: bool) -> T:
    """Run work on the configured database, which must be of this version."""

    async def opened() -> T:
        async with open_context(ctx.obj) as (config, db):
            return await work(config, db)

    return do(opened(), as_json)


def do(work: Coroutine[Any, Any, T], as_json: bool) -> T:
    """Run a command's work; an expected error ends it with one clear text and no traceback."""
    try:
        return asyncio.run(work)
    except (CentralError, SettingsError) as error:
        fail(error, as_json)
    except DBAPIError as error:
        text = "The database failed: {problem}. Look at its disk and its rights, or restore a backup."
        fail(UsageError("database_failed", text, problem=str(error.orig)), as_json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def fail(error: CentralError | SettingsError, as_json: bool) -> NoReturn:
    """End with one clear text."""
    key = "settings" if isinstance(error, SettingsError) else error.key
    if as_json:
        fields = (
            {"faults": [fault._asdict() for fault in error.faults]}
            if isinstance(error, SettingsError)
            else dict(error.fields)
        )
        typer.echo(json.dumps({"error": {"key": key, "message": str(error), "fields": fields}}, ensure_ascii=False))
    else:
        typer.echo(f"central: {error}" if isinstance(error, CentralError) else str(error), err=True)
    raise typer.Exit(WRONG if isinstance(error, (SettingsError, UsageError, BadRequest)) else NO)
