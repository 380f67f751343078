"""The other end of a line in tests: a pty with something that answers on it, and a raw TCP server."""

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from protocols.framing import scanner

# What goes back for one request: bytes, each after a delay in seconds.
Reply = Sequence[tuple[float, bytes]]


class PtyPeer:
    """A pseudo-terminal whose master end answers whole requests of a protocol."""

    def __init__(self, protocol: str, answer: Callable[[bytes, Any], Reply], link: Path, *, echo: bool = False) -> None:
        self._protocol = protocol
        self._answer = answer
        self._echo = echo
        self._link = link
        self._master = -1
        self._slave = -1
        self._timers: list[asyncio.TimerHandle] = []
        self.requests: list[bytes] = []

    @property
    def path(self) -> str:
        return str(self._link)

    def plug_in(self) -> None:
        """Make the port; the link is its stable name."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        with suppress(FileNotFoundError):
            self._link.unlink()
        self._link.symlink_to(os.ttyname(self._slave))
        self._frames = scanner(self._protocol)
        asyncio.get_running_loop().add_reader(self._master, self._on_readable)

    def pull_out(self) -> None:
        """Take the port away, as a pulled USB adapter does."""
        for timer in self._timers:
            timer.cancel()
        if self._master >= 0:
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._slave)
            os.close(self._master)
            self._master = -1
        self._link.unlink(missing_ok=True)

    def say(self, data: bytes) -> None:
        if self._master >= 0:
            os.write(self._master, data)

    def _on_readable(self) -> None:
        data = os.read(self._master, 4096)
        if self._echo:
            self.say(data)
        for piece in self._frames.feed(data):
            if piece.frame is None:
                continue
            self.requests.append(piece.data)
            for delay, reply in self._answer(piece.data, piece.frame):
                self._timers.append(asyncio.get_running_loop().call_later(delay, self.say, reply))


@asynccontextmanager
async def pty_peer(
    protocol: str, answer: Callable[[bytes, Any], Reply], folder: Path, *, echo: bool = False
) -> AsyncIterator[PtyPeer]:
    peer = PtyPeer(protocol, answer, folder / "line", echo=echo)
    peer.plug_in()
    try:
        yield peer
    finally:
        peer.pull_out()


@asynccontextmanager
async def tcp_peer(answer: Callable[[bytes], Reply], port: int = 0) -> AsyncIterator[int]:
    """Serve raw bytes on a loopback port; each received chunk is one request."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while request := await reader.read(4096):
            for delay, reply in answer(request):
                await asyncio.sleep(delay)
                writer.write(reply)

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()


async def eventually(condition: Callable[[], bool], timeout_s: float = 3.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def crossed_ptys(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """Give the two ends of one line, for programs that both open a port by its path."""
    loop = asyncio.get_running_loop()
    pairs = [os.openpty(), os.openpty()]
    for _, slave in pairs:
        tty.setraw(slave)
    masters = [master for master, _ in pairs]

    def pass_on(here: int, there: int) -> None:
        os.write(there, os.read(here, 4096))

    for here, there in (masters, masters[::-1]):
        loop.add_reader(here, pass_on, here, there)
    names = [folder / "near", folder / "far"]
    for name, (_, slave) in zip(names, pairs, strict=True):
        name.symlink_to(os.ttyname(slave))
    try:
        yield str(names[0]), str(names[1])
    finally:
        for master, slave in pairs:
            loop.remove_reader(master)
            os.close(master)
            os.close(slave)
