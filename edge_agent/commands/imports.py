"""``edge import``: take over another gateway's settings."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from drivers.factory import complaint
from drivers.profile import parse_profile
from edge_agent.commands.shell import NO, WRONG, Json, err, fail, fail_settings, out, print_json, say
from edge_agent.config import load_settings
from edge_agent.importer.homeassistant import read_homeassistant
from edge_agent.importer.ledger import Ledger
from edge_agent.importer.plan import DevicePlan
from edge_agent.importer.source import Source, place, read_json, read_yaml
from edge_agent.importer.thingsboard import read_thingsboard
from edge_agent.importer.write import Result, write_import
from protocols.toml import SettingsError

app = typer.Typer(no_args_is_help=True, help="Take over another gateway's Modbus settings; every field is told of.")

_ANY_PROFILE = (
    'title = "?"\nkind = "{kind}"\nprotocol = "modbus"\nsources = ["?"]\n[[point]]\nname = "any"\naddress = 0\n'
)

_File = Annotated[Path, typer.Argument(metavar="FILE", help="Their settings file; it is only read.")]
_Output = Annotated[Path, typer.Option("--output", "-o", help="The settings file to write.")]
_Profiles = Annotated[Path | None, typer.Option(help="Folder for the profiles; default: profiles beside the settings.")]
_Force = Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")]


@app.command("thingsboard")
def thingsboard(
    file: _File,
    output: _Output = Path("edge.toml"),
    profiles: _Profiles = None,
    force: _Force = False,
    as_json: Json = False,
) -> None:
    """Take over a ThingsBoard gateway's modbus.json."""
    _import(file, (output, profiles), (read_json, read_thingsboard), force=force, as_json=as_json)


@app.command("homeassistant")
def homeassistant(
    file: _File,
    output: _Output = Path("edge.toml"),
    profiles: _Profiles = None,
    force: _Force = False,
    as_json: Json = False,
) -> None:
    """Take over the Modbus hubs of a Home Assistant YAML file."""
    _import(file, (output, profiles), (read_yaml, read_homeassistant), force=force, as_json=as_json)


def _import(
    file: Path,
    places: tuple[Path, Path | None],
    readers: tuple[Callable[[Path], Source], Callable[[Ledger], list[DevicePlan]]],
    *,
    force: bool,
    as_json: bool,
) -> None:
    read, plan = readers
    output = places[0]
    folder = places[1] or output.parent / "profiles"
    try:
        ledger = Ledger(read(file))
        plans = plan(ledger)
    except SettingsError as error:
        fail_settings(error, as_json=as_json)
    inside = os.path.relpath(folder, output.parent)
    result = write_import(plans, ledger, f"Imported from {file.name}", inside, _complaint)
    if not result.profiles:
        _fail_empty(file, ledger, as_json=as_json)
    written = {folder / f"{name}.toml": text for name, text in result.profiles.items()}
    _write({**written, output: result.settings}, force=force, as_json=as_json)
    try:
        load_settings(output)
    except SettingsError as error:
        fail_settings(error, as_json=as_json)
    _tell(ledger, output, sorted(written), result, as_json=as_json)


def _complaint(kind: str, bus_kind: str, address: str) -> str | None:
    """Say why no device of a kind can be read there."""
    profile = parse_profile(_ANY_PROFILE.format(kind=kind), f"{kind}/any", "")
    reason = complaint(profile, bus_kind, address)
    return None if reason is None else reason.rstrip(".")


def _write(texts: dict[Path, str], *, force: bool, as_json: bool) -> None:
    there = [path for path in texts if path.exists()]
    if there and not force:
        told = f"{there[0]} is there already. Name another --output, or say --force to overwrite it."
        fail(told, WRONG, as_json=as_json)
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            fail(f"{path} cannot be written: {error.strerror}. Name another file.", WRONG, as_json=as_json)


def _fail_empty(file: Path, ledger: Ledger, *, as_json: bool) -> NoReturn:
    """End where nothing could be carried, with the reasons."""
    # What is deepest in the file is a point, and says most.
    entry = max(ledger.entries(), key=lambda entry: len(entry.path))
    told = f"{file}:{entry.line}: no point could be carried, so nothing was written; as here: {entry.reason}."
    fail(told, NO, as_json=as_json)


def _tell(ledger: Ledger, output: Path, profiles: Sequence[Path], result: Result, *, as_json: bool) -> None:
    entries = ledger.entries()
    carried = [entry for entry in entries if entry.target is not None]
    left = [entry for entry in entries if entry.target is None]
    if as_json:
        print_json(
            {
                "ok": True,
                "settings": str(output),
                "profiles": [str(path) for path in profiles],
                "buses": result.buses,
                "devices": result.devices,
                "carried": [entry.as_json() for entry in carried],
                "not_carried": [entry.as_json() for entry in left],
                "notes": ledger.notes,
            }
        )
        return
    for entry in left:
        line = f"{ledger.source.file}:{entry.line} {place(entry.path)}: {say('not carried')}: {say(entry.reason or '')}"
        out.print(line, markup=False, soft_wrap=True)
    for note in ledger.notes:
        out.print(f"{say('note')}: {say(note)}", markup=False, soft_wrap=True)
    sizes = f"{result.buses} buses, {result.devices} devices, {len(profiles)} profiles"
    err.print(say(f"{len(carried)} fields carried, {len(left)} not; {sizes}"), markup=False, soft_wrap=True)
    err.print(
        say(f"Written to {output} and {profiles[0].parents[1]}; read each device beside its display."),
        markup=False,
        soft_wrap=True,
    )
