"""Recording a line: of the running gateway, whose polls go on as ever, or of a free port, where nothing is sent."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from drivers.bus.serial_port import open_serial
from drivers.bus.settings import BleSettings, BusSettings, OsdpSettings, SerialSettings, TcpSettings
from drivers.bus.tap import Piece, Tap
from edge_agent.capture_file import Chunk, Head, chunk_line, head_line
from edge_agent.live import iso

# An hour of a busy 9,600-baud line; what is not taken in time is counted and thrown away.
_MOST_PIECES = 20_000
_LOOK_S = 0.05
# At 2,400 baud a byte takes 4.6 ms.
_BYTE_GAP_S = 0.01
_MOST_JOINED = 4096
_SETTLED_S = 0.3  # after this much silence an exchange is over
_FRAMINGS = {"iec62056": "iec62056-21"}
_ASCII = {"modbus": "modbus-ascii"}
_RTU = {"modbus": "modbus-rtu"}


class Recording:
    """What has been heard and not yet been taken; called at each piece, from whichever thread owns the line."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._pieces: deque[Piece] = deque()
        self._lost = 0

    def __call__(self, piece: Piece) -> None:
        if len(self._pieces) >= _MOST_PIECES:
            self._lost += 1
        else:
            self._pieces.append(piece)

    def take(self) -> tuple[list[Chunk], int]:
        """Give what has come, and how many pieces are missing."""
        pieces = [self._pieces.popleft() for _ in range(len(self._pieces))]
        lost, self._lost = self._lost, 0
        return self._joined(pieces), lost

    def _joined(self, pieces: list[Piece]) -> list[Chunk]:
        """Put together what came byte by byte; the first one's instant is told."""
        chunks: list[Chunk] = []
        last: Piece | None = None
        for piece in pieces:
            is_same = last is not None and last.is_out == piece.is_out and piece.at - last.at <= _BYTE_GAP_S
            if is_same and not piece.is_out and len(chunks[-1].data) < _MOST_JOINED:
                chunks[-1] = replace(chunks[-1], data=chunks[-1].data + piece.data)
            else:
                chunks.append(Chunk(max(0.0, piece.at - self._began), piece.is_out, piece.data))
            last = piece
        return chunks


def describe_line(settings: BusSettings) -> dict[str, Any]:
    """Say where a line is and how it is set, as a recording's head does."""
    if isinstance(settings, TcpSettings):
        return {"kind": settings.kind, "host": settings.host, "port": settings.port}
    if isinstance(settings, BleSettings):
        return {"kind": settings.kind, "adapter": settings.adapter}
    if isinstance(settings, OsdpSettings):
        return {"kind": settings.kind, "port": settings.place, "baudrate": settings.baudrate}
    return {
        "kind": settings.kind,
        "port": settings.port,
        "baudrate": settings.baudrate,
        "bytesize": settings.bytesize,
        "parity": settings.parity,
        "stopbits": settings.stopbits,
    }


def line_text(line: dict[str, Any]) -> str:
    """Say the same in a few words for people."""
    if line["kind"] == "modbus-tcp":
        return f"{line['host']}:{line['port']}"
    if line["kind"] == "serial" and not str(line["port"]).startswith("tcp://"):
        return f"{line['port']} {line['baudrate']} {line['bytesize']}{line['parity']}{line['stopbits']}"
    return str(line.get("port") or line.get("adapter"))


def framings(settings: BusSettings, protocols: frozenset[str]) -> tuple[str, ...]:
    """Name the framings of the protocols that a line's devices speak."""
    if isinstance(settings, TcpSettings):
        return ("modbus-tcp",)
    if isinstance(settings, SerialSettings):
        names = _FRAMINGS | (_ASCII if settings.is_ascii else _RTU)
        return tuple(sorted(names.get(protocol, protocol) for protocol in protocols))
    return ("osdp",) if isinstance(settings, OsdpSettings) else ()


def new_head(settings: BusSettings, protocols: tuple[str, ...]) -> Head:
    return Head(settings.id, describe_line(settings), iso(datetime.now(UTC)), protocols)


async def record(tap: Tap, head: Head, check: Callable[[], None] = lambda: None) -> AsyncGenerator[dict[str, Any]]:
    """Tell the head, then pieces as they come, as JSON carries them, until whoever listens has had enough.

    Shape: ``{"head": ...}``, then ``{"chunks": [...]}``, ``{"lost": n}``, and ``{"quiet": true}`` once the line has
    fallen silent.

    Raises: what ``check`` raises where the line has gone.
    """
    recording = Recording()
    tap.listen(recording)
    try:
        yield {"head": json.loads(head_line(head))}
        heard_at: float | None = None
        while True:
            await asyncio.sleep(_LOOK_S)
            chunks, lost = recording.take()
            if chunks:
                heard_at = time.monotonic()
                yield {"chunks": [json.loads(chunk_line(chunk)) for chunk in chunks]}
            if lost:
                yield {"lost": lost}
            if heard_at is not None and time.monotonic() - heard_at > _SETTLED_S:
                heard_at = None
                yield {"quiet": True}
            check()
    finally:
        tap.leave(recording)


async def listen(settings: SerialSettings, protocols: tuple[str, ...] = ()) -> AsyncGenerator[dict[str, Any]]:
    """Record a port that nobody uses; nothing is ever sent.

    Shape: as ``record``.

    Raises: BusDown with the reason and its remedy.
    """
    tap = Tap()
    port = await open_serial(settings, lambda: None, tap)

    def check() -> None:
        port.drop()
        port.check()

    try:
        async with aclosing(record(tap, new_head(settings, protocols), check)) as told:
            async for item in told:
                yield item
    finally:
        port.close()
