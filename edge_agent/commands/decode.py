"""``edge decode``: what captured bytes mean."""

import json
import re
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from edge_agent.commands.shell import NO, WRONG, Json, fail, out, say
from protocols.decode import PROTOCOLS, decode_capture
from protocols.decode.value import Keys
from protocols.wiegand import wiegand_capture

_WIEGAND = "wiegand"
_ALL = (*PROTOCOLS, _WIEGAND)
_SEPARATORS = re.compile(r"0[xX]|[:,;-]")


def decode(
    protocol: Annotated[str, typer.Argument(help=f"One of: {', '.join(_ALL)}.")],
    hexes: Annotated[
        list[str],
        typer.Argument(
            metavar="HEX...",
            help=(
                "Bytes as hex (wiegand: bits; bthome and beacon: a whole advertisement, service data or "
                "manufacturer data), or - for lines of standard input."
            ),
        ),
    ],
    key: Annotated[
        str | None, typer.Option(help="The device's key as hex: OSDP secure channel, encrypted BTHome.")
    ] = None,
    mac: Annotated[str | None, typer.Option(help="The sender's Bluetooth address, as A4:C1:38:11:22:33.")] = None,
    uuid: Annotated[
        str | None, typer.Option(help="BTHome: the service's UUID, fcd2 unless told; 181c or 181e for version 1.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain captured bytes; noise, echoes and several frames may be among them."""
    if protocol not in _ALL:
        fail(
            f"'{protocol}' is not a protocol this command decodes. There are: {', '.join(_ALL)}.",
            WRONG,
            as_json=as_json,
        )
    keys = Keys(
        _hex(key, "--key", as_json=as_json) if key else None, _hex(mac, "--mac", as_json=as_json) if mac else None, uuid
    )
    is_fine = True
    for text in _lines(hexes):
        found = _explained(protocol, text, keys, as_json=as_json)
        is_fine = is_fine and bool(found["frames"]) and all(frame["ok"] for frame in found["frames"])
        if as_json:
            typer.echo(json.dumps(found, ensure_ascii=False))
        else:
            _print(found)
    if not is_fine:
        raise typer.Exit(NO)


def _explained(protocol: str, text: str, keys: Keys, *, as_json: bool) -> dict[str, Any]:
    if protocol == _WIEGAND:
        if not set(text) <= set("01 ") or not text.strip():
            fail(
                f"{text[:40]!a} is not a card's bits. Write them as 00101101000000001010001000.",
                WRONG,
                as_json=as_json,
            )
        return wiegand_capture(text)
    return decode_capture(protocol, _hex(text, "", as_json=as_json), keys)


def _hex(text: str, option: str, *, as_json: bool) -> bytes:
    try:
        return bytes.fromhex(_SEPARATORS.sub(" ", text))
    except ValueError:
        told = f"{option} {text[:40]!a}".strip()
        fail(f"{told} is not hex. Write bytes such as 68AA16 or '68 AA 16'.", WRONG, as_json=as_json)


def _lines(hexes: list[str]) -> Iterator[str]:
    for text in hexes:
        if text == "-":
            yield from (line.strip() for line in sys.stdin if line.strip())
        else:
            yield text


_COLUMNS = ("name", "value", "unit", "quality")


def _print(found: dict[str, Any]) -> None:
    if not found["frames"]:
        out.print(say(f"No frame of {found['protocol']} is in these bytes."))
    unit = "bits" if found["protocol"] == _WIEGAND else "bytes"
    for frame in found["frames"]:
        header = "  ".join(
            f"{key} {value}" for key, value in frame["header"].items() if value not in (None, False, "", [])
        )
        line = Text(say(f"frame at {frame['offset']}, {frame['length']} {unit}: "))
        if frame["ok"]:
            out.print(line.append("ok"))
        else:
            out.print(line.append(frame["error"]["kind"], "bold red").append(f": {frame['error']['detail']}"))
        if header:
            out.print(Text(f"  {header}", style="dim"))
        if frame["values"]:
            table = Table("name", "value", "unit", "quality", "", box=None, padding=(0, 2))
            for value in frame["values"]:
                more = "  ".join(f"{key} {it}" for key, it in value.items() if key not in _COLUMNS)
                row = (f"  {value['name']}", value["value"] or "-", value["unit"], value["quality"], more)
                table.add_row(*map(Text, row))  # a device may send what looks like markup
            out.print(table)
    for noise in found["noise"]:
        out.print(Text(f"noise: {noise}", style="dim"))
