"""``central sync``: take batches that were carried by hand, prove the log, pack its readings anew."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import Progress

from central_server.billing.period import parse_period
from central_server.clock import now_ms
from central_server.command import NO, Json, fail, on_database
from central_server.config import Config
from central_server.db import Database
from central_server.errors import BadRequest
from central_server.gaps.service import Gap, gaps_of
from central_server.gaps.views import span_of
from central_server.rbac import system
from central_server.sync.proof import Proof, prove
from central_server.sync.usb import Imported, import_file
from central_server.telemetry.rebuild import Rebuilt
from central_server.telemetry.rebuild import rebuild as rebuild_readings

sync_app = typer.Typer(help="The log of the gateways' signed batches.", no_args_is_help=True)


@sync_app.command("import")
def take(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file that 'edge buffer export' has written.")],
    as_json: Json = False,
) -> None:
    """Take batches carried by hand, by the rules of the network; the same file twice changes nothing."""

    async def work(_: Config, db: Database) -> Imported:
        size = file.stat().st_size if file.is_file() else 0
        with Progress(console=Console(stderr=True), disable=as_json, transient=True) as bars:
            bar = bars.add_task("batches", total=size)
            return await import_file(db, file, lambda read: bars.update(bar, completed=read))

    found = on_database(ctx, work, as_json)
    if as_json:
        told = {"batches": found.batches, "new": found.new, "records": found.records, "refused": found.refused}
        typer.echo(json.dumps({"ok": not found.refused, **told}, ensure_ascii=False))
    else:
        typer.echo(f"{found.batches} batches, {found.new} of them new with {found.records} records.")
        for reason in found.refused:
            typer.echo(f"central: {reason}", err=True)
        if (more := found.reasons.total() - len(found.refused)) > 0:
            typer.echo(f"central: {more} more were refused; the audit counts them by reason.", err=True)
    if found.refused:
        raise typer.Exit(NO)


@sync_app.command("verify")
def verify(ctx: typer.Context, as_json: Json = False) -> None:
    """Prove the whole log: every batch whole, signed, and none missing, moved or put between; 1 if not."""

    async def work(_: Config, db: Database) -> Proof:
        return await prove(db)

    found = on_database(ctx, work, as_json)
    if as_json:
        told = {"batches": found.batches, "records": found.records, "signed": found.signed, "faults": found.faults}
        typer.echo(json.dumps({"ok": not found.faults, **told}, ensure_ascii=False))
    else:
        for fault in found.faults:
            typer.echo(f"central: {fault}", err=True)
        end = f"{len(found.faults)} faults." if found.faults else "Every one fits."
        typer.echo(f"{found.batches} batches with {found.records} records, {found.signed} signed. {end}")
    if found.faults:
        raise typer.Exit(NO)


@sync_app.command("rebuild")
def rebuild(
    ctx: typer.Context,
    gateway: Annotated[str | None, typer.Option("--gateway", help="Only this gateway's readings.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="Only this site's readings.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much it would be.")] = False,
    as_json: Json = False,
) -> None:
    """Drop the packed readings with their rollups and make them anew from the log; events stay as they are."""

    async def work(_: Config, db: Database) -> Rebuilt:
        with Progress(console=Console(stderr=True), disable=as_json, transient=True) as bars:
            bar = bars.add_task("batches", total=None)

            def step(done: int, total: int) -> None:
                bars.update(bar, completed=done, total=total)

            return await rebuild_readings(db, gateway, site, is_dry=dry_run, step=step)

    found = on_database(ctx, work, as_json)
    if as_json:
        typer.echo(json.dumps({"ok": True, "dry_run": dry_run, "batches": found.batches, "blocks": found.blocks}))
    elif dry_run:
        typer.echo(f"{found.batches} batches would be packed anew; they are in {found.blocks} blocks now.")
    else:
        typer.echo(f"{found.batches} batches are packed anew into {found.blocks} blocks.")


@sync_app.command("gaps")
def gaps(
    ctx: typer.Context,
    period: Annotated[str, typer.Option("--period", help="A month, as 2026-10.")],
    as_json: Json = False,
) -> None:
    """List when meters were not read, and whether the meter, its gateway or the link is to blame."""
    try:
        month = parse_period(period)
    except ValueError:
        fail(BadRequest("bad_month", "'{period}' is no month. Write it as 2026-10.", period=period), as_json)

    async def work(config: Config, db: Database) -> list[Gap]:
        return await gaps_of(db, system("command line"), *span_of(month, ZoneInfo(config.zone)), now_ms())

    found = on_database(ctx, work, as_json)
    if as_json:
        typer.echo(json.dumps({"ok": True, "period": period, "gaps": [_gap(gap) for gap in found]}, ensure_ascii=False))
        return
    for gap in found:
        told = _gap(gap)
        typer.echo(f"{gap.edge_id}  {gap.code}  {told['since']}  {told['until'] or 'lasts'}  {gap.cause}")
    if not found:
        typer.echo("Every meter was read without a gap.")


def _gap(gap: Gap) -> dict[str, str | None]:
    until = None if gap.until is None else _iso(gap.until)
    return {"edge_id": gap.edge_id, "device": gap.code, "since": _iso(gap.since), "until": until, "cause": gap.cause}


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
