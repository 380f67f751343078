"""The account of an import: for every field of theirs where it went, or why it went nowhere."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from edge_agent.importer.source import Path_, Source, leaves, place

UNKNOWN = "this field is not known here, and nothing was made of it"


class Entry(NamedTuple):
    """One field of theirs.

    Shape: ``target`` is where it went, None where it is not carried; then ``reason`` says why.
    """

    path: Path_
    line: int
    target: str | None
    reason: str | None

    def as_json(self) -> dict[str, Any]:
        told = {"key": place(self.path), "line": self.line}
        return told | ({"to": self.target} if self.target is not None else {"reason": self.reason})


class Ledger:
    """Notes what was made of each field; what nobody has noted at the end is not carried."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._told: dict[Path_, tuple[str | None, str | None]] = {}
        self.notes: list[str] = [*source.notes]

    def note(self, text: str) -> None:
        """Say what no single field tells: a device that could not be written."""
        self.notes.append(text)

    def carry(self, path: Path_, target: str) -> None:
        """Note where a field went."""
        self._told[path] = (target, None)

    def carry_all(self, path: Path_, keys: Iterable[str], target: str) -> None:
        """Note where those of a table's fields went that it has."""
        table = self.value(path)
        for key in keys:
            if isinstance(table, dict) and key in table:
                for leaf in leaves(table[key], (*path, key)):
                    self.carry(leaf, target)

    def leave(self, path: Path_, reason: str) -> None:
        """Note why a field, or all of a table, is not carried; takes back what was said of it before."""
        for told in [told for told in self._told if told[: len(path)] == path]:
            del self._told[told]
        self._told[path] = (None, reason)

    def withdraw(self, path: Path_, target: str, reason: str) -> None:
        """Take back what was carried into a block that was not written after all."""
        for told, (went, _) in list(self._told.items()):
            if told[: len(path)] == path and went is not None and went.startswith(target):
                self._told[told] = (None, reason)

    def value(self, path: Path_) -> Any:
        found = self.source.data
        for part in path:
            found = found[part]
        return found

    def entries(self) -> list[Entry]:
        """Give every field of the file, in its order."""
        return sorted(self._entries(), key=lambda entry: (entry.line, len(entry.path)))

    def _entries(self) -> Iterator[Entry]:
        left = {path for path, (target, _) in self._told.items() if target is None}
        for path in left:
            yield Entry(path, self.source.line(path), None, self._told[path][1])
        for leaf in leaves(self.source.data):
            if any(leaf[:length] in left for length in range(len(leaf) + 1)):
                continue
            target, reason = self._told.get(leaf, (None, UNKNOWN))
            yield Entry(leaf, self.source.line(leaf), target, reason)
