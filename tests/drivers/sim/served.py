"""A running simulated site for a test, and raw ends of its lines."""

import asyncio
import json
import os
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from drivers.sim.run import run_site
from drivers.sim.site import Site, parse_site

SILENCE_S = 0.15


class Running(NamedTuple):
    """A site that answers: where its lines are, and what its journal says."""

    site: Site
    addresses: dict[str, str]

    @property
    def journal(self) -> list[dict[str, Any]]:
        assert self.site.journal is not None
        return [json.loads(line) for line in self.site.journal.read_text().splitlines()]

    def port(self, line: str) -> int:
        return int(self.addresses[line].rpartition(":")[2])


@asynccontextmanager
async def running(site: Site, *, control: Path | None = None) -> AsyncIterator[Running]:
    """Serve a site; what it fails with is raised here."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[dict[str, str]] = loop.create_future()
    task = asyncio.create_task(run_site(site, ready=lambda found: ready.set_result(dict(found)), control=control))
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    try:
        yield Running(site, ready.result())
    finally:
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        await task


def site_from(text: str, folder: Path) -> Site:
    return parse_site(text, "site.toml", folder)


class Port(NamedTuple):
    """The master's end of a pty, bytes only."""

    fd: int

    def send(self, data: bytes) -> None:
        assert os.write(self.fd, data) == len(data)

    async def first(self, within_s: float = 2.0) -> bytes:
        """Give the first bytes that come, empty if none do."""
        loop = asyncio.get_running_loop()
        came = asyncio.Event()
        loop.add_reader(self.fd, came.set)
        try:
            async with asyncio.timeout(within_s):
                await came.wait()
            return os.read(self.fd, 4096)
        except TimeoutError:
            return b""
        finally:
            loop.remove_reader(self.fd)

    async def all(self, within_s: float = 2.0) -> bytes:
        """Give everything that comes until the line falls silent."""
        data = piece = await self.first(within_s)
        while piece:
            piece = await self.first(SILENCE_S)
            data += piece
        return data


@contextmanager
def opened(path: str) -> Iterator[Port]:
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(fd)
    try:
        yield Port(fd)
    finally:
        os.close(fd)
