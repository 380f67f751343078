"""``edge gaps``: when meters were not read, and whether the meter, this gateway or the way to the centre is to blame."""

import re
import time
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from edge_agent.commands import complete
from edge_agent.commands.shell import WRONG, Json, ask, fail, has_store, out, print_json, say, settings_of
from edge_agent.config import Settings
from edge_agent.live import iso_ms
from edge_agent.outage import Cause, Outage, is_gap, lasting
from edge_agent.outage_log import read_last_reads, read_outages
from edge_agent.store import StoreError, read_lanes
from protocols.record import Lane

_SPAN = re.compile(r"(\d{1,4})([hd])")
_UNITS_MS = {"h": 3_600_000, "d": 86_400_000}
_COLUMNS = ("meter", "from", "to", "for", "cause")
_CAUSES = {
    Cause.DEVICE: "the meter or its line did not answer",
    Cause.EDGE: "the gateway did not run",
    Cause.LINK: "not yet at the centre",
}


def gaps(
    ctx: typer.Context,
    device: Annotated[
        str | None, typer.Argument(metavar="[DEVICE]", help="Only this meter's.", autocompletion=complete.devices)
    ] = None,
    since: Annotated[str, typer.Option("--since", help="How far back, as 36h or 30d.")] = "30d",
    as_json: Json = False,
) -> None:
    """List when meters were not read, and why; the centre's report shows the same."""
    found = _SPAN.fullmatch(since)
    if found is None:
        fail(f"'{since}' is no time. Write hours or days, as 36h or 30d.", WRONG, as_json=as_json)
    settings = settings_of(ctx, as_json=as_json)
    if not has_store(settings, as_json=as_json):
        fail(f"there is no store at {settings.store_path} yet; 'edge run' makes it.", as_json=as_json)
    now = time.time_ns() // 1_000_000
    is_running = ask(settings, "status", as_json=as_json) is not None
    try:
        rows = _outages(settings, device, now - int(found[1]) * _UNITS_MS[found[2]], now, is_running=is_running)
    except StoreError as error:
        fail(str(error), WRONG, as_json=as_json)
    if as_json:
        print_json({"edge_id": settings.edge_id, "running": is_running, "gaps": [_json(row) for row in rows]})
    elif not rows:
        out.print(say("Every meter was read without a gap."))
    else:
        out.print(_table(rows, settings, now))


def _outages(settings: Settings, device: str | None, since: int, now: int, *, is_running: bool) -> list[Outage]:
    ended = read_outages(settings.store_path, since, device)
    periods = {it.id: it.period_s for it in settings.devices if device in (None, it.id)}
    rows = [*ended, *lasting(read_last_reads(settings.store_path), periods, now, None if is_running else now)]
    waiting = read_lanes(settings.store_path)[Lane.BILLING].oldest_at
    if settings.uplink is not None and waiting is not None and is_gap(waiting, now, 60):
        rows.append(Outage("", waiting, None, Cause.LINK))
    return rows


def _json(row: Outage) -> dict[str, str | None]:
    until = None if row.until is None else iso_ms(row.until)
    return {"device": row.device or None, "since": iso_ms(row.since), "until": until, "cause": row.cause.value}


def _table(rows: list[Outage], settings: Settings, now: int) -> Table:
    table = Table(*map(say, _COLUMNS), box=None, padding=(0, 2))
    for row in rows:
        until = say("lasts") if row.until is None else _local(row.until, settings)
        seconds = ((row.until or now) - row.since) // 1000
        length = f"{seconds // 3600}:{seconds % 3600 // 60:02}:{seconds % 60:02}"
        table.add_row(row.device or say("all"), _local(row.since, settings), until, length, say(_CAUSES[row.cause]))
    return table


def _local(at: int, settings: Settings) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC).astimezone(settings.zone):%Y-%m-%d %H:%M:%S}"
