"""``edge buffer``: what waits for the centre, with or without a running gateway."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from edge_agent.agent import lanes_json
from edge_agent.commands.shell import NO, WRONG, Json, ask, err, fail, has_store, out, print_json, run, say, settings_of
from edge_agent.commands.table import lanes_table, quarantine_table, records_table
from edge_agent.config import Settings
from edge_agent.credential import UplinkError
from edge_agent.export import waiting_batches
from edge_agent.identity import load_signer
from edge_agent.live import iso_ms
from edge_agent.quarantine import Aside, read_quarantine
from edge_agent.recovery import note_unsound
from edge_agent.store import Store
from edge_agent.store_file import ASIDE, StoreError, find_faults, peek_records, read_lanes
from edge_agent.thinned import read_tally
from protocols.export import write_export
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
            lanes = lanes_json(read_lanes(settings.store_path), read_tally(settings.store_path))
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
    if lane not in _LANES:
        fail(f"there is no lane '{lane}'. There are: {', '.join(_LANES)}.", WRONG, as_json=as_json)
    settings = _settings_with_store(ctx, as_json=as_json)
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


@app.command("verify")
def verify(ctx: typer.Context, as_json: Json = False) -> None:
    """Look at every page and record of the store; 1 if anything is wrong. Takes a minute for a large one.

    What is damaged is saved when the service next starts.
    """
    settings = _settings_with_store(ctx, as_json=as_json)
    try:
        faults = find_faults(settings.store_path)
    except StoreError as error:
        fail(str(error), WRONG, as_json=as_json)
    if as_json:
        print_json({"ok": not faults, "faults": faults})
    elif faults:
        for fault in faults:
            err.print(fault, markup=False)
        err.print(say(f"{settings.store_path}: the store is damaged (see above). {ASIDE}"), markup=False)
    else:
        out.print(say("Every page and every record of the store is whole."))
    if faults:
        note_unsound(settings.store_path, faults[0])
        raise typer.Exit(NO)


@app.command("export")
def export(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to write; 'central sync import' takes it.")],
    lane: Annotated[list[str] | None, typer.Option("--lane", help="Default: all of them.")] = None,
    as_json: Json = False,
) -> None:
    """Write what waits as signed batches into a file, to be carried to the centre; nothing is taken out."""
    settings = _settings_with_store(ctx, as_json=as_json)
    for name in lane or ():
        if name not in _LANES:
            fail(f"there is no lane '{name}'. There are: {', '.join(_LANES)}.", WRONG, as_json=as_json)
    lanes = [_LANES[name] for name in lane or _LANES]
    count = 0

    def step(records: int) -> None:
        nonlocal count
        count += records
        bars.update(bar, completed=count)

    try:
        waiting = read_lanes(settings.store_path)
        with Progress(console=err, disable=as_json, transient=True) as bars, file.open("xb") as to:
            bar = bars.add_task("", total=sum(waiting[each].pending for each in lanes))
            for piece in write_export(waiting_batches(settings.store_path, lanes, load_signer(settings.data), step)):
                to.write(piece)
            to.flush()
            os.fsync(to.fileno())
    except (StoreError, UplinkError) as error:
        file.unlink(missing_ok=True)
        fail(str(error), WRONG, as_json=as_json)
    except FileExistsError:
        fail(f"{file} is there already. Name another file, or move it away.", WRONG, as_json=as_json)
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}. Name another file, or make room.", WRONG, as_json=as_json)
    if as_json:
        print_json({"ok": True, "file": str(file), "records": count})
    else:
        out.print(say(f"{count} records are in {file}. At the centre: central sync import {file.name}"), markup=False)


@app.command("quarantine")
def quarantine(
    ctx: typer.Context,
    retry: Annotated[bool, typer.Option("--retry", help="Have them sent again, as new records.")] = False,
    seq: Annotated[int | None, typer.Option("--seq", min=1, help="Only the record with this number.")] = None,
    as_json: Json = False,
) -> None:
    """Show what the centre refuses for good: kept here with the reason, in nobody's way."""
    settings = _settings_with_store(ctx, as_json=as_json)
    try:
        found = [each for each in read_quarantine(settings.store_path) if seq in (None, each.seq)]
        if retry and found and ask(settings, "put-back", as_json=as_json, seq=seq) is None:
            run(_put_back(settings, seq))
    except StoreError as error:
        fail(str(error), WRONG, as_json=as_json)
    if as_json:
        print_json({"retried": retry, "records": [_aside_json(each) for each in found]})
    elif not found:
        out.print(say("Nothing is set aside: the centre takes every record."))
    elif retry:
        out.print(say(f"{len(found)} records wait for the centre again."))
    else:
        out.print(quarantine_table([_aside_json(each) for each in found]))
        out.print(say("The reason says what to mend, here or at the centre. Then: edge buffer quarantine --retry"))


async def _put_back(settings: Settings, seq: int | None) -> None:
    async with await Store.open(settings.store_path, settings.edge_id) as store:
        await store.put_back(seq)


def _aside_json(each: Aside) -> dict[str, Any]:
    told = {"lane": each.lane.word, "seq": each.seq, "at": iso_ms(each.at), "reason": each.reason}
    return {**told, "record": each.record}


def _settings_with_store(ctx: typer.Context, *, as_json: bool) -> Settings:
    settings = settings_of(ctx, as_json=as_json)
    if not has_store(settings, as_json=as_json):
        fail(f"there is no store at {settings.store_path} yet; 'edge run' makes it.", as_json=as_json)
    return settings


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
