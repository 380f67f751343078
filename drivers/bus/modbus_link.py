"""One Modbus TCP connection: answers paired with questions by transaction number, none taken twice."""

import asyncio
from collections.abc import Callable

from protocols.modbus import MAX_PDU

_HEADER = 6  # transaction, protocol, length
_LAST_TRANSACTION = 0xFFFF


class ModbusLink(asyncio.Protocol):
    """Send messages, give each answer to whoever waits for its transaction.

    Shape: a message is the unit and its PDU, without the header. What nobody waits for, a late
    answer above all, is counted by ``on_stale`` and thrown away; a stream whose headers cannot be
    right is closed, because where its next message begins nobody knows.
    """

    def __init__(self, on_lost: Callable[[], None], on_stale: Callable[[], None]) -> None:
        self._on_lost = on_lost
        self._on_stale = on_stale
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._buffer = b""
        self._transaction = 0
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.is_lost = False
        self.is_garbled = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(ConnectionResetError())
        self._on_lost()

    async def ask(self, message: bytes, timeout_s: float) -> bytes:
        """Send a message and wait for the one that answers it.

        Raises: TimeoutError, ConnectionResetError.
        """
        if self.is_lost or self._transport is None:
            raise ConnectionResetError
        self._transaction = transaction = self._transaction % _LAST_TRANSACTION + 1
        future: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting[transaction] = future
        # A timer of the loop costs a third of asyncio.timeout, at every request.
        timer = self._loop.call_later(timeout_s, _expire, future)
        self._transport.write(b"%c%c\0\0%c%c" % (transaction >> 8, transaction & 0xFF, 0, len(message)) + message)
        try:
            return await future
        finally:
            timer.cancel()
            self._waiting.pop(transaction, None)

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        start, count = 0, len(data)
        while count - start > _HEADER:
            length = data[start + 4] << 8 | data[start + 5]
            if data[start + 2] or data[start + 3] or not 2 <= length <= MAX_PDU + 1:
                self._give_up()
                return
            end = start + _HEADER + length
            if end > count:
                break
            future = self._waiting.get(data[start] << 8 | data[start + 1])
            if future is None or future.done():
                self._on_stale()
            else:
                future.set_result(data[start + _HEADER : end])
            start = end
        self._buffer = data[start:]

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _give_up(self) -> None:
        self.is_garbled = True
        self.close()


def _expire(future: "asyncio.Future[bytes]") -> None:
    if not future.done():
        future.set_exception(TimeoutError())
