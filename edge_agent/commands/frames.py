"""Decoded frames of a line as people read them, one or two lines each."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

_MOST_VALUES = 12
# Said already by the arrow, or by how the values are named.
_UNSAID = frozenset({"is_response", "is_reply", "is_error", "has_follow", "transaction"})


def frame_lines(told: Mapping[str, Any]) -> Iterator[Text]:
    """Write a frame: when, which way, what it is, and what it holds."""
    arrow = "->" if told["dir"] == "out" else "<-"
    line = Text(f"{told['t']:10.6f} {arrow} ", style="cyan" if told["dir"] == "out" else "")
    if "noise" in told:
        if not told["noise"].strip("fe"):
            return  # wake-up bytes belong to the frame behind them
        yield line.append(f"noise {_shortened(told['noise'])}", "dim")
        return
    line.append(f"{told['protocol']} ", "dim")
    if told["error"] is not None:
        line.append(f"{told['error']['kind']}: {told['error']['detail']} ", "bold red")
    header = [
        f"{key} {value}"
        for key, value in told["header"].items()
        if key not in _UNSAID and value not in (None, False, "", [])
    ]
    line.append("  ".join(header) or _shortened(told["hex"]))
    yield line
    if told["values"]:
        shown = [_value(value) for value in told["values"][:_MOST_VALUES]]
        more = len(told["values"]) - len(shown)
        yield Text(" " * 14 + ", ".join(shown) + (f", and {more} more" if more else ""), "green")


def _value(value: Mapping[str, Any]) -> str:
    text = f"{value['name']} {value['value'] if value['value'] is not None else '-'} {value['unit']}".strip()
    return text if value["quality"] == "good" else f"{text} ({value['quality']})"


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}... {len(text) // 2} bytes"
