"""The composition root of a simulated site: opens everything, says where it is, serves until cancelled."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from drivers.sim.clock import SiteClock, read_state
from drivers.sim.control import Control
from drivers.sim.errors import SimError
from drivers.sim.journal import Journal
from drivers.sim.load import HOUR_MS
from drivers.sim.plant import build_plant
from drivers.sim.serial_line import SerialLine
from drivers.sim.site import Site
from drivers.sim.tcp_line import TcpLine


def _utc() -> datetime:
    return datetime.now(UTC)


async def run_site(
    site: Site,
    *,
    ready: Callable[[Mapping[str, str]], None],
    now: Callable[[], datetime] = _utc,
    monotonic: Callable[[], float] = time.monotonic,
    control: Path | None = None,
) -> None:
    """Serve a site until cancelled.

    Shape: ``ready`` is called once, with line id -> "host:port" or the path of the pty, when
    every line answers. ``control`` is a socket at which things can be made to happen.

    Raises: SimError for a port, path, journal or state that cannot be used.
    """
    with ExitStack() as open_things:
        journal = Journal(site.journal, now)
        open_things.callback(journal.close)
        state = read_state(site.state)
        start_ms = state.elapsed_ms if state else site.starts_at_hour * HOUR_MS
        clock = SiteClock(start_ms, site.speed, monotonic, site.state)
        plant = build_plant(site, start_ms, state.registers if state else {}, journal, clock.now_ms, now)
        clock.registers_at = plant.registers_at
        clock.now_ms()  # takes the first lease, so an unusable state file is met before the first answer
        open_things.callback(clock.close)
        addresses: dict[str, str] = {}
        lines: list[SerialLine | TcpLine] = []
        for line in site.lines:
            rng = Random(f"{site.seed}/{line.id}")  # noqa: S311  faults must repeat with their seed
            opened: SerialLine | TcpLine
            if line.kind == "serial":
                opened = SerialLine(line, plant.station(line), journal, rng)
            else:
                opened = TcpLine(line, plant.units(line), journal, rng)
            addresses[line.id] = opened.open()
            open_things.callback(opened.close)
            lines.append(opened)
        try:
            async with asyncio.TaskGroup() as serving:
                if control is not None:
                    desk = Control(control, plant, journal, clock.now_ms, now)
                    await desk.open()
                    open_things.callback(desk.close)
                for opened in lines:
                    serving.create_task(opened.run())
                ready(addresses)
        except BaseExceptionGroup as group:
            raise _reason(group) or group from None


def _reason(group: BaseExceptionGroup) -> SimError | None:
    """Find the sentence for a person inside the groups that the tasks wrapped around it."""
    for error in group.exceptions:
        found = _reason(error) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(found, SimError):
            return found
    return None
