"""``edge commission``: a sheet of the site to sign, with labels."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from edge_agent.agent import VERSION
from edge_agent.commands.place import may_write
from edge_agent.commands.shell import NO, WRONG, Json, ask, err, fail, language, out, print_json, run, say, settings_of
from edge_agent.config import Device, Settings
from edge_agent.sheet.font import FontMissing
from edge_agent.sheet.model import FAILED, NOT_READ, OK, DeviceBlock, Reading, Sheet, fingerprint, new_sheet
from edge_agent.sheet.round import read_all
from edge_agent.sheet.word import LANGUAGES


def commission(
    ctx: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: commissioning-GATEWAY-DATE.pdf here.")
    ] = None,
    lang: Annotated[str | None, typer.Option(help="zh, en or both; default: as the command speaks.")] = None,
    site: Annotated[str, typer.Option(help="The site's name; default: a line to write it on.")] = "",
    labels: Annotated[str, typer.Option(help="Columns and rows of the label sheets, or none.")] = "3x8",
    font: Annotated[Path | None, typer.Option(help="A font file (.ttf, .otf, .ttc) to print with.")] = None,
    no_read: Annotated[bool, typer.Option("--no-read", help="Leave the values for a pen; ask no device.")] = False,
    as_json: Json = False,
) -> None:
    """Read every device now and print a sheet to sign, with QR labels, as PDF; 1 if a device failed."""
    # The PDF library takes a third of a second to load, which every other command would pay with it.
    from edge_agent.sheet.pdf import draw_sheet, grid_of  # noqa: PLC0415

    chosen = lang or language()
    if chosen not in LANGUAGES:
        fail(f"there is no language '{chosen}'. There are: {', '.join(LANGUAGES)}.", WRONG, as_json=as_json)
    try:
        grid = grid_of(labels)
    except ValueError as error:
        fail(str(error), WRONG, as_json=as_json)
    settings = settings_of(ctx, as_json=as_json)
    now = datetime.now(UTC)
    file = output or Path(f"commissioning-{settings.edge_id}-{now.astimezone(settings.zone):%Y-%m-%d}.pdf")
    may_write(file, as_json=as_json)
    status = ask(settings, "status", as_json=as_json)
    readings = {} if no_read else _read(settings, is_running=status is not None, is_quiet=as_json)
    buses = {row["id"]: row for row in (status or {}).get("buses", ())}
    sheet = new_sheet(settings, fingerprint(settings.file.read_bytes()), (site, VERSION, now), buses, readings)
    try:
        data, pages = draw_sheet(sheet, chosen, grid, font)
        file.write_bytes(data)
    except FontMissing as error:
        fail(str(error), WRONG, as_json=as_json)
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}. Name another file.", WRONG, as_json=as_json)
    _tell(sheet, file, pages, readings, as_json=as_json)
    if sheet.counts[FAILED]:
        raise typer.Exit(NO)


def _read(settings: Settings, *, is_running: bool, is_quiet: bool) -> dict[str, Reading]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, disable=is_quiet, transient=True) as bars:
        bar = bars.add_task("", total=len(settings.devices))

        def seen(device: Device) -> None:
            bars.update(bar, description=device.id, advance=1)

        return run(read_all(settings, is_running=is_running, seen=seen))


def _tell(sheet: Sheet, file: Path, pages: int, readings: Mapping[str, Reading], *, as_json: bool) -> None:
    if as_json:
        devices = [_device_json(device, readings.get(device.id)) for device in sheet.devices]
        summary = {name.replace(" ", "_"): count for name, count in sheet.counts.items()}
        is_ok = not sheet.counts[FAILED]
        print_json({"ok": is_ok, "file": str(file), "pages": pages, "summary": summary, "devices": devices})
        return
    for device in sheet.devices:
        if device.result == FAILED:
            err.print(f"{device.id}: {say(device.error or '')}", markup=False, soft_wrap=True, style="yellow")
    counts = sheet.counts
    text = f"{file}: {pages} pages; devices: {counts[OK]} ok, {counts[FAILED]} failed, {counts[NOT_READ]} not read"
    out.print(say(text), markup=False, soft_wrap=True)


def _device_json(device: DeviceBlock, reading: Reading | None) -> dict[str, Any]:
    return {
        "id": device.id,
        "result": device.result.replace(" ", "_"),
        "error": device.error,
        "took_ms": None if reading is None else round(reading.took_ms, 1),
        "label": device.code,
        "values": [] if reading is None else list(reading.values),
    }
