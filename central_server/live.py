"""The live stream's hub: what happened, to everyone who is looking."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

# A page that falls this far behind is dropped; it reconnects and reloads what it shows.
QUEUE_LENGTH = 256


class Hub:
    """Fan messages out to subscribers, never waiting for a slow one."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[str | None]] = set()
        self._is_closed = False

    @property
    def subscribers(self) -> int:
        return len(self._queues)

    def publish(self, message: Mapping[str, Any]) -> None:
        """Send ``{"type": ...}`` to every subscriber."""
        if not self._queues:
            return
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        for queue in list(self._queues):
            try:
                queue.put_nowait(text)
            except asyncio.QueueFull:
                self._drop(queue)

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[asyncio.Queue[str | None]]:
        """Give a queue of JSON texts; None means that the stream has ended."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(QUEUE_LENGTH)
        self._queues.add(queue)
        if self._is_closed:
            self._drop(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)

    def close(self) -> None:
        """End every stream, also one that comes later, so that a stopping server does not wait for its readers."""
        self._is_closed = True
        for queue in list(self._queues):
            self._drop(queue)

    def _drop(self, queue: asyncio.Queue[str | None]) -> None:
        self._queues.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
