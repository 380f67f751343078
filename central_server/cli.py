"""The ``central`` command: run the server, open accounts, let gateways in, import records, bill."""

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from central_server import auth
from central_server.admin import service as admin
from central_server.admin.commands import audit_app, outbox_app
from central_server.app import serve
from central_server.billing.commands import bill_app, tariff_app
from central_server.billing.tariff import load_tariffs
from central_server.clock import now_ms
from central_server.command import Json, do, fail, on_database
from central_server.config import Config
from central_server.configs.commands import config_app
from central_server.context import open_context, require_key
from central_server.db import Database
from central_server.devices import service as devices
from central_server.errors import UsageError
from central_server.migrate import database_version, migrate, require_current
from central_server.password import new_secret
from central_server.private_file import write_private
from central_server.rbac import Role, system
from central_server.records.service import import_records
from central_server.records.source import open_source
from central_server.reports.commands import kpi
from central_server.sync.authority import load_authority
from central_server.sync.broker_commands import mqtt_app
from central_server.sync.commands import sync_app
from central_server.sync.enrolment import new_code

_OTHERS = 0o022
_SOON = timedelta(days=14)  # a gateway renews at two thirds of the time, so then something keeps it from that

app = typer.Typer(name="central", help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
user_app = typer.Typer(help="Accounts of people.", no_args_is_help=True)
edge_app = typer.Typer(help="Gateways: let in, list, shut out.", no_args_is_help=True)
records_app = typer.Typer(help="Sites, buildings, units, owners and meters.", no_args_is_help=True)
app.add_typer(user_app, name="user")
app.add_typer(edge_app, name="edge")
edge_app.add_typer(config_app, name="config")
app.add_typer(records_app, name="records")
app.add_typer(tariff_app, name="tariff")
app.add_typer(bill_app, name="bill")
app.add_typer(audit_app, name="audit")
app.add_typer(outbox_app, name="outbox")
app.add_typer(sync_app, name="sync")
app.add_typer(mqtt_app, name="mqtt")
app.command("kpi")(kpi)


@app.callback()
def settings(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", envvar="GATEHOUSE_CENTRAL_CONFIG", help="Settings file; default ./central.toml."
        ),
    ] = None,
) -> None:
    """Run the centre of Gatehouse and work with what it knows."""
    ctx.obj = config


@app.command("run")
def run(ctx: typer.Context) -> None:
    """Serve until SIGTERM or Ctrl-C. A new database is made at the first start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)

    async def work() -> None:
        async with open_context(ctx.obj, must_be_current=False) as (config, db):
            if await database_version(db) is None:
                await migrate(db)
            await require_current(db)
            await require_key(db)
            await serve(config, db)

    do(work(), as_json=False)


@app.command("migrate")
def migrate_database(ctx: typer.Context, as_json: Json = False) -> None:
    """Bring the database to this version's schema; a newer one is refused untouched."""

    async def work() -> tuple[str | None, str]:
        async with open_context(ctx.obj, must_be_current=False) as (_, db):
            return await migrate(db)

    before, after = do(work(), as_json)
    if as_json:
        typer.echo(json.dumps({"before": before, "after": after}))
    else:
        typer.echo(
            f"The database has schema {after}"
            + (" already." if before == after else f" now (before: {before or 'none'}).")
        )


@user_app.command("add")
def add_user(
    ctx: typer.Context,
    login: Annotated[str, typer.Argument(help="What the person signs in with.")],
    name: Annotated[str, typer.Option("--name", help="How the person is shown; default: the login.")] = "",
    lang: Annotated[str, typer.Option("--lang", help="zh or en.")] = "zh",
    role: Annotated[Role, typer.Option("--role", help="What the person is here for.")] = Role.ADMINISTRATOR,
    site: Annotated[
        str, typer.Option("--site", help="The code of the only site to be seen; default: every site.")
    ] = "",
    person: Annotated[str, typer.Option("--person", help="A resident's code in the records.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Open an account. Without --password-stdin a password is made and printed once; it must be changed in a day."""
    if lang not in ("zh", "en"):
        fail(UsageError("bad_language", "'{lang}' is not a language of the pages; write zh or en.", lang=lang), as_json)
    password, is_given = _password(password_stdin)

    async def add(_: Config, db: Database) -> int:
        site_id, person_id = await admin.scope_of(db, role, site, person)
        return await auth.add_account(
            db,
            login,
            name,
            lang,
            password,
            role,
            actor=system("command line"),
            site_id=site_id,
            person_id=person_id,
            must_change=not is_given,
        )

    on_database(ctx, add, as_json)
    _print_password(login, None if is_given else password, as_json)


@user_app.command("reset")
def reset_user(
    ctx: typer.Context,
    login: Annotated[str, typer.Argument(help="Whose password to replace.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Give an account a new password and end its sessions."""
    password, is_given = _password(password_stdin)
    on_database(ctx, lambda _, db: auth.reset_password(db, login, password, must_change=not is_given), as_json)
    _print_password(login, None if is_given else password, as_json)


@edge_app.command("invite")
def invite(
    ctx: typer.Context,
    site: Annotated[str, typer.Argument(help="The site's code.")],
    edge_id: Annotated[str, typer.Option("--id", help="The gateway's id, as in its settings.")],
    secret_file: Annotated[
        Path | None, typer.Option("--secret-file", help="Write the secret here (0600) instead of printing it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let a gateway in: a one-time code for 'edge enroll', or the secret of one on this machine."""
    if secret_file is None:
        _invite_shown(ctx, site, edge_id, as_json)
        return

    def invited() -> str:
        return on_database(ctx, lambda _, db: devices.invite(db, site, edge_id), as_json)

    try:
        # The file first: a secret made and then lost would shut out a gateway that was in.
        write_private(secret_file, lambda: invited() + "\n")
    except OSError as error:
        text = "The secret cannot be written to {file}: {reason}. Name another file."
        fail(UsageError("secret_file", text, file=str(secret_file), reason=error.strerror), as_json)
    if as_json:
        typer.echo(json.dumps({"edge_id": edge_id, "secret_file": str(secret_file)}))
    else:
        typer.echo(f"Gateway '{edge_id}' is invited; its secret is in {secret_file} (0600).")


def _invite_shown(ctx: typer.Context, site: str, edge_id: str, as_json: bool) -> None:
    """Invite a gateway and show what lets it in; with [gateways] that is a code, else a secret."""

    async def work(config: Config, db: Database) -> dict[str, str]:
        secret = await devices.invite(db, site, edge_id)
        if config.door is None:
            return {"secret": secret}
        authority = load_authority(config.door.authority, datetime.now(UTC))
        code = await new_code(db, authority, edge_id, now_ms())
        return {"code": code, "url": f"https://{config.door.names[0]}:{config.door.port}"}

    shown = on_database(ctx, work, as_json)
    if as_json:
        typer.echo(json.dumps({"edge_id": edge_id, "secret_file": None, **shown}))
    elif "code" in shown:
        typer.echo(f"Gateway '{edge_id}' is invited. On the gateway, within 15 minutes, once:")
        typer.echo(f"  edge enroll {shown['url']} {shown['code']}")
    else:
        typer.echo(f"Gateway '{edge_id}' is invited. Put this secret into its secret_file; it is not shown again:")
        typer.echo(shown["secret"])


@edge_app.command("list")
def list_edges(ctx: typer.Context, as_json: Json = False) -> None:
    """List the gateways: when each was last heard, how long its certificate is good, and a wrong clock."""
    rows = on_database(ctx, lambda _, db: devices.list_gateways(db, system("command line")), as_json)
    found = [
        {
            "edge_id": row.edge_id,
            "site": row.site_code,
            "name": row.name,
            "last_seen_at": _iso(row.last_seen_at),
            "revoked_at": _iso(row.revoked_at),
            "certificate_until": _iso(row.certificate_until),
            "clock": row.status.get("clock", {}).get("state"),
        }
        for row in rows
    ]
    if as_json:
        typer.echo(json.dumps({"gateways": found}, ensure_ascii=False))
    elif not found:
        typer.echo("There is no gateway yet. Let one in with 'central edge invite SITE --id gw-1'.")
    for row in [] if as_json else found:
        typer.echo(f"{row['edge_id']:<20} {row['site']:<20} {_edge_text(row)}")


def _edge_text(row: Mapping[str, Any]) -> str:
    if row["revoked_at"]:
        return "revoked"
    texts = [f"last heard {row['last_seen_at'] or 'never'}"]
    if until := row["certificate_until"]:
        left = datetime.fromisoformat(until) - datetime.now(UTC)
        mark = "" if left > _SOON else "SOON " if left > timedelta() else "ENDED "
        texts.append(f"{mark}certificate until {until[:10]}")
    if row["clock"] in ("wrong", "unknown"):
        texts.append(f"clock {row['clock']}")
    return ", ".join(texts)


@edge_app.command("revoke")
def revoke(ctx: typer.Context, edge_id: str, as_json: Json = False) -> None:
    """Shut a gateway out at once; inviting it again makes a new secret."""
    on_database(ctx, lambda _, db: devices.revoke(db, edge_id), as_json)
    typer.echo(json.dumps({"revoked": edge_id}) if as_json else f"Gateway '{edge_id}' is shut out.")


@records_app.command("import")
def import_file(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A records file: TOML, or the workbook (.xlsx).")],
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Import sites, buildings, people, units, meters and equipment: all rows or none; twice changes nothing."""

    async def work() -> Any:
        records = open_source(file)
        tariffs = load_tariffs()
        async with open_context(ctx.obj) as (_, db):
            return await import_records(db, records, tariffs, is_dry_run=is_dry_run)

    result = do(work(), as_json)
    if as_json:
        typer.echo(json.dumps({"dry_run": is_dry_run, "tables": result.tables}))
        return
    for table, counts in result.tables.items():
        typer.echo(f"{table:<16} " + ", ".join(f"{number} {what}" for what, number in sorted(counts.items())))
    typer.echo("Nothing was written (dry run)." if is_dry_run else "Imported.")


def _iso(at: int | None) -> str | None:
    return None if at is None else _utc_text(at)


def _utc_text(at: int) -> str:
    from_epoch = datetime.fromtimestamp(at // 1000, UTC)
    return f"{from_epoch:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


def _password(is_stdin: bool) -> tuple[str, bool]:
    if is_stdin:
        return sys.stdin.readline().rstrip("\n"), True
    return new_secret(), False


def _print_password(login: str, password: str | None, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"login": login, "password": password}))
    else:
        typer.echo(f"Account '{login}' is ready." + (f" Password (shown once): {password}" if password else ""))


def main() -> None:
    """Run the command line; whoever starts it, nobody else may write what it makes."""
    os.umask(os.umask(_OTHERS) | _OTHERS)
    app()
