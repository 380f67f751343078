"""The live stream's hub: what happened, to everyone who is looking and may know it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from central_server.rbac import Right

# Whether a listener may hear what one of these rights lets know, of a site; None is no site in particular.
Hears = Callable[[tuple[Right, ...], int | None], bool]

# A page that falls this far behind is dropped; it reconnects and reloads what it shows.
QUEUE_LENGTH = 256

RECHECK = ""  # what a stream finds in its queue when rights have changed

# Who may hear a kind of message; one that is not here must be published with its right.
RIGHTS: Mapping[str, tuple[Right, ...]] = {
    "values": (Right.OVERVIEW_SEE, Right.DEVICES_SEE, Right.LIFTS_SEE),
    "gateway": (Right.OVERVIEW_SEE, Right.DEVICES_SEE),
    "alarms": (Right.ALARMS_SEE,),
    "orders": (Right.ORDERS_SEE, Right.ORDERS_WORK, Right.HOME),
    "inspection": (Right.INSPECTION_SEE, Right.INSPECTION_WALK),
    "doors": (Right.DOORS_SEE,),
    "commands": (Right.COMMANDS_SEE,),
    "lifts": (Right.LIFTS_SEE,),
    "visitors": (Right.VISITORS_SEE, Right.HOME),
    "notices": (Right.NOTICES_WRITE, Right.HOME),
}


def everything(_rights: tuple[Right, ...], _site_id: int | None) -> bool:
    """Hear all there is, as the product itself may."""
    return True


class Hub:
    """Fan messages out to subscribers, never waiting for a slow one."""

    def __init__(self) -> None:
        self._queues: dict[asyncio.Queue[str | None], Hears] = {}
        self._is_closed = False

    @property
    def subscribers(self) -> int:
        return len(self._queues)

    def publish(self, message: Mapping[str, Any], *, right: Right | None = None, site_id: int | None = None) -> None:
        """Send ``{"type": ...}`` to every subscriber who may know it; without a right the type says who.

        Raises: KeyError for a type that says nothing of rights.
        """
        rights = (right,) if right is not None else RIGHTS[message["type"]]
        hearing = [queue for queue, hears in self._queues.items() if hears(rights, site_id)]
        if hearing:
            self._put(hearing, json.dumps(message, ensure_ascii=False, separators=(",", ":")))

    def recheck(self) -> None:
        """Let every stream look at once whether its listener is still signed in, and with which rights."""
        self._put(list(self._queues), RECHECK)

    def _put(self, queues: list[asyncio.Queue[str | None]], text: str) -> None:
        for queue in queues:
            try:
                queue.put_nowait(text)
            except asyncio.QueueFull:
                self._drop(queue)

    @asynccontextmanager
    async def subscribe(self, hears: Hears = everything) -> AsyncIterator[asyncio.Queue[str | None]]:
        """Give a queue of JSON texts; None means that the stream has ended."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(QUEUE_LENGTH)
        self._queues[queue] = hears
        if self._is_closed:
            self._drop(queue)
        try:
            yield queue
        finally:
            self._queues.pop(queue, None)

    def close(self) -> None:
        """End every stream, also one that comes later, so that a stopping server does not wait for its readers."""
        self._is_closed = True
        for queue in list(self._queues):
            self._drop(queue)

    def _drop(self, queue: asyncio.Queue[str | None]) -> None:
        self._queues.pop(queue, None)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
