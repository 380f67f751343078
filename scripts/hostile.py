"""What a decoder must keep to whatever bytes it is given; the tests and the fuzzer hold it to this."""

import json
import re
import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from protocols.decode import CAPTURE, decode_capture
from protocols.decode.value import Keys

_KINDS = frozenset(("checksum", "length", "truncated", "format", "application", "security", "unsupported"))
# A key, an address and a service that no capture here belongs to: the ways behind them must hold as well.
_KEYS = (Keys(), Keys(bytes(range(16)), bytes(range(6)), "fcd2"))
_FRAMES = Path(__file__).resolve().parent.parent / "tests" / "frames"


@cache
def _captures() -> list[dict[str, Any]]:
    return [
        {"protocol": path.stem, **capture}
        for path in sorted(_FRAMES.glob("*.toml"))
        for capture in tomllib.loads(path.read_text(encoding="utf-8")).get("capture", [])
    ]


@cache
def _keys(protocol: str) -> frozenset[Keys]:
    """Give what may be known beside the bytes: what the captures need, and what none of them does."""
    named = [
        Keys(
            bytes.fromhex(it["key"]) if "key" in it else None, bytes.fromhex(it.get("mac", "")) or None, it.get("uuid")
        )
        for it in _captures()
        if it["protocol"] == protocol
    ]
    return frozenset((*_KEYS, *named))


def corpus(protocol: str) -> list[bytes]:
    """Give the golden captures of a protocol."""
    texts = [capture["hex"] for capture in _captures() if capture["protocol"] == protocol]
    return [bytes.fromhex(text) for text in texts if re.fullmatch(r"[0-9A-Fa-f\s]*", text)]


def check(protocol: str, data: bytes) -> dict[str, Any]:
    """Decode bytes and make sure that the answer tells all of them, once, and no value of a bad frame.

    Raises: AssertionError; whatever else the decoder raises is a fault of it.
    """
    for keys in _keys(protocol):
        told = decode_capture(protocol, data, keys)
        json.dumps(told, allow_nan=False)
        for frame in told["frames"]:
            assert frame["ok"] == (frame["error"] is None), frame
            assert frame["ok"] or not frame["values"], f"a value from a bad frame: {frame}"
            assert frame["ok"] or frame["error"]["kind"] in _KINDS, frame
        if protocol not in CAPTURE:
            pieces = sum(frame["length"] for frame in told["frames"]) + sum(len(text) // 2 for text in told["noise"])
            assert pieces == len(data), f"{pieces} bytes told of {len(data)}"
            ends = [(frame["offset"], frame["offset"] + frame["length"]) for frame in told["frames"]]
            assert all(end <= start for (_, end), (start, _) in pairwise(ends)), "frames overlap"
    return decode_capture(protocol, data)
