"""``edge write``: one value into one point, checked, confirmed, recorded, sent once and read back."""

import asyncio
import getpass
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from drivers.base import Driver
from drivers.errors import BusDown, ProfileError
from drivers.factory import create_bus, create_driver
from drivers.profile import Point
from edge_agent.agent import read_device
from edge_agent.commands.complete import devices, words, writable_points
from edge_agent.commands.shell import NO, WRONG, Json, ask, err, fail, out, print_json, run, say, settings_of
from edge_agent.config import Device, Settings
from edge_agent.live import iso
from edge_agent.store import RecordRefused, Store, StoreError
from edge_agent.write import NotWritten, Order, carry_out, parse_value, refusal, shown
from protocols.sync import Event, Lane

_OUTCOMES = {
    "done": "written, and the device acknowledged it",
    "refused": "not written: the device refused",
    "unanswered": "no answer came: the device may have acted or not. It is not sent again by itself; look at it",
}


def write(
    ctx: typer.Context,
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="The device's id.", autocompletion=devices)],
    point: Annotated[str, typer.Argument(metavar="POINT", help="The point's name.", autocompletion=writable_points)],
    value: Annotated[
        str,
        typer.Argument(
            metavar="VALUE", help="A number, with a unit or in the profile's, or a state's word.", autocompletion=words
        ),
    ],
    operator: Annotated[str | None, typer.Option(help="Who says so, for the journal; default: your account.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="A file with the device's password, readable by you alone.")
    ] = None,
    expires: Annotated[float, typer.Option(min=1, max=600, help="Seconds after which it is not sent any more.")] = 60,
    is_sure: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; the words above are right.")] = False,
    as_json: Json = False,
) -> None:
    """Write one point of one device, after showing what it is now; recorded before it is sent."""
    settings = settings_of(ctx, as_json=as_json)
    found = {it.id: it for it in settings.devices}.get(device)
    if found is None:
        known = ", ".join(it.id for it in settings.devices) or "none"
        fail(f"there is no device '{device}'. There are: {known}.", WRONG, as_json=as_json)
    wanted, number = _checked(found, point, value, as_json=as_json)
    account = getpass.getuser()
    password = None if password_file is None else _password(password_file, as_json=as_json)
    now = datetime.now(UTC)
    order = Order(device, point, number, operator or account, account, now + timedelta(seconds=expires), password)
    if (reason := refusal(found.profile, order, now)) is not None:
        fail(f"'{device}' was not written: {reason}.", as_json=as_json)
    if not is_sure:
        _confirm(settings, found, wanted, number, as_json=as_json)
        order = Order(device, point, number, order.operator, account, _in(expires), password)
    told = _written(settings, found, order, as_json=as_json)
    is_done = told["outcome"] == "done"
    if as_json:
        print_json({"ok": is_done, **told})
    else:
        _print(wanted, told)
    if not is_done:
        raise typer.Exit(NO)


def _in(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def _checked(device: Device, name: str, value: str, *, as_json: bool) -> tuple[Point, Decimal]:
    try:
        point = device.profile.point(name)
    except KeyError:
        writable = [it.name for it in device.profile.points if it.write is not None]
        may = ", ".join(writable) or "none; its profile lists nothing as writable"
        fail(f"'{device.id}' has no point '{name}'. Those that may be written: {may}.", WRONG, as_json=as_json)
    try:
        return point, parse_value(point, value)
    except ValueError as error:
        fail(str(error), WRONG, as_json=as_json)


def _password(file: Path, *, as_json: bool) -> str:
    try:
        mode = file.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            fail(f"{file}: others may read the password. Close it with: chmod 600 {file}", WRONG, as_json=as_json)
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        fail(f"{file}: the password cannot be read ({reason}). Name another file.", WRONG, as_json=as_json)


def _confirm(settings: Settings, device: Device, point: Point, number: Decimal, *, as_json: bool) -> None:
    """Show what is and what is to be, and ask; ends the command where nobody can be asked or the answer is no."""
    if as_json or not os.isatty(0):
        fail("nothing was written: there is nobody to ask here. Say --yes if you are sure.", WRONG, as_json=as_json)
    told = ask(settings, "read", device=device.id, points=[point.name])
    if told is None:
        told = run(_directly(settings, device, _read(device, point)))
    if told["error"] is not None and not told["values"]:
        fail(f"'{device.id}' does not answer, so nothing was sent: {told['error']}")
    row = told["values"][0] if told["values"] else None
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_row(say("device"), f"{device.id}  {device.name}" if device.name != device.id else device.id)
    table.add_row(say("place"), f"{device.bus}, {device.address}")
    table.add_row(say("point"), point.name)
    table.add_row(say("now"), _value(row))
    table.add_row(say("to be"), shown(point, number), style="bold")
    err.print(table)
    if not typer.confirm(say("Write it?"), err=True):
        fail("nothing was written")


def _written(settings: Settings, device: Device, order: Order, *, as_json: bool) -> dict[str, Any]:
    told: dict[str, Any] | None = ask(
        settings,
        "write",
        as_json=as_json,
        device=order.device,
        point=order.point,
        value=format(order.value, "f"),
        operator=order.operator,
        account=order.account,
        expires_at=iso(order.expires_at),
        password=order.password,
    )
    if told is not None:
        return told
    try:
        return run(_write_directly(settings, device, order))
    except NotWritten as error:
        fail(f"'{order.device}' was not written: {error}", as_json=as_json)
    except StoreError as error:
        fail(f"nothing was sent, because it could not be recorded: {error}", WRONG, as_json=as_json)
    except BusDown as error:
        fail(error.reason, as_json=as_json)


async def _write_directly(settings: Settings, device: Device, order: Order) -> dict[str, Any]:
    """Write without a gateway; its store takes the journal all the same."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with await Store.open(settings.store_path, settings.edge_id) as store:

        async def journal(event: Event) -> bool:
            try:
                await store.append(Lane.CONTROL, (event,))
            except (RecordRefused, StoreError):
                return False
            return True

        async def work(driver: Driver) -> dict[str, Any]:
            return await carry_out(driver, order, journal)

        return await _directly(settings, device, work)


def _read(device: Device, point: Point) -> Any:
    async def work(driver: Driver) -> dict[str, Any]:
        return await read_device(driver, device.profile, (point.name,))

    return work


async def _directly(settings: Settings, device: Device, work: Any) -> dict[str, Any]:
    """Open the device's line for a moment."""
    (line,) = [bus for bus in settings.buses if bus.id == device.bus]
    bus = create_bus(line)
    try:
        driver = create_driver(device.profile, bus, device.address, device.options)
    except ProfileError as error:
        raise NotWritten(str(error.faults[0])) from None
    async with bus:
        await asyncio.sleep(0)
        told: dict[str, Any] = await work(driver)
        return told


def _value(row: Mapping[str, Any] | None) -> str:
    if row is None or row["value"] is None:
        return say("cannot be read")
    return str(row["word"] or f"{row['value']} {row['unit']}".strip())


def _print(point: Point, told: Mapping[str, Any]) -> None:
    name = f"{told['device']}/{told['point']}"
    out.print(say(f"{name}: {_OUTCOMES[told['outcome']]}"), markup=False, soft_wrap=True)
    if told["error"] is not None:
        out.print(f"  {say(told['error'])}", markup=False, soft_wrap=True)
    if told["outcome"] != "refused":
        new = shown(point, Decimal(told["value"]))
        out.print(
            say(f"  was {_value(told['old'])}, ordered {new}, reads back {_value(told['read_back'])}"), markup=False
        )
    if not told["recorded"]:
        err.print(say("the order is recorded, its outcome could not be; see 'edge status'"), style="yellow")
