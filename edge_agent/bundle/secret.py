"""Every secret that a gateway has, so that none of them leaves it."""

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from edge_agent.bundle.redact import redact_settings
from edge_agent.check.fact.text import listed
from edge_agent.identity import FOLDER

_LONGEST = 64 * 1024


class Secrets(NamedTuple):
    """What must not leave.

    Shape: ``settings`` are those without secrets, None where the file cannot be read as TOML: then nobody can say
    which of it is secret; ``files`` are the files whose content is one.
    """

    settings: dict[str, Any] | None
    values: tuple[str, ...]
    files: tuple[Path, ...]


def find_secrets(file: Path) -> Secrets:
    """Read the settings for what they keep secret, whether they are right or not."""
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Secrets(None, tuple(_contents(_identity(file.parent / "data"))), ())
    folder = file.absolute().parent
    named = {value: folder / value for value in _file_values(data)}
    clean, taken = redact_settings(data, {value: _is_file(path) for value, path in named.items()})
    edge = data.get("edge")
    place = edge.get("data", "data") if isinstance(edge, Mapping) else "data"
    files = [path for path in named.values() if _is_file(path)] + _identity(folder / str(place))
    return Secrets(clean, (*taken, *_contents(files)), tuple(files))


def _file_values(value: Any, key: str = "") -> Iterator[str]:
    """Give the values of every ``..._file`` key, wherever it stands."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _file_values(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _file_values(inner, key)
    elif key.endswith("_file") and isinstance(value, str) and "\0" not in value:
        yield value


def _identity(data: Path) -> list[Path]:
    return [path for path in listed(data / FOLDER) if _is_file(path)]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # what this account may not see it cannot give away either


def _contents(files: list[Path]) -> Iterator[str]:
    for path in files:
        try:
            # Without waiting: a pipe in a key's place must not hold the command up.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue  # what this account cannot read it cannot give away either
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                yield file.read(_LONGEST).decode(errors="replace")
