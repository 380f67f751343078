"""What a gateway's door has refused: written into the audit, and a copied gateway told to the control room.

A box that is refused tries again every minute or oftener, and who means harm as often as the line takes.
So the same refusal is written down at once and from then on with how often it came: after a minute, and
while it goes on after twice as long each time, up to an hour. What befalls honest gateways too, where answers
are lost, is told once a day. Who has proved no name gets few entries of
their own, however many addresses they come from; the rest are counted in one.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.alarms import store as alarm_store
from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import BadRequest, CentralError, Conflict, Forbidden, NotSignedIn, TooLarge, TooMany
from central_server.rbac import system
from central_server.sync.store import GatewayRow

log = logging.getLogger("central.refusals")

COPIED = "gateway_copied"
_REFUSALS = (BadRequest, Conflict, Forbidden, NotSignedIn, TooLarge, TooMany)
_STEPS = frozenset({"sync_names", "sync_stale"})  # of the protocol: what is missing is told and sent
# What an honest gateway does as well where an answer was lost on its way: told once a day.
REPEATED = "sync_repeated"
_USUAL = frozenset({"sync_gap", REPEATED})
_COPIES = frozenset({"sync_fork", "sync_fenced"})
# Refused by a certificate that TLS has verified: the name in it is proved, though nobody is let in by it.
_BY_NAME = frozenset({"sync_revoked", "sync_ended"})
_AGAIN_S, _LONGEST_S, _USUAL_S = 60.0, 3600.0, 86_400.0
_STRANGERS, _STRANGER_EVERY_S = 20.0, 300.0  # entries of strangers at once, and one more after each while
_LOOK_S = 30.0


class Refused(NamedTuple):
    """One kind of refusal: of whom, from where, of what and why; ``who`` is empty where nobody has proved a name."""

    who: str
    peer: str
    what: str
    reason: str


_MANY = Refused("", "", "", "many_strangers")


class _Tally:
    """How often one kind came since it was last written down."""

    __slots__ = ("again_s", "at", "times")

    def __init__(self, at: float, again_s: float) -> None:
        self.at, self.again_s, self.times = at, again_s, 0


class Tallies:
    """Decides which refusals are written down, and when. Units: ``now`` is monotonic seconds."""

    def __init__(self) -> None:
        self._known: dict[Refused, _Tally] = {}
        self._room, self._room_at = _STRANGERS, 0.0

    def add(self, found: Refused, now: float) -> bool:
        """Count a refusal; tell whether it is to be written down now, as the first of its kind."""
        if found.who:
            found = found._replace(peer="")
        if found not in self._known and not found.who and not self._takes_stranger(now):
            found = _MANY
        if (tally := self._known.get(found)) is not None:
            tally.times += 1
            return False
        self._known[found] = _Tally(now, _USUAL_S if found.reason in _USUAL else _AGAIN_S)
        return True

    def due(self, now: float) -> list[tuple[Refused, int]]:
        """Give what came again, with how often, and forget what did not."""
        found = []
        for key, tally in list(self._known.items()):
            if now - tally.at < tally.again_s:
                continue
            if tally.times:
                found.append((key, tally.times))
                tally.at, tally.times, tally.again_s = now, 0, max(tally.again_s, min(2 * tally.again_s, _LONGEST_S))
            elif now - tally.at >= 2 * tally.again_s:
                del self._known[key]
        return found

    def _takes_stranger(self, now: float) -> bool:
        self._room = min(_STRANGERS, self._room + (now - self._room_at) / _STRANGER_EVERY_S)
        self._room_at = now
        if self._room < 1:
            return False
        self._room -= 1
        return True


class Refusals:
    """Note what was refused, seldom enough that nobody can flood the audit; ``run`` it in a task."""

    def __init__(self, db: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._monotonic = monotonic
        self._tallies = Tallies()
        self._copied: dict[str, GatewayRow] = {}

    async def note(self, error: CentralError, gateway: GatewayRow | None, peer: str, what: str) -> None:
        """Write a refusal down; a copied gateway raises an alarm until somebody has seen to it.

        Shape: ``gateway`` is who has proved to be calling, ``what`` is what was asked for.
        """
        if not isinstance(error, _REFUSALS) or error.key in _STEPS:
            return
        named = str(error.fields.get("edge_id", "")) if error.key in _BY_NAME else ""
        found = Refused(gateway.edge_id if gateway else named, peer, what, error.key)
        if gateway is not None and error.key in _COPIES:
            self._copied[gateway.edge_id] = gateway
        await self._count(found)

    async def repeated(self, gateway: GatewayRow, peer: str, what: str) -> None:
        """Note a batch that came again and was not counted again."""
        await self._count(Refused(gateway.edge_id, peer, what, REPEATED))

    async def _count(self, found: Refused) -> None:
        if self._tallies.add(found, self._monotonic()):
            await self._tell([(found, 1)])

    async def run(self) -> None:
        """Write down what came again until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.tell()

    async def tell(self) -> None:
        """Write down what came again, and how often."""
        if found := self._tallies.due(self._monotonic()):
            await self._tell(found)

    async def _tell(self, found: Iterable[tuple[Refused, int]]) -> None:
        try:
            async with self._db.write() as connection:
                for refused, times in found:
                    await _write(connection, refused, times)
                    if refused.reason in _COPIES:
                        await _raise(connection, self._copied[refused.who], refused.reason)
        except (SQLAlchemyError, OSError):  # the refusal stands, whether or not the disk takes a note of it
            log.exception("refusals could not be written into the audit: %s", found)


async def _write(connection: AsyncConnection, found: Refused, times: int) -> None:
    detail = {"reason": found.reason, "times": times, "from": found.peer, "what": found.what}
    subject = f"gateway:{found.who or 'unknown'}"
    await audit.note(connection, system("gateway"), "gateways.refused", subject, outcome="denied", **detail)


async def _raise(connection: AsyncConnection, gateway: GatewayRow, reason: str) -> None:
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
        detail={"reason": reason},
    )
