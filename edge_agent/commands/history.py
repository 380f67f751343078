"""``edge history``: what a device has shown, from the gateway's own store, with the centre away or not."""

import re
import time
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from edge_agent.commands import complete
from edge_agent.commands.shell import WRONG, Json, fail, has_store, out, print_json, say, settings_of
from edge_agent.config import Settings
from edge_agent.history import Shown, read_history
from edge_agent.live import iso_ms
from edge_agent.store import StoreError

_SPAN = re.compile(r"(\d{1,3})([hd])")
_UNITS_MS = {"h": 3_600_000, "d": 86_400_000}
_COLUMNS = ("time", "point", "value", "quality", "sent")


def history(
    ctx: typer.Context,
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="The device's id.", autocompletion=complete.devices)],
    point: Annotated[
        str | None, typer.Argument(metavar="[POINT]", help="Only this point's.", autocompletion=complete.points)
    ] = None,
    since: Annotated[
        str, typer.Option("--since", help="How far back, as 24h or 7d; what was sent stays 7 days.")
    ] = "24h",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="How many, the newest.")] = 50,
    as_json: Json = False,
) -> None:
    """Show the newest readings of a device, whether the centre has them or not."""
    found = _SPAN.fullmatch(since)
    if found is None:
        fail(f"'{since}' is no time. Write hours or days, as 36h or 30d.", WRONG, as_json=as_json)
    settings = settings_of(ctx, as_json=as_json)
    if device not in {each.id for each in settings.devices}:
        fail(f"there is no device '{device}' in this gateway's settings", WRONG, as_json=as_json)
    if not has_store(settings, as_json=as_json):
        fail(f"there is no store at {settings.store_path} yet; 'edge run' makes it.", as_json=as_json)
    start = time.time_ns() // 1_000_000 - int(found[1]) * _UNITS_MS[found[2]]
    try:
        rows = read_history(settings.store_path, device, point, start, limit)
    except StoreError as error:
        fail(str(error), WRONG, as_json=as_json)
    if as_json:
        print_json({"device": device, "readings": [_json(row) for row in rows]})
    elif not rows:
        out.print(say(f"Nothing of {device} is kept of this time."), markup=False)
    else:
        out.print(_table(rows, settings))
        if any(row.shift_ms for row in rows):
            out.print(say("* the clock was wrong; the true time is shown"), style="yellow")
        if any(row.shift_ms is None for row in rows):
            out.print(say("? the clock was wrong, and nobody knows by how much"), style="yellow")


def _json(row: Shown) -> dict[str, str | bool | None]:
    value = None if row.value is None else format(row.value, "f")
    at, raw_at = iso_ms(row.true_at), iso_ms(row.at) if row.shift_ms != 0 else None
    told = {"at": at, "raw_at": raw_at, "is_time_known": row.shift_ms is not None}
    value_of = {"point": row.point, "value": value, "unit": row.unit, "quality": row.quality.word}
    return {**told, **value_of, "sent": row.is_sent}


def _table(rows: list[Shown], settings: Settings) -> Table:
    table = Table(*map(say, _COLUMNS), box=None, padding=(0, 2))
    for row in rows:
        mark = "?" if row.shift_ms is None else "*" if row.shift_ms else ""
        at = f"{datetime.fromtimestamp(row.true_at / 1000, UTC).astimezone(settings.zone):%Y-%m-%d %H:%M:%S}{mark}"
        value = "–" if row.value is None else f"{row.value:f} {row.unit}"
        table.add_row(at, row.point, value, say(row.quality.word), say("yes") if row.is_sent else say("waits"))
    return table
