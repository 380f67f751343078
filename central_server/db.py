"""The centre's database: SQLite by default, PostgreSQL by its address.

Reading and writing are apart: on SQLite one writer at a time holds the write lock from its
first statement, so that a transaction never fails half way because another one wrote.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Engine, cast, create_engine, event, func
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from central_server.crypto import Vault, give_vault
from central_server.errors import UsageError
from central_server.sqlite_driver import NAME as SQLITE
from central_server.straight import WRITE, T, Transactions, Work

_DRIVERS = {"sqlite": SQLITE, "postgresql": "postgresql+asyncpg"}
_BUSY_MS = 30_000


class Database:
    """A pool of connections; ``read`` and ``write`` each give one transaction."""

    def __init__(self, url: str, vault: Vault | None = None) -> None:
        """Prepare the pool; without a vault no personal column can be read or written."""
        self.url = _url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._engine = _engine(self.url)
        self._writing = asyncio.Lock()
        self._straight = Transactions(_straight_engine(self.url), self._writing) if self.is_sqlite else None
        for engine in self._engines():
            if self.is_sqlite:
                event.listen(engine, "connect", _on_sqlite_connect)
                event.listen(engine, "begin", _on_sqlite_begin)
            if vault is not None:
                give_vault(engine.dialect, vault)

    def _engines(self) -> list[Engine]:
        return [self._engine.sync_engine] + ([self._straight.engine] if self._straight else [])

    def take_vault(self, vault: Vault) -> None:
        """Let personal columns be read and written with a key."""
        for engine in self._engines():
            give_vault(engine.dialect, vault)

    @property
    def engine(self) -> AsyncEngine:
        return self._engine

    @property
    def path(self) -> Path | None:
        """The file of a SQLite database."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection on which everything read is of one moment.

        Raises: OperationalError for a database that is away, like all that follow.
        """
        async with self._connected() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Give a transaction that is durable when the block ends, and gone if it fails."""
        if not self.is_sqlite:
            async with self.read() as connection:
                yield connection
            return
        async with self._writing, self._connected() as connection:
            await connection.execution_options(**{WRITE: True})
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        try:
            connection = await self._engine.connect()
        except Exception as error:
            if self.is_sqlite or isinstance(error, OperationalError):
                raise
            # A server that is away, stops or starts has as many names as its driver has ways to notice.
            raise OperationalError("connect", None, error) from error
        try:
            yield connection
        except DBAPIError as error:
            if error.connection_invalidated and not isinstance(error, OperationalError):
                raise OperationalError(
                    error.statement, error.params, error.orig or error, connection_invalidated=True
                ) from error
            raise
        finally:
            await connection.close()

    async def look(self, work: Work[T]) -> T:
        """Run a short transaction that only reads, for who waits for nothing else; the fastest way to ask.

        Shape: ``work`` gets a connection as ``read`` gives it, and waits for nothing but that.
        """
        if self._straight is not None:
            return await self._straight.read(work)
        async with self.read() as connection:
            return await work(connection)

    async def keep(self, work: Work[T]) -> T:
        """Run a short transaction that writes; it is durable when this returns, and gone if it fails.

        Several may share one sync of the disk, and ``work`` may be run a second time, of which one counts.
        """
        if self._straight is not None:
            return await self._straight.write(work)
        async with self.write() as connection:
            return await work(connection)

    async def close(self) -> None:
        if self._straight is not None:
            await self._straight.close()
        await self._engine.dispose()


def sum_of(column: ColumnElement[Any]) -> ColumnElement[int]:
    """Sum whole numbers, none to 0; as a whole number, where PostgreSQL would make a decimal of it."""
    return cast(func.coalesce(func.sum(column), 0), BigInteger)


def _url(text: str) -> URL:
    try:
        url = make_url(text)
        return url.set(drivername=_DRIVERS[url.get_backend_name()])
    except (ArgumentError, KeyError):
        raise UsageError(
            "database_address",
            "'{url}' is not a database Gatehouse can use. Write sqlite:///path/to/central.db or postgresql://...",
            url=text,
        ) from None


def _engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() == "sqlite":
        return create_async_engine(url, connect_args={"timeout": _BUSY_MS / 1000}, pool_size=8, max_overflow=8)
    try:
        return create_async_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        text = (
            "PostgreSQL needs the Python package {package}, which is not installed. Install it, or write sqlite:///..."
        )
        raise UsageError("database_driver", text, package=error.name) from None


def _straight_engine(url: URL) -> Engine:
    options = {"timeout": _BUSY_MS / 1000, "check_same_thread": False}
    return create_engine(url.set(drivername="sqlite"), connect_args=options)


def _on_sqlite_connect(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions by itself: _on_sqlite_begin says which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_sqlite_begin(connection: Any) -> None:
    is_write = connection.get_execution_options().get(WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


def look_at(path: Path) -> tuple[frozenset[str], str | None]:
    """Give a SQLite file's tables and schema version, None for none, without a change to the file.

    Raises: sqlite3.DatabaseError for a file that is no database, OSError or sqlite3.OperationalError
    for one that cannot be opened.
    """
    if not path.exists() or path.stat().st_size == 0:
        return frozenset(), None
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        tables = frozenset(row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))
        if "alembic_version" not in tables:
            return tables, None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return tables, row and str(row[0])
