"""Read a foreign settings file with the line of every key, whatever somebody has put into it.

Nothing in the file is evaluated: a YAML tag is only named, and aliases that would unfold without end are refused.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from protocols.toml import Fault, SettingsError, dotted

Path_ = tuple[str | int, ...]

MOST_BYTES = 1 << 20
_MOST_NODES = 100_000
_DEEPEST = 40
_MARK = re.compile(r'[\[\]{},:]|"(?:\\.|[^"\\])*"|[^\s\[\]{},:"]+')


@dataclass(frozen=True, slots=True)
class Tag:
    """A value that the file does not have itself: ``!secret name`` or ``!include file``."""

    kind: str
    text: str


class Source(NamedTuple):
    """A file as it stands; numbers with a point are Decimal; ``notes`` is what was odd in it."""

    file: str
    data: Any
    lines: Mapping[Path_, int]
    notes: tuple[str, ...] = ()

    def line(self, path: Path_) -> int:
        """Give the line of a key, or of what is around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def leaves(value: Any, path: Path_ = ()) -> list[Path_]:
    """Name every value of a file that is no table and no list, and every empty one of these."""
    children: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    if not children:
        return [path]
    return [leaf for key, child in children for leaf in leaves(child, (*path, key))]


def read_json(file: Path) -> Source:
    """Read a JSON file. Raises: SettingsError."""
    text = _text(file)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"the key '{twice}' stands twice in one object")
        return found

    try:
        data = json.loads(text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=unique)
        if _depth(text) > _DEEPEST:
            raise RecursionError
        return Source(str(file), data, _json_lines(text))
    except json.JSONDecodeError as error:
        raise _fault(file, error.lineno, f"not valid JSON: {error.msg}", "Mend this line.") from None
    except RecursionError:
        raise _fault(file, 0, "it is nested too deeply for settings", "Export it anew.") from None
    except ValueError as error:
        raise _fault(file, 0, str(error), "Correct it there.") from None


def read_yaml(file: Path) -> Source:
    """Read a YAML file; a tag of theirs becomes a ``Tag``. Raises: SettingsError."""
    text = _text(file)
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        lines: dict[Path_, int] = {}
        walk = _Walk(loader, lines)
        data = None if node is None else walk.value(node, ())
        return Source(str(file), data, lines, tuple(walk.notes))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = error.problem or error.context or "it cannot be read"
        raise _fault(file, 0 if mark is None else mark.line + 1, f"not valid YAML: {said}", "Mend this line.") from None
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise _fault(file, 0, f"not valid YAML: {said}", "Save it as UTF-8 text.") from None
    except (RecursionError, OverflowError):
        reason = "it unfolds into far more than settings: too deep, or aliases of aliases"
        raise _fault(file, 0, reason, "Write it without anchors (&) and aliases (*).") from None
    except ValueError as error:
        raise _fault(file, 0, f"not valid YAML: {error}", "Correct the value.") from None
    finally:
        if loader is not None:
            loader.dispose()


class _Walk:
    """Make values of YAML nodes, within bounds."""

    def __init__(self, loader: yaml.SafeLoader, lines: dict[Path_, int]) -> None:
        self._loader = loader
        self._lines = lines
        self._seen = 0
        self.notes: list[str] = []

    def value(self, node: yaml.Node, path: Path_) -> Any:
        """Give a node's value. Raises: RecursionError where it has no end."""
        self._seen += 1
        if self._seen > _MOST_NODES or len(path) > _DEEPEST:
            raise RecursionError
        self._lines.setdefault(path, node.start_mark.line + 1)
        if node.tag.startswith("!"):
            return Tag(node.tag[1:], str(node.value) if isinstance(node, yaml.ScalarNode) else "")
        if isinstance(node, yaml.MappingNode):
            return self._table(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, index)) for index, child in enumerate(node.value)]
        value = self._loader.construct_object(node)  # a scalar of YAML's own
        if isinstance(value, float):
            return Decimal(repr(value)) if math.isfinite(value) else repr(value)
        return value

    def _table(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, child in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            here = (*path, key)
            if key_node.tag == "tag:yaml.org,2002:merge":
                parts = child.value if isinstance(child, yaml.SequenceNode) else [child]
                for part in parts:
                    table = self.value(part, path)
                    merged = {**(table if isinstance(table, dict) else {}), **merged}
                continue
            if key in found:
                text = f"'{place(here)}' stands in the file twice; the last one, on line {key_node.start_mark.line + 1}, holds"
                self.notes.append(text)
            self._lines[here] = key_node.start_mark.line + 1
            found[key] = self.value(child, here)
        return {**merged, **found}


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise _fault(
                file, 0, f"it has more than {MOST_BYTES >> 20} MB and is no such settings", "Name another file."
            )
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _fault(file, 0, error.strerror or "cannot be read", "Name another file.") from None
    except UnicodeDecodeError:
        raise _fault(file, 0, "it is not UTF-8 text", "Save it as UTF-8 text.") from None


def _fault(file: Path, line: int, message: str, remedy: str) -> SettingsError:
    return SettingsError([Fault(str(file), line, "", message, remedy)])


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _depth(text: str) -> int:
    deepest = depth = 0
    for mark in _MARK.findall(text):
        depth += (mark in "[{") - (mark in "]}")
        deepest = max(deepest, depth)
    return deepest


def _json_lines(text: str) -> dict[Path_, int]:
    """Note the line of every key and list element of a text that is valid JSON."""
    lines: dict[Path_, int] = {}
    path: list[str | int] = []
    is_key: list[bool] = []  # for each open bracket: whether a key comes next
    line, at = 1, 0
    for found in _MARK.finditer(text):
        line += text.count("\n", at, found.start())
        at = found.start()
        mark = found.group()
        if mark in "[{":
            lines.setdefault(tuple(path), line)
            path.append(0 if mark == "[" else "")
            is_key.append(mark == "{")
        elif mark in "]}":
            path.pop()
            is_key.pop()
        elif mark == ",":
            last = path[-1]
            path[-1] = last + 1 if isinstance(last, int) else ""
            is_key[-1] = isinstance(last, str)
        elif mark == ":":
            is_key[-1] = False
        elif is_key and is_key[-1]:
            path[-1] = json.loads(mark)
            lines[tuple(path)] = line
        else:
            lines.setdefault(tuple(path), line)
    return lines


def place(path: Path_) -> str:
    """Print a place as an engineer would say it: ``modbus[1].sensors[2].scale``."""
    return dotted(path) or "(the file)"
