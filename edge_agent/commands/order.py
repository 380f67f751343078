"""``edge guess-order``: what a few registers can mean."""

import asyncio
import re
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer
from rich.table import Table

from drivers.bus.exchange import ModbusRead
from drivers.errors import BusDown, DeviceError
from drivers.factory import create_bus
from edge_agent.commands.place import place_of
from edge_agent.commands.shell import NO, WRONG, Json, fail, out, print_json, say
from edge_agent.order import Reading, plausible, readings

_COUNTS = (1, 2, 4)


def guess_order(
    ctx: typer.Context,
    registers: Annotated[
        str,
        typer.Argument(metavar="HEX|ADDRESS", help="The registers as hex (43663334), or with --from their address."),
    ],
    place: Annotated[
        str | None, typer.Option("--from", help="Read them: a bus of the settings, a port, host:502, tcp://host:4001.")
    ] = None,
    unit: Annotated[int, typer.Option(min=1, max=247, help="With --from: the Modbus unit.")] = 1,
    function: Annotated[int, typer.Option(min=3, max=4, help="With --from: 3 holding, 4 input.")] = 3,
    count: Annotated[int, typer.Option(help="With --from: 1, 2 or 4 registers.")] = 2,
    expect: Annotated[str | None, typer.Option(help="What the device's display says, as 229.9.")] = None,
    as_json: Json = False,
) -> None:
    """Show registers in every type and order, the plausible one marked; --expect settles it."""
    try:
        expected = None if expect is None else Decimal(expect)
    except InvalidOperation:
        fail(f"'{expect}' is not a number. Write what the display says, as 229.9.", WRONG, as_json=as_json)
    if place is None:
        words = _words(registers, as_json=as_json)
    else:
        words = _read(ctx, place, (unit, function, registers, count), as_json=as_json)
    found = readings(words, expected)
    best = plausible(found)
    if as_json:
        rows = [
            {
                "type": it.type,
                "order": it.order,
                "value": None if it.value is None else f"{it.value:f}",
                "plausible": it is best,
            }
            for it in found
        ]
        print_json({"registers": [f"{word:04x}" for word in words], "readings": rows})
    else:
        _show(words, found, best)
    if best is None:
        raise typer.Exit(NO)


def _words(text: str, *, as_json: bool) -> list[int]:
    digits = re.sub(r"0[xX]|[\s:,;-]", "", text)
    if not re.fullmatch(r"[0-9A-Fa-f]*", digits) or len(digits) not in [4 * number for number in _COUNTS]:
        fail(
            f"'{text}' is not one, two or four registers. Write four hex digits for each, as 43663334.",
            WRONG,
            as_json=as_json,
        )
    return [int(digits[at : at + 4], 16) for at in range(0, len(digits), 4)]


def _read(ctx: typer.Context, place: str, what: tuple[int, int, str, int], *, as_json: bool) -> list[int]:
    unit, function, address, count = what
    if not address.isdecimal() or int(address) > 0xFFFF or count not in _COUNTS:
        fail(
            f"there are no {count} registers at '{address}'. Write a zero-based address and 1, 2 or 4.",
            WRONG,
            as_json=as_json,
        )
    settings = place_of(ctx, place, as_json=as_json).line

    async def ask() -> bytes:
        async with create_bus(settings) as bus:
            return (await bus.execute(ModbusRead(unit, function, int(address), count))).payload

    try:
        payload = asyncio.run(ask())
    except (BusDown, DeviceError) as error:
        fail(error.reason, as_json=as_json)
    return [payload[at] << 8 | payload[at + 1] for at in range(0, len(payload), 2)]


def _show(words: list[int], found: list[Reading], best: Reading | None) -> None:
    table = Table("", *map(say, ("type", "order", "value")), box=None, padding=(0, 2))
    for it in found:
        value = "-" if it.value is None else f"{it.value:f}" if abs(it.value.adjusted()) < 20 else f"{it.value:.6e}"
        table.add_row("->" if it is best else "", it.type, it.order, value)
    out.print(" ".join(f"{word:04X}" for word in words))
    out.print(table)
    if best is None:
        out.print(say("Nothing stands out. Read the device's display and say --expect what it shows."))
