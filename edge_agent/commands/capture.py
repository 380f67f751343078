"""``edge capture``: what goes over a line."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from drivers.bus.settings import SerialSettings
from drivers.errors import BusDown
from edge_agent.capture import framings, line_text, listen
from edge_agent.capture_file import Chunk, chunk_line, head_line, lost_line, parse_chunk, parse_head
from edge_agent.commands.complete import buses
from edge_agent.commands.frames import frame_lines
from edge_agent.commands.place import Place, may_write, place_of, told_by
from edge_agent.commands.shell import NO, WRONG, Json, err, fail, out, say
from edge_agent.control import ControlError, NotRunning
from edge_agent.replay import decode_chunks, protocols_of
from protocols.decode import PROTOCOLS

_PARITIES = ("N", "E", "O")


@dataclass(slots=True)
class _Session:
    """One recording under way."""

    file: IO[str] | None
    is_shown: bool
    protocols: tuple[str, ...] = ()
    most_frames: int | None = None
    waiting: list[Chunk] = field(default_factory=list)
    pieces: int = 0
    size: int = 0
    frames: int = 0
    lost: int = 0


def capture(
    ctx: typer.Context,
    place: Annotated[
        str,
        typer.Argument(
            metavar="BUS|PORT",
            help="A bus of the running gateway, or a free port to listen on: /dev/ttyUSB0, tcp://host:4001.",
            autocompletion=buses,
        ),
    ],
    file: Annotated[
        Path | None, typer.Option("-o", "--output", help="Record into this file; - for the screen.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so many seconds.")] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="End after so many frames.")] = None,
    protocol: Annotated[
        list[str] | None, typer.Option("--protocol", "-p", help="How to read the bytes; default: as they look.")
    ] = None,
    baud: Annotated[int | None, typer.Option("--baud", "-b", help="Of a free port; default 9600.")] = None,
    parity: Annotated[str | None, typer.Option(help="Of a free port: N, E or O; default N.")] = None,
    as_json: Json = False,
) -> None:
    """Record what goes over a line, until Ctrl-C; the gateway's polls go on, and a free port is only listened to.

    The file has one JSON object a line: a head, then {"t": seconds, "dir": "out|in", "hex": "..."}.
    """
    for name in protocol or ():
        if name not in PROTOCOLS:
            fail(f"'{name}' is not a protocol this command decodes. There are: {', '.join(PROTOCOLS)}.", WRONG)
    if parity is not None and parity not in _PARITIES:
        fail(f"'{parity}' is not a parity. Say N, E or O.", WRONG, as_json=as_json)
    found = place_of(ctx, place, as_json=as_json)
    if found.settings is None and isinstance(found.line, SerialSettings):
        found = found._replace(line=replace(found.line, baudrate=baud or 9600, parity=parity or "N"))
    is_stdout = as_json or (file is not None and str(file) == "-") or (file is None and not out.is_terminal)
    if file is not None and not is_stdout:
        may_write(file, as_json=as_json)
    try:
        with _opened(file, is_stdout=is_stdout) as target:
            session = _Session(target, out.is_terminal and not is_stdout, tuple(protocol or ()), frames)
            asyncio.run(_record(found, session, seconds))
    except BusDown as error:
        fail(error.reason, as_json=as_json)
    except ControlError as error:
        fail(str(error), as_json=as_json)
    except NotRunning:
        fail(_why_not(found), as_json=as_json)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read it has had enough
        raise typer.Exit(0) from None
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}. Name another file.", WRONG, as_json=as_json)
    if not as_json:
        name = "" if file is None or is_stdout else f" in {file}"
        err.print(say(f"{session.frames} frames, {session.size} bytes{name}"), markup=False, soft_wrap=True)
        if session.lost:
            err.print(say(f"{session.lost} pieces came faster than they could be taken and are missing"))
    if not session.pieces:
        raise typer.Exit(NO)


class _opened:  # noqa: N801 - used as a function
    """Open the file to record into; standard output is left open."""

    def __init__(self, file: Path | None, *, is_stdout: bool) -> None:
        self._own: IO[str] | None = None
        self._target: IO[str] | None = None
        if is_stdout:
            self._target = sys.stdout
        elif file is not None:
            self._own = self._target = file.open("w", encoding="utf-8")

    def __enter__(self) -> IO[str] | None:
        return self._target

    def __exit__(self, *_: object) -> None:
        if self._own is not None:
            self._own.close()


async def _record(place: Place, session: _Session, seconds: float | None) -> None:
    """Take what is told until Ctrl-C, the end of the time, or enough frames."""
    running = asyncio.current_task()
    assert running is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    with suppress(asyncio.CancelledError, TimeoutError):
        async with asyncio.timeout(seconds), aclosing(told_by(place, "capture", _directly(place))) as source:
            async for told in source:
                _take(told, session)
                if session.most_frames is not None and session.frames >= session.most_frames:
                    break
    _flush(session)


def _directly(place: Place) -> Any:
    line = place.line
    if not isinstance(line, SerialSettings):
        return None

    devices = () if place.settings is None else place.settings.devices
    spoken = frozenset(it.profile.protocol for it in devices if it.bus == line.id)

    def begin() -> AsyncGenerator[dict[str, Any]]:
        return listen(line, framings(line, spoken))

    return begin


def _why_not(place: Place) -> str:
    if place.line.kind == "ble":
        return f"'{place.line.id}' is a radio and no line to record. See 'edge scan {place.line.id}'."
    if place.settings is None:
        return "only a serial port can be listened to. To record another line, have the gateway run on it and name its bus."
    return (
        f"the gateway is not running, and '{place.line.id}' can only be recorded while it is. Start it with 'edge run'."
    )


def _take(told: Mapping[str, Any], session: _Session) -> None:
    if "head" in told:
        head = parse_head(told["head"])
        head = replace(head, protocols=session.protocols or head.protocols)
        session.protocols = protocols_of(head.line, head.protocols)
        _write(session, head_line(head))
        err.print(
            say(f"{head.bus}: recording {line_text(dict(head.line))}, Ctrl-C ends."), markup=False, soft_wrap=True
        )
    elif "lost" in told:
        session.lost += told["lost"]
        last = session.waiting[-1].t if session.waiting else 0.0
        _write(session, lost_line(last, told["lost"]))
    elif "quiet" in told:
        _flush(session)
    for row in told.get("chunks", ()):
        chunk = parse_chunk(row)
        _write(session, chunk_line(chunk))
        if chunk.is_out and session.waiting and not session.waiting[-1].is_out:
            _flush(session)
        session.waiting.append(chunk)
        session.pieces += 1
        session.size += len(chunk.data)


def _flush(session: _Session) -> None:
    """Decode the exchange that is over."""
    chunks, session.waiting = session.waiting, []
    for told in decode_chunks(chunks, session.protocols):
        session.frames += "noise" not in told
        if session.is_shown:
            for line in frame_lines(told):
                out.print(line)


def _write(session: _Session, line: str) -> None:
    if session.file is not None:
        session.file.write(f"{line}\n")
        session.file.flush()
