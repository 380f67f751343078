"""One import under way: the tables in memory, what became of each row, and what is wrong."""

import asyncio
import difflib
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.clock import now_ms
from central_server.form import Problem
from central_server.rbac import Actor
from central_server.records import store
from central_server.records.model import Records
from central_server.records.refusal import Refusal
from central_server.records.shelf import Key, Shelf

_MOST_CHANGES, _MOST_REFUSALS = 200, 200  # told one by one; the rest are counted
_PACE = 200  # rows between two chances for others
T = TypeVar("T")
_MOST_HINTS = 40  # looking for what was meant takes its time
_KEYS = {
    "site": ("code",),
    "building": ("site_id", "code"),
    "owner": ("code",),
    "unit": ("building_id", "code"),
    "ownership": ("unit_id", "owner_id", "from_on"),
    "tenancy": ("unit_id", "person_id", "from_on"),
    "vehicle": ("plate_index",),
    "equipment": ("site_id", "code"),
    "metering_point": ("code",),
    "installation": ("metering_point_id", "from_at"),
}
_PERSONAL = frozenset(("name_index", "phone_index", "phone4_index", "plate_index"))  # tell nobody anything
_ABSENT = {
    "site": Problem("there is no site '{code}'"),
    "building": Problem("there is no building '{code}'"),
    "owner": Problem("there is no owner '{code}'"),
    "unit": Problem("there is no unit '{code}'"),
    "metering_point": Problem("there is no metering_point '{code}'"),
}
_WRITE_IT = Problem("Write it into this file or import it first.")


@dataclass(frozen=True, slots=True)
class Change:
    """A row that an import would change; ``columns`` are those that differ."""

    table: str
    label: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many rows of each table were added, changed or the same, which were changed, what is wrong with how many."""

    tables: Mapping[str, Mapping[str, int]]
    changes: Sequence[Change]
    refusals: Sequence[Refusal]
    refused: int


@dataclass
class Work:
    """One import under way."""

    connection: AsyncConnection
    actor: Actor
    records: Records
    tariffs: Collection[str]
    is_dry_run: bool
    now: int = field(default_factory=now_ms)
    shelves: dict[str, Shelf] = field(default_factory=dict)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    refused: int = 0
    # Rows with a fault of their own, by their parents' codes: what hangs on them is not told as another.
    broken: set[tuple[str, Key]] = field(default_factory=set)
    ids: dict[str, dict[Key, int]] = field(default_factory=dict)
    by_unit: dict[tuple[str, int], list[dict[str, Any]]] = field(default_factory=dict)

    async def shelf(self, name: str, *where: Any) -> Shelf:
        """Give a table, read when it is first wanted."""
        if name not in self.shelves:
            self.shelves[name] = Shelf(store.TABLES[name], _KEYS[name], is_dry_run=self.is_dry_run)
            await self.shelves[name].load(self.connection, *where)
        return self.shelves[name]

    def put(self, name: str, key: Key, values: Mapping[str, Any], label: str = "", **new: Any) -> None:
        """Put a row and count what became of it; ``new`` is for an added row only."""
        what, columns = self.shelves[name].put(key, values, new)
        self.count(name, what)
        if what == "changed" and len(self.changes) < _MOST_CHANGES:
            self.changes.append(Change(name, label, tuple(each for each in columns if each not in _PERSONAL)))

    def count(self, name: str, what: str) -> None:
        self.counts.setdefault(name, Counter())[what] += 1

    def refuse(self, table: str, index: int, key: str, problem: Problem, remedy: Problem | None = None) -> None:
        self.refused += 1
        if len(self.refusals) < _MOST_REFUSALS:
            self.refusals.append(Refusal(table, index, key, problem, remedy))

    def find(self, table: str, index: int, key: str, parent: str, wanted: Key) -> int | None:
        """Find a parent row of this file or of the database; note a fault where there is none."""
        known = self.ids[parent]
        if wanted in known:
            return known[wanted]
        if (parent, wanted) not in self.broken:
            absent = _ABSENT[parent]
            self.refuse(
                table,
                index,
                key,
                Problem(absent.text, {"code": wanted[-1]}),
                (near(wanted[-1], known) if self.refused < _MOST_HINTS else None) or _WRITE_IT,
            )
        return None


def near(text: str, known: Collection[Key]) -> Problem | None:
    """Suggest the code that was probably meant."""
    found = difflib.get_close_matches(text, {str(key[-1]) for key in known} if len(known) < 5_000 else (), n=1)
    return Problem("Did you mean '{code}'?", {"code": found[0]}) if found else None


def given(**values: Any) -> dict[str, Any]:
    """Leave out what was not given: an empty cell does not take away what is there."""
    return {name: value for name, value in values.items() if value is not None}


async def paced(rows: Sequence[T]) -> AsyncIterator[tuple[int, T]]:
    """Count through rows, and let others have their turn now and then."""
    for index, row in enumerate(rows):
        if index % _PACE == _PACE - 1:
            await asyncio.sleep(0)
        yield index, row
