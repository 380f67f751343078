"""Where a command is to work: a bus of the settings, or a port that is named as such."""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, NamedTuple

import typer

from drivers.bus.settings import BleSettings, BusSettings, OsdpSettings, SerialSettings, TcpSettings
from edge_agent.commands.shell import NO, WRONG, fail, settings_of
from edge_agent.config import Settings, find_config
from edge_agent.config_revision import settings_in_force
from edge_agent.control import ControlClient, ControlError, NotRunning
from protocols.toml import SettingsError


class Place(NamedTuple):
    """A line; ``settings`` are the gateway's where the line is one of its buses, else None."""

    line: BusSettings
    settings: Settings | None


def place_of(ctx: typer.Context, text: str, *, as_json: bool) -> Place:
    """Take a text for a device file, a converter, a Modbus TCP peer or an adapter, else for a bus of the settings.

    Shape: a port that is a bus of the settings is that bus, so that the running gateway is asked.
    """
    named = named_line(text)
    if named is None:
        settings = settings_of(ctx, as_json=as_json)
        buses = {bus.id: bus for bus in settings.buses}
        if text not in buses:
            known = ", ".join(buses) or "none"
            fail(f"there is no bus '{text}' in the settings. There are: {known}.", WRONG, as_json=as_json)
        return Place(buses[text], settings)
    if (quiet := quiet_settings(ctx)) is not None:
        for bus in quiet.buses:
            if _same(bus, named):
                return Place(bus, quiet)
    return Place(named, None)


def named_line(text: str) -> BusSettings | None:
    """Read what names a line by itself; None for what must be a bus's id."""
    if text == "ble" or (text.startswith("hci") and text[3:].isdecimal()):
        return BleSettings("scan", "hci0" if text == "ble" else text, scan="active")
    if text.startswith(("/", "./", "tcp://")):
        return SerialSettings("scan", text)
    host, colon, port = text.rpartition(":")
    if colon and host and port.isdecimal():
        return TcpSettings("scan", host, int(port))
    return None


def quiet_settings(ctx: typer.Context) -> Settings | None:
    """Load the settings if there are good ones."""
    named: Path | None = ctx.find_root().params.get("config")
    try:
        return settings_in_force(find_config(named))
    except SettingsError:
        return None


def _same(bus: BusSettings, other: BusSettings) -> bool:
    return _end(bus) == _end(other)


def _end(line: BusSettings) -> str:
    """Name a line's physical end, by whatever link it is reached."""
    if isinstance(line, TcpSettings):
        return f"{line.host}:{line.port}"
    if isinstance(line, BleSettings):
        return line.adapter
    if isinstance(line, OsdpSettings) and line.host:
        return f"tcp://{line.host}:{line.tcp_port}"
    return line.port if line.port.startswith("tcp://") else os.path.realpath(line.port)


async def told_by(
    place: Place, op: str, directly: Callable[[], AsyncGenerator[Any]] | None, **fields: Any
) -> AsyncGenerator[Any]:
    """Give what the running gateway tells of its line, or without one what is found ``directly``.

    Raises: ControlError; NotRunning where only a gateway could tell; BusDown.
    """
    if place.settings is not None:
        has_begun = False
        try:
            client = ControlClient(place.settings.socket_path)
            async with aclosing(client.follow(op, bus=place.line.id, **fields)) as source:
                async for told in source:
                    has_begun = True
                    yield told
        except NotRunning as error:
            if has_begun:
                raise ControlError(f"{error}. Look into its log.") from None
            if directly is None:
                raise
        else:
            return
    if directly is None:
        raise NotRunning
    async with aclosing(directly()) as source:
        async for told in source:
            yield told


def may_write(file: Path, *, as_json: bool) -> None:
    """Ask before a file is overwritten; ends the command where nobody can be asked or the answer is no."""
    if not file.exists():
        return
    if as_json or not os.isatty(0):
        fail(f"{file} is there already. Name another file, or move it away.", WRONG, as_json=as_json)
    if not typer.confirm(f"{file} is there already. Overwrite it?", err=True):
        fail(f"{file} was left as it is", NO)
