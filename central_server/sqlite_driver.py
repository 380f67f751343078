"""SQLite for the centre's pool: each statement goes to its connection's thread and back once.

The driver of the library asks the thread four times for one query (a cursor, the statement, its rows, the
cursor's end), and a busy event loop waits each time until the two threads have agreed on whose turn it is. That
was most of the time of a small request. Server-side cursors, for what does not fit into memory, stay the library's.
"""

# ruff: noqa: SLF001 - it takes the place of a part of the library

import sqlite3
from collections import deque
from typing import Any

import aiosqlite
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
    SQLiteDialect_aiosqlite,
)

NAME = "sqlite+gatehouse"


class _Ran:
    """What is left of a cursor whose statement has run."""

    __slots__ = ("arraysize", "description", "lastrowid", "rowcount", "rows")

    def __init__(self, cursor: sqlite3.Cursor | None = None) -> None:
        self.arraysize = 1
        self.rows: list[Any] = []
        self.description, self.rowcount, self.lastrowid = None, -1, None
        if cursor is not None:
            self.description = cursor.description
            self.rows = cursor.fetchall() if cursor.description else []
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
            cursor.close()

    async def close(self) -> None:
        """Do nothing: it was closed where it ran."""


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    __slots__ = ()

    def _make_new_cursor(self, connection: Any) -> Any:
        return _Ran()

    def _aenter_cursor(self, cursor: Any) -> Any:
        return cursor

    async def _execute_async(self, operation: Any, parameters: Any) -> Any:
        return await self._run(sqlite3.Connection.execute, operation, () if parameters is None else parameters)

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> Any:
        return await self._run(sqlite3.Connection.executemany, operation, seq_of_parameters)

    async def _run(self, method: Any, operation: Any, parameters: Any) -> Any:
        driver: Any = self._connection
        async with self._adapt_connection._execute_mutex:
            self._cursor = ran = await driver._execute(lambda: _Ran(method(driver._conn, operation, parameters)))
        self._rows = deque(ran.rows)
        return ran


class _Connection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ()

    _cursor_cls = _Cursor

    def rollback(self) -> None:
        """Take back what is open; the pool asks for it each time a connection comes home, and nearly always in vain."""
        driver: Any = self._connection
        if driver._connection is not None and driver.in_transaction:
            super().rollback()


class _Module(AsyncAdapt_aiosqlite_dbapi):
    def connect(self, *arg: Any, **kw: Any) -> AsyncAdapt_aiosqlite_connection:
        made = super().connect(*arg, **kw)
        return _Connection(self, made._connection)


class Dialect(SQLiteDialect_aiosqlite):
    """The library's dialect with the shorter way."""

    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> AsyncAdapt_aiosqlite_dbapi:
        return _Module(aiosqlite, sqlite3)


registry.register("sqlite.gatehouse", __name__, "Dialect")
