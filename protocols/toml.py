"""TOML with line numbers: what is wrong in a settings file, and where.

The standard parser says where a syntax error is, but not on which line a key stands, and
a fault without its line costs an engineer in a plant room minutes. This module re-scans
the text for keys only; values are the standard parser's.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple


class Fault(NamedTuple):
    """One thing wrong in a settings file.

    Shape: ``line`` is 1-based, 0 where the file as a whole is meant; ``key`` is dotted, with
    a list position in brackets: ``device[2].profile``.
    """

    file: str
    line: int
    key: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        key = f" {self.key}:" if self.key else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{place}:{key} {self.message}.{remedy}"


class SettingsError(Exception):
    """A settings file that cannot be used; every fault found in it, not just the first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = list(faults)


Loc = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_PART = re.compile(r"[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'")


class Document(NamedTuple):
    """A parsed file: its data, and the line of every key that stands on a line of its own."""

    file: str
    data: dict[str, Any]
    lines: dict[Loc, int]

    def line(self, loc: Loc) -> int:
        """Give the line of a key, or of the nearest table around it, 0 if there is none."""
        while loc:
            if loc in self.lines:
                return self.lines[loc]
            loc = loc[:-1]
        return 0

    def fault(self, loc: Loc, message: str, remedy: str = "") -> Fault:
        return Fault(self.file, self.line(loc), dotted(loc), message, remedy)


def parse(text: str, file: str) -> Document:
    """Parse a TOML text and note the line of each key.

    Raises: SettingsError with the parser's line for a syntax error.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line = int(found.group(1)) if found else text.count("\n") + 1  # the parser names no line at the end
        message = re.sub(r"\s*\(at [^)]*\)$", "", str(error))
        fault = Fault(file, line, "", f"not valid TOML: {message}", "Mend this line; nothing was read from the file.")
        raise SettingsError([fault]) from None
    return Document(file, data, _scan(text))


def faults(
    document: Document, errors: Iterable[Mapping[str, Any]], known: Mapping[str, Iterable[str]] | None = None
) -> list[Fault]:
    """Turn validation errors into faults with lines.

    Shape: ``errors`` are mappings with ``loc``, ``msg`` and ``type`` as pydantic's
    ``ValidationError.errors()`` gives them. ``known`` names, for a dotted table without
    positions ("" is the top), the keys allowed there, so that a misspelt one is met with the nearest.
    """
    found = []
    for error in errors:
        loc = _in_file(document.data, error["loc"])
        kind, message, remedy = error["type"], str(error["msg"]), ""
        if kind == "extra_forbidden":
            table = dotted(tuple(part for part in loc[:-1] if isinstance(part, str)))
            near = difflib.get_close_matches(str(loc[-1]), list((known or {}).get(table, ())), n=1)
            message = f"unknown key '{loc[-1]}'"
            remedy = f"Did you mean '{near[0]}'?" if near else "Remove it or correct its name."
        elif kind == "missing":
            loc = (*loc, str(error["loc"][-1]))
            message, remedy = f"the key '{loc[-1]}' is missing", "Add it."
        elif kind == "union_tag_invalid":
            context = error["ctx"]
            loc = (*loc, context["discriminator"].strip("'"))
            message = f"'{context['tag']}' is not a choice here"
            remedy = f"Choose one of {context['expected_tags']}."
        elif kind == "union_tag_not_found":
            message = f"the key {error['ctx']['discriminator']} is missing"
            remedy = "Add it."
        elif message.startswith("Value error, "):
            message = message.removeprefix("Value error, ")
        else:
            said = message[:1].lower() + message[1:]
            message, remedy = f"{said}, but the value is {error.get('input')!r}", "Correct the value."
        found.append(document.fault(loc, message.rstrip("."), remedy))
    return found


def dotted(loc: Loc) -> str:
    """Print a location as an engineer would say it: ``device[2].profile``."""
    text = ""
    for part in loc:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _in_file(data: Any, loc: Iterable[Any]) -> Loc:
    """Keep the parts of a location that the file has; validators add union tags of their own."""
    kept: Loc = ()
    for part in loc:
        if (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        ):
            data = data[part]
            kept = (*kept, part)
    return kept


def _scan(text: str) -> dict[Loc, int]:
    lines: dict[Loc, int] = {}
    counts: dict[Loc, int] = {}
    table: Loc = ()
    closing: str | None = None
    depth = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if closing is not None:
            closing = None if closing in line else closing
            continue
        if depth > 0:
            depth += _brackets(line)
            continue
        if header := _HEADER.match(line):
            table = _resolve(_parts(header.group(2)), header.group(1) == "[[", counts)
            lines.setdefault(table, number)
            continue
        if not (key := _KEY.match(line)):
            continue
        lines.setdefault(table + _parts(key.group(1)), number)
        value = line[key.end() :]
        for quotes in ('"""', "'''"):
            if value.count(quotes) == 1:
                closing = quotes
        if closing is None:
            depth = max(0, _brackets(value))
    return lines


def _parts(text: str) -> Loc:
    return tuple(part.strip("\"'") for part in _PART.findall(text))


def _resolve(names: Loc, is_array: bool, counts: dict[Loc, int]) -> Loc:
    """Place a header's names among the arrays of tables already opened."""
    loc: Loc = ()
    for index, name in enumerate(names):
        loc = (*loc, name)
        last = index == len(names) - 1
        if last and is_array:
            counts[loc] = counts.get(loc, -1) + 1
        if loc in counts:
            loc = (*loc, counts[loc])
    return loc


def _brackets(text: str) -> int:
    """Count how many more brackets a line opens than it closes, outside strings and comments."""
    bare = re.sub(r"\"(?:\\.|[^\"\\])*\"|'[^']*'|#.*", "", text)
    return bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
