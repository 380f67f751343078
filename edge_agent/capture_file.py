"""A recording of a line as a text file: JSON lines, one head and then one line a piece of bytes. Pure.

    {"format": "gatehouse-capture", "version": 1, "bus": "line-1", "line": {"kind": "serial", ...},
     "protocols": ["dlt645"], "started_at": "2026-11-23T14:00:00.000Z"}
    {"t": 0.001234, "dir": "out", "hex": "68aaaa..."}
    {"t": 0.250110, "dir": "in", "hex": "fefefe68..."}
    {"t": 9.100000, "lost": 12}

``t`` is in seconds since the beginning, to the microsecond; ``out`` is what this end sent. A line that
was only listened to has ``in`` alone. ``lost`` counts pieces that came faster than they were taken.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

FORMAT, VERSION = "gatehouse-capture", 1
_MOST_BYTES = 1_000_000  # of one piece; a line's frames are far shorter


class CaptureError(Exception):
    """A file that is no recording; the sentence says where and what to do."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where and when a recording was made.

    Shape: ``line`` as ``describe_line`` gives it; ``protocols`` are framings of ``protocols.framing``
    that the line's devices speak, none where nobody knew.
    """

    bus: str
    line: Mapping[str, Any]
    started_at: str
    protocols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that went (``is_out``) or came. Units: ``t`` is seconds since the recording began."""

    t: float
    is_out: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Capture:
    head: Head
    chunks: tuple[Chunk, ...]
    lost: int = 0


@dataclass(slots=True)
class _Reading:
    chunks: list[Chunk] = field(default_factory=list)
    lost: int = 0


def head_line(head: Head) -> str:
    """Write the head."""
    told = {"format": FORMAT, "version": VERSION, "bus": head.bus, "line": dict(head.line)}
    return _json({**told, "protocols": list(head.protocols), "started_at": head.started_at})


def chunk_line(chunk: Chunk) -> str:
    """Write a piece."""
    return _json({"t": round(chunk.t, 6), "dir": "out" if chunk.is_out else "in", "hex": chunk.data.hex()})


def lost_line(t: float, count: int) -> str:
    """Write that some pieces are missing."""
    return _json({"t": round(t, 6), "lost": count})


def parse_capture(text: str, file: str) -> Capture:
    """Read a recording.

    Raises: CaptureError with file, line and remedy.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise CaptureError(f"{file} is empty. Name a file that 'edge capture' has written.")
    head = _head(lines[0][1], file)
    found = _Reading()
    for position, (number, line) in enumerate(lines[1:], 2):
        try:
            _take(json.loads(line), found)
        except (ValueError, KeyError, TypeError):
            if position == len(lines):
                break  # the recording was cut off in its last line
            raise CaptureError(f"{file}:{number}: this is no line of a recording. Remove it, or record anew.") from None
    return Capture(head, tuple(found.chunks), found.lost)


def parse_chunk(told: Mapping[str, Any]) -> Chunk:
    """Read a piece that JSON has carried. Raises: ValueError, KeyError, TypeError."""
    if told["dir"] not in ("in", "out"):
        raise ValueError(told["dir"])
    data = bytes.fromhex(told["hex"])
    if len(data) > _MOST_BYTES:
        raise ValueError("too long")
    return Chunk(float(told["t"]), told["dir"] == "out", data)


def parse_head(told: Any) -> Head:
    """Read a head that JSON has carried. Raises: ValueError, KeyError, TypeError."""
    if told["format"] != FORMAT or not isinstance(told["line"], dict):
        raise ValueError(told["format"])
    protocols = tuple(map(str, told.get("protocols") or ()))
    return Head(str(told["bus"]), told["line"], str(told["started_at"]), protocols)


def _head(line: str, file: str) -> Head:
    try:
        told = json.loads(line)
        head = parse_head(told)
    except (ValueError, KeyError, TypeError):
        raise CaptureError(
            f"{file} is not a recording of a line. Name a file that 'edge capture' has written."
        ) from None
    if told.get("version") != VERSION:
        raise CaptureError(f"{file} has version {told.get('version')}; this program reads {VERSION}. Use a newer one.")
    return head


def _take(told: Mapping[str, Any], found: _Reading) -> None:
    if "lost" in told:
        found.lost += int(told["lost"])
    else:
        found.chunks.append(parse_chunk(told))


def _json(told: Mapping[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False)


def capture_text(head: Head, chunks: Iterable[Chunk]) -> str:
    """Write a whole recording."""
    return "".join(f"{line}\n" for line in (head_line(head), *map(chunk_line, chunks)))
