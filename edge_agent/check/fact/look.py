"""Gather the facts of this machine, so that the checks have only to judge."""

import asyncio
import os
import platform
import pwd
import sqlite3
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from drivers.bus.settings import BusSettings
from edge_agent.agent import VERSION
from edge_agent.check.fact.centre import ask_centre
from edge_agent.check.fact.clock import is_synchronised
from edge_agent.check.fact.parallel import together
from edge_agent.check.fact.reach import CONNECT_S, reach
from edge_agent.check.fact.scene import Account, Centre, Reach, Scene, place_of
from edge_agent.config import Settings, find_config
from edge_agent.config_revision import settings_in_force
from edge_agent.control import ControlClient, ControlError, NotRunning
from edge_agent.credential import UplinkError
from edge_agent.identity import load_identity
from protocols.toml import Fault, SettingsError

LONGEST_S = 3.0

_Place = tuple[str, int]


def look(named: Path | None, told: Callable[[str], None] = lambda _: None) -> Scene:
    """Look around once; ``named`` is the settings file that the command line names.

    Shape: ``told`` hears what has just been looked at.
    """
    settings, faults = _settings(named)
    status: Mapping[str, Any] | None = None
    doubts: Sequence[Mapping[str, Any]] | None = None
    silence: str | None = None
    places: dict[_Place, Reach] = {}
    centre: Centre | None = None
    if settings is not None:
        status, doubts, silence = _ask_gateway(settings)
        told("gateway")
        # Many converters take one connection only: where the gateway may have it, trying would break it.
        up = {row["id"] for row in (status or {}).get("buses", ()) if row["state"] == "up"}
        lines = () if silence is not None else tuple(bus for bus in settings.buses if bus.id not in up)
        places, centre = _ask_network(settings, lines, told)
    return Scene(
        now=time.time(),
        account=account(),
        settings=settings,
        faults=faults,
        status=status,
        silence=silence,
        doubts=doubts,
        places=places,
        centre=centre,
        is_synchronised=is_synchronised(),
        built_at=Path(__file__).stat().st_mtime,
        python=tuple(map(int, platform.python_version_tuple()[:2])),
        sqlite=sqlite3.sqlite_version_info,
        version=VERSION,
    )


def account() -> Account:
    """Say who runs this."""
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    return Account(name, uid, frozenset({os.getegid(), *os.getgroups()}))


def _settings(named: Path | None) -> tuple[Settings | None, tuple[Fault, ...]]:
    try:
        return settings_in_force(find_config(named)), ()
    except SettingsError as error:
        return None, tuple(error.faults)


def _ask_gateway(
    settings: Settings,
) -> tuple[Mapping[str, Any] | None, Sequence[Mapping[str, Any]] | None, str | None]:
    """Ask the running gateway for its status and its doubts, and say why one that runs did not answer."""

    async def ask() -> tuple[Any, Any]:
        client = ControlClient(settings.socket_path)
        async with asyncio.timeout(LONGEST_S):
            return await client.ask("status"), await client.ask("guard")

    try:
        status, doubts = asyncio.run(ask())
    except NotRunning:
        return None, None, None
    except ControlError as error:
        return None, None, str(error)
    except TimeoutError:
        return None, None, f"the gateway has not answered for {LONGEST_S:g} s. Look into its log."
    return status, doubts, None


def _ask_network(
    settings: Settings, lines: Sequence[BusSettings], told: Callable[[str], None]
) -> tuple[dict[_Place, Reach], Centre | None]:
    """Try the places of lines, and the centre, all at one time."""
    wanted = {place for bus in lines if (place := place_of(bus)) is not None}
    jobs: dict[_Place | str, Callable[[], Reach | Centre]] = {place: partial(reach, *place) for place in wanted}
    asks = settings.uplink is not None and not settings.uplink.is_mqtt  # a broker says nothing of the centre
    if asks and settings.uplink is not None:
        jobs[settings.uplink.url] = partial(ask_centre, settings.uplink.url, CONNECT_S, _tls(settings))
    found = together(jobs, LONGEST_S, lambda key: told(key if isinstance(key, str) else f"{key[0]}:{key[1]}"))
    places: dict[_Place, Reach] = {}
    centre = Centre("silent") if asks else None
    for place in wanted:
        answer = found.get(place)
        places[place] = answer if isinstance(answer, Reach) else Reach(_reason(answer))
    if asks and settings.uplink is not None:
        heard = found.get(settings.uplink.url)
        centre = heard if isinstance(heard, Centre) else Centre(_reason(heard))
    return places, centre


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """Give the TLS that the gateway itself would use, None where it has none that can be used."""
    try:
        identity = load_identity(settings.data, settings.edge_id)
        return None if identity is None else identity.tls(datetime.now(UTC))
    except UplinkError:
        return None  # the check of the identity says so


def _reason(answer: object) -> str:
    return "silent" if answer is None else str(answer)
