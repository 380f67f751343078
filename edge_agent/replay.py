"""What a recording means: its frames, decoded, each with its time and direction. Pure.

A line on which both directions are told apart is taken exchange by exchange, because only its question
says what a Modbus answer holds, and because devices of several protocols may share the line. A line
that was only listened to is one stream.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from edge_agent.capture_file import Capture, Chunk
from protocols.decode import decode_capture
from protocols.decode.value import Keys

FORMAT, VERSION = "gatehouse-decoded", 1
# Of a serial line whose devices nobody has named, the more demanding frames first.
GUESSES = ("dlt645", "cjt188", "mbus", "osdp", "iec62056-21", "modbus-ascii", "modbus-rtu")
_NO_KEYS = Keys()
Json = dict[str, Any]


def protocols_of(line: Any, named: Sequence[str] = ()) -> tuple[str, ...]:
    """Say in which protocols a line's bytes are to be read: as named, else as its kind has them."""
    if named:
        return tuple(named)
    kind = line.get("kind")
    return {"modbus-tcp": ("modbus-tcp",), "osdp": ("osdp",)}.get(str(kind), GUESSES)


def decode_chunks(chunks: Sequence[Chunk], protocols: Sequence[str], keys: Keys = _NO_KEYS) -> list[Json]:
    """Decode the pieces of a recording, in their order.

    Shape: each ``{"t", "dir", "protocol", "hex", "ok", "error", "header", "values"}``, or
    ``{"t", "dir", "noise": hex}`` for bytes that are no frame.
    """
    if keys.key is not None or protocols == ("osdp",):  # a secure session is read from its beginning on
        return _decoded(chunks, protocols, keys)
    return [told for exchange in exchanges(chunks) for told in _decoded(exchange, protocols, keys)]


def exchanges(chunks: Sequence[Chunk]) -> Iterator[Sequence[Chunk]]:
    """Cut a recording before each question; with none it is one piece."""
    begin = 0
    for place, chunk in enumerate(chunks):
        if chunk.is_out and place > begin and not chunks[place - 1].is_out:
            yield chunks[begin:place]
            begin = place
    if chunks[begin:]:
        yield chunks[begin:]


def _decoded(chunks: Sequence[Chunk], protocols: Sequence[str], keys: Keys) -> list[Json]:
    chunks = _paired(chunks) if tuple(protocols) == ("modbus-tcp",) else chunks
    data = b"".join(chunk.data for chunk in chunks)
    if not data:
        return []
    readings = [(protocol, decode_capture(protocol, data, keys)["frames"]) for protocol in protocols]
    protocol, frames = max(readings, key=lambda it: sum(frame["length"] for frame in it[1] if frame["ok"]))
    if not any(frame["ok"] for frame in frames):
        protocol, frames = max(readings, key=lambda it: sum(frame["length"] for frame in it[1]))
    return list(_told(chunks, data, protocol, frames))


def _paired(chunks: Sequence[Chunk]) -> Sequence[Chunk]:
    """Put each Modbus TCP answer behind its own question, where several were under way."""
    if sum(chunk.is_out for chunk in chunks) < 2:
        return chunks
    answers = b"".join(chunk.data for chunk in chunks if not chunk.is_out)
    came = next((chunk.t for chunk in chunks if not chunk.is_out), 0.0)
    by_number: dict[bytes, bytes] = {}
    while len(answers) > 6 and len(answers) >= (end := 6 + int.from_bytes(answers[4:6], "big")):
        by_number[answers[:2]], answers = answers[:end], answers[end:]
    found: list[Chunk] = []
    for chunk in chunks:
        if chunk.is_out:
            found.append(chunk)
            if (answer := by_number.pop(chunk.data[:2], None)) is not None:
                found.append(Chunk(came, False, answer))
    rest = b"".join(by_number.values()) + answers
    return [*found, Chunk(came, False, rest)] if rest else found


def _told(chunks: Sequence[Chunk], data: bytes, protocol: str, frames: Iterable[Json]) -> Iterator[Json]:
    starts: list[tuple[int, Chunk]] = []
    place = 0
    for chunk in chunks:
        starts.append((place, chunk))
        place += len(chunk.data)

    def at(offset: int) -> Json:
        chunk = next(chunk for start, chunk in reversed(starts) if start <= offset)
        return {"t": round(chunk.t, 6), "dir": "out" if chunk.is_out else "in"}

    end = 0
    for frame in frames:
        begin = frame["offset"]
        if begin > end:
            yield {**at(end), "noise": data[end:begin].hex()}
        end = begin + frame["length"]
        more = {key: frame[key] for key in ("ok", "error", "header", "values")}
        yield {**at(begin), "protocol": protocol, "hex": data[begin:end].hex(), **more}
    if end < len(data):
        yield {**at(end), "noise": data[end:].hex()}


def expectation(capture: Capture, decoded: Sequence[Json]) -> str:
    """Write what a recording means as a text to compare with later: one line a frame."""
    head = {"format": FORMAT, "version": VERSION, "bus": capture.head.bus, "frames": len(decoded)}
    return "".join(f"{json.dumps(told, ensure_ascii=False)}\n" for told in (head, *decoded))


def difference(expected: str, found: str, file: str) -> list[str]:
    """Give the lines of a diff between two such texts; none where they are the same."""
    lines = expected.splitlines(), found.splitlines()
    return list(difflib.unified_diff(*lines, file, "what it decodes to now", lineterm="", n=0))
