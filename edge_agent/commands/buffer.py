"""``edge buffer``: what waits for the centre, with or without a running gateway."""

from typing import Annotated, Any

import typer

from edge_agent.agent import lanes_json
from edge_agent.commands.shell import WRONG, Json, ask, fail, has_store, out, print_json, say, settings_of
from edge_agent.commands.table import lanes_table, records_table
from edge_agent.live import iso_ms
from edge_agent.store_file import StoreError, peek_records, read_lanes
from protocols.sync import Lane, Reading, Record

app = typer.Typer(help="What waits for the centre.", no_args_is_help=True)

_LANES = {lane.word: lane for lane in Lane}


@app.command("status")
def status(ctx: typer.Context, as_json: Json = False) -> None:
    """Count each lane: accepted, acknowledged, waiting."""
    settings = settings_of(ctx, as_json=as_json)
    found = ask(settings, "status", as_json=as_json)
    if found is not None:
        lanes: dict[str, Any] = found["lanes"]
    elif not has_store(settings, as_json=as_json):
        fail(f"there is no store at {settings.store_path} yet; 'edge run' makes it.", as_json=as_json)
    else:
        try:
            lanes = lanes_json(read_lanes(settings.store_path))
        except StoreError as error:
            fail(str(error), WRONG, as_json=as_json)
    if as_json:
        print_json({"edge_id": settings.edge_id, "running": found is not None, "lanes": lanes})
    else:
        out.print(lanes_table(lanes))


@app.command("peek")
def peek(
    ctx: typer.Context,
    lane: Annotated[str, typer.Option("--lane", help="safety, control, billing or telemetry.")] = "billing",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many records.")] = 20,
    as_json: Json = False,
) -> None:
    """Show the oldest records that wait in a lane; nothing is taken out."""
    settings = settings_of(ctx, as_json=as_json)
    if lane not in _LANES:
        fail(f"there is no lane '{lane}'. There are: {', '.join(_LANES)}.", WRONG, as_json=as_json)
    if not has_store(settings, as_json=as_json):
        fail(f"there is no store at {settings.store_path} yet; 'edge run' makes it.", as_json=as_json)
    try:
        rows = [_record(seq, record) for seq, record in peek_records(settings.store_path, _LANES[lane], limit)]
    except StoreError as error:
        fail(str(error), WRONG, as_json=as_json)
    if as_json:
        print_json({"lane": lane, "records": rows})
        return
    if not rows:
        out.print(say(f"Nothing waits in the {lane} lane: the centre has it all."))
        return
    out.print(records_table(rows))


def _record(seq: int, record: Record) -> dict[str, Any]:
    if isinstance(record, Reading):
        return {
            "seq": seq,
            "type": "reading",
            "device": record.series.device,
            "point": record.series.point,
            "unit": record.series.unit,
            "at": iso_ms(record.taken_at),
            "value": None if record.value is None else format(record.value, "f"),
            "quality": record.quality.word,
            "raw": record.raw.hex(),
        }
    event = {"kind": record.kind, "subject": record.subject, "at": iso_ms(record.at), "body": record.body}
    return {"seq": seq, "type": "event", **event}
