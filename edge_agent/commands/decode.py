"""``edge decode``: what captured bytes mean."""

import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.table import Table

from edge_agent.commands.shell import NO, WRONG, Json, fail, out
from protocols.decode import PROTOCOLS, decode_capture


def decode(
    protocol: Annotated[str, typer.Argument(help=f"One of: {', '.join(PROTOCOLS)}.")],
    hexes: Annotated[
        list[str], typer.Argument(metavar="HEX...", help="Bytes as hex, or - for lines of standard input.")
    ],
    as_json: Json = False,
) -> None:
    """Explain captured bytes; noise, echoes and several frames may be among them."""
    if protocol not in PROTOCOLS:
        fail(f"'{protocol}' is not a protocol this command decodes. There are: {', '.join(PROTOCOLS)}.", WRONG)
    is_fine = True
    for text in _lines(hexes):
        try:
            data = bytes.fromhex(text.replace(":", " ").replace("0x", " "))
        except ValueError:
            fail(f"'{text[:40]}' is not hex. Write bytes such as 68AA16 or '68 AA 16'.", WRONG)
        found = decode_capture(protocol, data)
        is_fine = is_fine and bool(found["frames"]) and all(frame["ok"] for frame in found["frames"])
        if as_json:
            typer.echo(json.dumps(found, ensure_ascii=False))
        else:
            _print(found)
    if not is_fine:
        raise typer.Exit(NO)


def _lines(hexes: list[str]) -> Iterator[str]:
    for text in hexes:
        if text == "-":
            yield from (line.strip() for line in sys.stdin if line.strip())
        else:
            yield text


def _print(found: dict[str, Any]) -> None:
    if not found["frames"]:
        out.print(f"No frame of {found['protocol']} is in these bytes.")
    for frame in found["frames"]:
        header = "  ".join(f"{key} {value}" for key, value in frame["header"].items() if value not in (None, False))
        state = "ok" if frame["ok"] else f"[bold red]{frame['error']['kind']}[/]: {frame['error']['detail']}"
        out.print(f"frame at {frame['offset']}, {frame['length']} bytes: {state}")
        if header:
            out.print(f"  {header}", style="dim")
        if frame["values"]:
            table = Table("name", "value", "unit", "quality", box=None, padding=(0, 2))
            for value in frame["values"]:
                table.add_row(f"  {value['name']}", value["value"] or "-", value["unit"], value["quality"])
            out.print(table)
    for noise in found["noise"]:
        out.print(f"noise: {noise}", style="dim")
