"""How far the expansion is behind the log."""

import time
from collections.abc import Callable

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.db import Database
from central_server.schema import batch

_FRESH_S = 1.0
_MOST = 5_000  # nobody needs to know more exactly how far behind a centre is


class Lag:
    """Counts what waits to be expanded, at most once a second."""

    def __init__(self, db: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._clock = clock
        self._counted_at = -_FRESH_S
        self._batches = 0

    async def batches(self) -> int:
        """Give how many batches wait, a second ago at most."""
        if self._clock() - self._counted_at >= _FRESH_S:
            self._counted_at = self._clock()
            self._batches = await self._db.look(_count)
        return self._batches


async def _count(connection: AsyncConnection) -> int:
    pending = select(batch.c.id).where(batch.c.packed_at.is_(None), batch.c.error.is_(None)).limit(_MOST)
    return int((await connection.execute(select(func.count()).select_from(pending.subquery()))).scalar_one())
