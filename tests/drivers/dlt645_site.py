"""Simulated DL/T 645 meters on a pty, and the bus that a test reads them through."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import SerialSettings
from drivers.profile import Profile, load_profile
from drivers.sim.load import Load
from drivers.sim.model import Base, Electricity
from drivers.sim.simulated import Simulated
from drivers.sim.site import Device
from drivers.sim.station import SerialStation
from tests.drivers.peer import PtyPeer, Reply, pty_peer

# 20:00 in Beijing.
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
# The site is a hundred days old, so that there is a past to read back.
AT_MS = int(timedelta(days=100) / timedelta(milliseconds=1))
TIMEOUT_S = 0.15


def simulated(address: str, profile: str | Profile = "electricity/dlt645-2007-relay") -> Simulated:
    loaded = load_profile(profile) if isinstance(profile, str) else profile
    device = Device(f"em-{address}", f"em-{address}", "line-1", loaded.name, address)
    return Simulated(device, Electricity(Load(int(address), 450), Base(123_456, 0)), loaded)


@asynccontextmanager
async def peer_of(meters: Sequence[Simulated], folder: Path, *, now: datetime = NOW) -> AsyncIterator[PtyPeer]:
    """Put meters on a line that nobody has opened yet; the peer tells which requests were heard."""
    station = SerialStation("dlt645", meters, lambda: AT_MS + int((now - NOW) / timedelta(milliseconds=1)), lambda: now)

    def answer(request: bytes, frame: Any) -> Reply:
        told = [compose() for compose in station.feed(request)]
        return [(0, it.data) for it in told if it is not None]

    async with pty_peer("dlt645", answer, folder) as peer:
        yield peer


@asynccontextmanager
async def line_of(
    meters: Sequence[Simulated], folder: Path, *, now: datetime = NOW
) -> AsyncIterator[tuple[SerialBus, PtyPeer]]:
    """Put meters on a line and open it."""
    async with peer_of(meters, folder, now=now) as peer:
        settings = SerialSettings("line-1", peer.path, 115200, timeout_s=TIMEOUT_S)
        async with SerialBus(settings, clock=lambda: now) as bus:
            yield bus, peer
