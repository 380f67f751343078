"""A serial line as a pseudo-terminal: a stable path at one end, the simulated meters at the other.

A pty carries bytes at once and has no parity; pacing gives the bytes the time that they
would take at the line's baud rate (11 bits each at 8E1).
"""

import asyncio
import os
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Protocol

from drivers.sim.answer import Compose
from drivers.sim.errors import SimError
from drivers.sim.fault import disturb, draw_fate
from drivers.sim.journal import Journal
from drivers.sim.site import Line

_READ_BYTES = 4096
_BITS_PER_BYTE = 11
# A request whose bytes stop for this long is no longer one.
_SILENCE_S = 0.5


class Station(Protocol):
    """All meters of a line: takes bytes in any portions, gives what the whole requests in them ask for."""

    def feed(self, data: bytes) -> list[Compose]: ...

    def flush(self) -> list[Compose]: ...


class SerialLine:
    """Serve one line until cancelled.

    Raises: SimError from ``open`` where the path cannot be made.
    """

    def __init__(self, line: Line, station: Station, journal: Journal, rng: Random) -> None:
        self._line = line
        self._station = station
        self._journal = journal
        self._rng = rng
        self._master = -1
        self._slave = -1
        self._wire = asyncio.Lock()
        self._is_listening = False
        self._byte_s = _BITS_PER_BYTE / line.baudrate if line.paced else 0.0

    def open(self) -> str:
        """Make the pty and the link to it; give the link's path."""
        path = self._line.path
        if path is None:
            raise SimError(f"The serial line '{self._line.id}' has no path. Give it one.")
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        try:
            _link(path, os.ttyname(self._slave))
        except OSError as error:
            self.close()
            raise SimError(
                f"The path {path} of line '{self._line.id}' cannot be made: {error.strerror}. Choose another 'path'."
            ) from None
        except SimError:
            self.close()
            raise
        return str(path)

    def close(self) -> None:
        """Close the pty and remove the link, unless another simulator has taken the path over."""
        if self._master < 0:
            return
        name = os.ttyname(self._slave)
        path = self._line.path
        with suppress(OSError):
            if path is not None and str(path.readlink()) == name:
                path.unlink()
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    async def run(self) -> None:
        """Read requests and answer them; an answer that is late does not hold up the next."""
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._master, self._on_readable, heard.put_nowait)
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    for compose in await self._requests(heard):
                        tasks.create_task(self._reply(compose))
        finally:
            loop.remove_reader(self._master)

    async def _requests(self, heard: asyncio.Queue[bytes]) -> list[Compose]:
        """Wait for bytes, or for the silence after some."""
        try:
            async with asyncio.timeout(_SILENCE_S if self._is_listening else None):
                data = await heard.get()
        except TimeoutError:
            self._is_listening = False
            return self._station.flush()
        self._is_listening = True
        await self._hear(data)
        return self._station.feed(data)

    def _on_readable(self, put: Callable[[bytes], None]) -> None:
        with suppress(BlockingIOError):
            put(os.read(self._master, _READ_BYTES))

    async def _hear(self, data: bytes) -> None:
        """Let a request take its time on the wire, and give it back where the adapter echoes."""
        if self._line.faults.echo:
            async with self._wire:
                await self._send(data)
        elif self._byte_s:
            await asyncio.sleep(len(data) * self._byte_s)

    async def _reply(self, compose: Compose) -> None:
        fate = draw_fate(self._line.faults, self._rng, self._line.timeout_ms / 1000)
        await asyncio.sleep(fate.delay_s + self._line.reply_ms / 1000)
        if fate.is_dropped:
            return
        async with self._wire:
            answer = compose()
            if answer is None:
                return
            self._journal.write(answer.served)
            await self._send(disturb(self._line.faults, self._rng, answer.data))

    async def _send(self, data: bytes) -> None:
        """Write bytes at the line's pace; a wire has no flow control, so what nobody takes is lost."""
        if not self._byte_s:
            self._write(data)
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        sent = 0
        while sent < len(data):
            await asyncio.sleep(max(0.0, began + (sent + 1) * self._byte_s - loop.time()))
            due = min(len(data), max(sent + 1, int((loop.time() - began) / self._byte_s)))
            self._write(data[sent:due])
            sent = due

    def _write(self, data: bytes) -> None:
        with suppress(BlockingIOError):
            os.write(self._master, data)


def _link(path: Path, target: str) -> None:
    """Point a link at the pty in one step; only a link may be replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_symlink():
        raise SimError(f"{path} exists and is not a link of a simulator. Remove it or choose another 'path'.")
    beside = path.with_name(path.name + ".new")
    with suppress(FileNotFoundError):
        beside.unlink()
    beside.symlink_to(target)
    beside.replace(path)
