"""A table in memory while an import runs: what is there, what a file adds to it, what it changes."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

Key = tuple[Any, ...]
_CHUNK = 500  # rows of one statement; between two the server answers others


class Shelf:
    """The rows of one table by what makes each itself; written all at once by ``flush``."""

    def __init__(self, table: Table, key: Sequence[str], *, is_dry_run: bool) -> None:
        self.table, self.key = table, tuple(key)
        self.rows: dict[Key, dict[str, Any]] = {}
        self._is_dry_run = is_dry_run
        self._added: list[dict[str, Any]] = []
        self._changed: dict[int, dict[str, Any]] = {}
        self._blank = {column.name: None for column in table.c if column.nullable}

    async def load(self, connection: AsyncConnection, *where: Any) -> None:
        """Take in what the database has."""
        result = await connection.stream(select(self.table).where(*where))
        async for rows in result.mappings().partitions(_CHUNK):
            for row in rows:
                self.rows[tuple(row[name] for name in self.key)] = dict(row)

    def put(self, key: Key, values: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, list[str]]:
        """Add a row or change what differs; ``new`` is for an added row only.

        Shape: "added", "changed" or "same", and the names of the columns that change.
        """
        row = self.rows.get(key)
        if row is None:
            self.rows[key] = self._blank | dict(zip(self.key, key, strict=True)) | dict(new) | dict(values)
            self._added.append(self.rows[key])
            return "added", []
        names = [name for name, value in values.items() if row[name] != value]
        if not names:
            return "same", []
        self._change(row, {name: values[name] for name in names})
        return "changed", names

    def move(self, key: Key, to: Key) -> None:
        """Change what makes a row itself."""
        row = self.rows.pop(key)
        self.rows[to] = row
        self._change(row, dict(zip(self.key, to, strict=True)))

    def _change(self, row: dict[str, Any], values: Mapping[str, Any]) -> None:
        row.update(values)
        if row.get("id") is not None:
            self._changed[row["id"]] = row

    async def flush(self, connection: AsyncConnection) -> None:
        """Write what was put; afterwards every row has its id. A dry run writes nothing and makes ids up."""
        if self._is_dry_run:
            for number, row in enumerate(self._added, start=1):
                row.setdefault("id", -number)
            return
        names = [column.name for column in self.table.c if column.name != "id"]
        for start in range(0, len(self._added), _CHUNK):
            rows = self._added[start : start + _CHUNK]
            made = insert(self.table).returning(self.table.c.id, sort_by_parameter_order=True)
            ids = (await connection.scalars(made, [{name: row[name] for name in names} for row in rows])).all()
            for row, key in zip(rows, ids, strict=True):
                row["id"] = key
        self._added = []
        if self._changed:
            changed = [
                {"row_id": key} | {f"new_{name}": row[name] for name in names} for key, row in self._changed.items()
            ]
            settled = {name: bindparam(f"new_{name}", type_=self.table.c[name].type) for name in names}
            await connection.execute(
                update(self.table).where(self.table.c.id == bindparam("row_id")).values(settled), changed
            )
            self._changed = {}

    def id_of(self, key: Key) -> int | None:
        """Give the id of a row that was flushed or loaded."""
        row = self.rows.get(key)
        return None if row is None else row["id"]
