"""Whole transactions on SQLite's own threads: one trip for all statements of one, one sync of the disk for several.

A transaction that goes statement by statement costs the event loop a trip to a thread and back for each. A short one
that is known beforehand, because a gateway waits for it, goes to the thread as it is: written for an asynchronous
connection like all others, and driven there by one that never lets it wait. Those that come while one is on its way
share the next commit; each stands or falls by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Dialect, Engine
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

WRITE = "gatehouse_write"
_READERS = 2
_TOGETHER = 16  # transactions to a commit; more would keep the first one waiting


class _Straight:
    """What transactions use of an asynchronous connection, on a thread that may wait for SQLite."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> Dialect:
        return self._connection.dialect

    async def execute(self, *what: Any) -> Any:
        return self._connection.execute(*what)

    async def scalar(self, *what: Any) -> Any:
        return self._connection.scalar(*what)


class Transactions:
    """Runs transactions on one thread that writes and a few that read."""

    def __init__(self, engine: Engine, writing: asyncio.Lock) -> None:
        """Share the database with whoever else writes: ``writing`` is held while a commit is under way."""
        self.engine = engine
        self._writing = writing
        self._writer = ThreadPoolExecutor(1, "database-writer")
        self._readers = ThreadPoolExecutor(_READERS, "database-reader")
        self._waiting: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def read(self, work: Work[T]) -> T:
        """Run a transaction that only reads."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def write(self, work: Work[T]) -> T:
        """Run a transaction; it is durable when this returns. It may be run twice, of which one time counts."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_waiting())
        return await done

    async def close(self) -> None:
        """Commit what waits and end the threads."""
        if self._committing is not None:
            await asyncio.wait([self._committing])
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        self.engine.dispose()

    async def _commit_waiting(self) -> None:
        while self._waiting:
            async with self._writing:
                group, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
                group = [each for each in group if not each[1].done()]  # nobody waits for it any more
                ends = await self._on_thread([work for work, _ in group])
            for (_, done), end in zip(group, ends, strict=True):
                if done.done():
                    continue
                if isinstance(end, Exception):
                    done.set_exception(end)
                else:
                    done.set_result(end)

    async def _on_thread(self, works: Sequence[Work[Any]]) -> Sequence[Any]:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._writer, self._commit, works)
        except RuntimeError as error:  # the threads have ended
            return [error] * len(works)

    def _read(self, work: Work[T]) -> T:
        with self.engine.begin() as connection:
            return _driven(work, connection)

    def _commit(self, group: Sequence[Work[Any]]) -> list[Any]:
        """Commit transactions together; where one fails, each by itself. Gives what each gave, or its fault."""
        is_begun = False
        try:
            with self.engine.connect() as connection, connection.execution_options(**{WRITE: True}).begin():
                is_begun = True
                return [_driven(work, connection) for work in group]
        except Exception as error:  # noqa: BLE001 - it goes to whoever waits for this one
            if len(group) == 1 or not is_begun:  # another process has the file: each would wait as long again
                return [error] * len(group)
        return [end for work in group for end in self._commit([work])]


def _driven(work: Work[T], connection: Connection) -> T:
    """Run a transaction to its end, which it reaches at once: nothing that it asks for has to be waited for."""
    running = cast(Coroutine[Any, Any, T], work(cast(AsyncConnection, _Straight(connection))))
    try:
        running.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    running.close()
    raise RuntimeError("a transaction on SQLite's thread may wait for nothing but its connection")
