"""What a gateway's door has refused: written into the audit, and a copied gateway told to the control room.

A box that is refused tries again every minute or oftener, so each reason is written down once a
minute for each gateway, with how often it came.
"""

import time
from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.alarms import store as alarm_store
from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import BadRequest, CentralError, Conflict, Forbidden, NotSignedIn, TooLarge
from central_server.rbac import system
from central_server.sync.store import GatewayRow

COPIED = "gateway_copied"
_REFUSALS = (BadRequest, Conflict, Forbidden, NotSignedIn, TooLarge)
# A gateway that goes back to where the centre stands has done nothing wrong.
_USUAL = frozenset({"sync_gap"})
_COPIES = frozenset({"sync_fork", "sync_fenced"})
_AGAIN_S = 60.0
_MOST = 10_000  # reasons of strangers; beyond it the oldest are forgotten


class Refusals:
    """Note what was refused, seldom enough that nobody can flood the audit."""

    def __init__(self, db: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._monotonic = monotonic
        self._noted: dict[tuple[str, str], float] = {}
        self._counts: dict[tuple[str, str], int] = {}

    async def note(self, error: CentralError, gateway: GatewayRow | None, peer: str) -> None:
        """Write a refusal down; a copied gateway raises an alarm until somebody has seen to it."""
        if not isinstance(error, _REFUSALS) or error.key in _USUAL:
            return
        key = (gateway.edge_id if gateway else peer, error.key)
        self._counts[key] = self._counts.get(key, 0) + 1
        now = self._monotonic()
        if now - self._noted.get(key, -_AGAIN_S) < _AGAIN_S:
            return
        self._noted.pop(key, None)
        self._noted[key] = now
        while len(self._noted) > _MOST:
            self._counts.pop(oldest := next(iter(self._noted)), None)
            del self._noted[oldest]
        count = self._counts.pop(key)
        subject = f"gateway:{gateway.edge_id}" if gateway else "gateway:unknown"
        async with self._db.write() as connection:
            detail = {"reason": error.key, "times": count, "from": peer}
            await audit.note(connection, system("gateway"), "gateways.refused", subject, outcome="denied", **detail)
            if gateway is not None and error.key in _COPIES:
                await self._raise(connection, gateway, error)

    async def _raise(self, connection: AsyncConnection, gateway: GatewayRow, error: CentralError) -> None:
        if await alarm_store.open_of(connection, gateway.id, COPIED) is not None:
            return
        now = now_ms()
        await alarm_store.raise_alarm(
            connection,
            key=f"{gateway.edge_id}/gateway:{gateway.edge_id}/{COPIED}/{now}",
            gateway_id=gateway.id,
            subject=f"gateway:{gateway.edge_id}",
            condition=COPIED,
            priority=1,
            raised_at=now,
            detail={"reason": error.key},
        )
