"""A Modbus TCP line: a listening port, and the units behind it.

0      2        4       6     7
| tid  | proto  | len   | unit| PDU ...      len counts from the unit on
"""

import asyncio
import errno
import socket
from contextlib import suppress
from random import Random
from typing import Protocol

from drivers.sim.answer import Compose
from drivers.sim.errors import SimError
from drivers.sim.fault import draw_fate
from drivers.sim.journal import Journal
from drivers.sim.site import Line

_HEADER_BYTES = 6
_LENGTHS = range(2, 255)


class Units(Protocol):
    """All units behind one port: one whole request in, what it asks for out."""

    def request(self, frame: bytes) -> Compose: ...


class TcpLine:
    """Serve one port until cancelled; every connection gets its own answers in order of their readiness.

    Raises: SimError from ``open`` where the port cannot be had.
    """

    def __init__(self, line: Line, units: Units, journal: Journal, rng: Random) -> None:
        self._line = line
        self._units = units
        self._journal = journal
        self._rng = rng
        self._socket: socket.socket | None = None

    def open(self) -> str:
        """Listen; give the address as ``host:port``."""
        host, port = self._line.host, self._line.port
        try:
            self._socket = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        except OSError as error:
            what = f"Line '{self._line.id}' cannot listen on {host}:{port}: "
            if error.errno == errno.EADDRINUSE:
                raise SimError(f"{what}another program uses that port. Stop it or change 'port'.") from None
            raise SimError(f"{what}{error.strerror}. Change 'host' or 'port'.") from None
        self._socket.setblocking(False)
        return f"{host}:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        """Stop listening; safe to repeat."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def run(self) -> None:
        """Accept connections and answer on each until its peer leaves."""
        if self._socket is None:
            raise SimError(f"Line '{self._line.id}' is not open.")
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as connections:
            while True:
                connection, _ = await loop.sock_accept(self._socket)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                reader, writer = await asyncio.open_connection(sock=connection)
                connections.create_task(self._serve(reader, writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.TaskGroup() as answers:
                with suppress(asyncio.IncompleteReadError, ConnectionError):
                    while (frame := await _read_frame(reader)) is not None:
                        answers.create_task(self._reply(self._units.request(frame), writer))
        finally:
            writer.close()

    async def _reply(self, compose: Compose, writer: asyncio.StreamWriter) -> None:
        fate = draw_fate(self._line.faults, self._rng, self._line.timeout_ms / 1000)
        await asyncio.sleep(fate.delay_s + self._line.reply_ms / 1000)
        if fate.is_dropped or writer.is_closing():
            return
        answer = compose()
        if answer is None:
            return
        self._journal.write(answer.served)
        writer.write(answer.data)
        with suppress(ConnectionError):
            await writer.drain()


async def _read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """Read one whole frame; None for a header that no Modbus client sends, after which a peer is lost."""
    header = await reader.readexactly(_HEADER_BYTES)
    length = int.from_bytes(header[4:6], "big")
    if header[2:4] != b"\x00\x00" or length not in _LENGTHS:
        return None
    return header + await reader.readexactly(length)
