"""``edge replay``: what a recording says, whether it still says the same, and a line that answers from it."""

from pathlib import Path
from typing import Annotated

import typer

from edge_agent.capture import line_text
from edge_agent.capture_file import Capture, CaptureError, parse_capture
from edge_agent.commands.frames import frame_lines
from edge_agent.commands.shell import NO, WRONG, Json, err, fail, out, print_json, run_until_stopped, say
from edge_agent.recorded_line import RecordedLine, ServeError, answers, serve_pty, serve_tcp
from edge_agent.replay import Json as Told
from edge_agent.replay import decode_chunks, difference, expectation, protocols_of
from protocols.decode import PROTOCOLS
from protocols.decode.value import Keys


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording that 'edge capture' has written.")],
    protocol: Annotated[
        list[str] | None, typer.Option("--protocol", "-p", help="How to read the bytes; default: as recorded.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="The device's key as hex: OSDP secure channel.")] = None,
    check: Annotated[
        Path | None, typer.Option(metavar="EXPECTED", help="Compare with what was decoded before; 1 if it differs.")
    ] = None,
    update: Annotated[
        Path | None, typer.Option(metavar="EXPECTED", help="Write what is decoded now, to be compared with later.")
    ] = None,
    serve: Annotated[
        str | None,
        typer.Option(
            metavar="PORT|PTY", help="Answer from the recording: a TCP port, or a path where a pseudo-terminal is made."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the decoded frames of a recording; 1 if one of them is bad."""
    capture = _read(file, as_json=as_json)
    for name in protocol or ():
        if name not in PROTOCOLS:
            fail(f"'{name}' is not a protocol this command decodes. There are: {', '.join(PROTOCOLS)}.", WRONG)
    protocols = protocols_of(capture.head.line, protocol or capture.head.protocols)
    if unknown := [name for name in protocols if name not in PROTOCOLS]:
        fail(f"{file}: its protocol '{unknown[0]}' is unknown here. Name one with --protocol.", WRONG, as_json=as_json)
    if serve is not None:
        _serve(capture, protocols, serve)
        return
    decoded = decode_chunks(capture.chunks, protocols, _keys(key, as_json=as_json))
    if update is not None:
        _write(update, expectation(capture, decoded), as_json=as_json)
    if check is not None:
        _check(check, expectation(capture, decoded), as_json=as_json)
        return
    _show(capture, decoded, as_json=as_json)
    if not _is_fine(decoded):
        raise typer.Exit(NO)


def _is_fine(decoded: list[Told]) -> bool:
    """Tell whether there are frames and none is bad; one that the recording's end has cut is nobody's fault."""
    frames = [told for told in decoded if "noise" not in told]
    if len(frames) > 1 and frames[-1] is decoded[-1] and (frames[-1]["error"] or {}).get("kind") == "truncated":
        frames.pop()
    return bool(frames) and all(told["ok"] for told in frames)


def _read(file: Path, *, as_json: bool) -> Capture:
    try:
        return parse_capture(file.read_text(encoding="utf-8"), str(file))
    except CaptureError as error:
        fail(str(error), WRONG, as_json=as_json)
    except UnicodeDecodeError:
        fail(
            f"{file} is not a recording of a line. Name a file that 'edge capture' has written.", WRONG, as_json=as_json
        )
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}. Name a recording.", WRONG, as_json=as_json)


def _keys(key: str | None, *, as_json: bool) -> Keys:
    try:
        return Keys(None if key is None else bytes.fromhex(key))
    except ValueError:
        fail("--key is not hex. Write its bytes such as 3031...3F.", WRONG, as_json=as_json)


def _write(file: Path, text: str, *, as_json: bool) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}. Name another file.", WRONG, as_json=as_json)


def _check(file: Path, found: str, *, as_json: bool) -> None:
    try:
        expected = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        fail(f"{file} cannot be read. Write it with --update.", WRONG, as_json=as_json)
    lines = difference(expected, found, str(file))
    if as_json:
        print_json({"ok": not lines, "difference": lines})
    elif lines:
        for line in lines:
            out.print(line, markup=False, style="red" if line[:1] == "-" else "green" if line[:1] == "+" else "dim")
    else:
        out.print(say(f"{len(expected.splitlines()) - 1} frames, all as they were"))
    if lines:
        raise typer.Exit(NO)


def _show(capture: Capture, decoded: list[Told], *, as_json: bool) -> None:
    if as_json:
        head = {"bus": capture.head.bus, "line": dict(capture.head.line), "started_at": capture.head.started_at}
        print_json({**head, "lost": capture.lost, "frames": decoded})
        return
    line = line_text(dict(capture.head.line))
    out.print(say(f"{capture.head.bus}: {line}, recorded {capture.head.started_at}"), markup=False, soft_wrap=True)
    for told in decoded:
        for text in frame_lines(told):
            out.print(text)
    if capture.lost:
        err.print(say(f"{capture.lost} pieces came faster than they could be taken and are missing"))
    if not capture.chunks:
        out.print(say("Nothing went over the line while it was recorded."))
    elif not decoded:
        out.print(say("No frame is in this recording. Name the protocol with --protocol."))


def _serve(capture: Capture, protocols: tuple[str, ...], place: str) -> None:
    book = answers(capture.chunks, protocols)
    if not book:
        fail("no question and answer are in this recording, so that nothing can be answered from it")

    def ready(where: str) -> None:
        typer.echo(f"{where} answers {len(book)} questions from the recording; Ctrl-C ends.")

    async def work() -> None:
        line = RecordedLine(book, protocols)
        if place.isdecimal():
            await serve_tcp(line, int(place), ready)
        else:
            await serve_pty(line, None if place == "pty" else Path(place), ready)

    try:
        run_until_stopped(work())
    except ServeError as error:
        fail(str(error), WRONG)
