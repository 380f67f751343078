"""One Modbus TCP connection: answers paired with questions by transaction number, none taken twice."""

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from drivers.bus.tap import Tap
from protocols.modbus import MAX_PDU

_HEAD = struct.Struct(">HHH")  # transaction, protocol, length
_HEADER = _HEAD.size
_LAST_TRANSACTION = 0xFFFF


class Arrival(NamedTuple):
    """An answer's message, and when it came on the loop's clock."""

    message: bytes
    at: float


class _Window:
    """Questions under way together; ``future`` is set when each is answered, or none was for too long."""

    def __init__(self, count: int, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[None] = loop.create_future()
        self.answers: list[Arrival | None] = [None] * count
        self._left = count
        self.moved_at = loop.time()

    def settle(self, place: int, answer: bytes, at: float) -> None:
        self.answers[place] = Arrival(answer, at)
        self.moved_at = at
        self._left -= 1
        if self._left == 0 and not self.future.done():
            self.future.set_result(None)


class _Place:
    """One question's place in a window; takes its answer as a future would."""

    __slots__ = ("_link", "_number", "_window")

    def __init__(self, window: _Window, number: int, link: "ModbusLink") -> None:
        self._window = window
        self._number = number
        self._link = link

    def done(self) -> bool:
        return self._window.answers[self._number] is not None or self._window.future.done()

    def set_result(self, answer: bytes) -> None:
        self._window.settle(self._number, answer, self._link.heard_at)

    def set_exception(self, error: BaseException) -> None:
        self._window.future.set_exception(error)


class ModbusLink(asyncio.Protocol):
    """Send messages, give each answer to whoever waits for its transaction.

    Shape: a message is the unit and its PDU, without the header. What nobody waits for, a late
    answer above all, is counted by ``on_stale`` and thrown away; a stream whose headers cannot be
    right is closed, because where its next message begins nobody knows.
    """

    def __init__(self, on_lost: Callable[[], None], on_stale: Callable[[], None], tap: Tap | None = None) -> None:
        self._on_lost = on_lost
        self._tap = tap or Tap()
        self._on_stale = on_stale
        self._waiting: dict[int, asyncio.Future[bytes] | _Place] = {}
        self._buffer = b""
        self._transaction = 0
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.heard_at = 0.0
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
        frame = b"%c%c\0\0%c%c" % (transaction >> 8, transaction & 0xFF, 0, len(message)) + message
        self._transport.write(frame)
        if self._tap.hear is not None:
            self._tap.hear(frame, True)
        try:
            return await future
        finally:
            timer.cancel()
            self._waiting.pop(transaction, None)

    async def ask_all(self, messages: Sequence[bytes], timeout_s: float) -> list[Arrival | None]:
        """Send several messages at once and wait until each is answered, or none was for ``timeout_s``.

        Shape: an answer and its instant on the loop's clock each, None where there was none.

        Raises: ConnectionResetError.
        """
        if self.is_lost or self._transport is None:
            raise ConnectionResetError
        window = _Window(len(messages), self._loop)
        first = self._transaction
        frames: list[bytes] = []
        for number, message in enumerate(messages):
            self._transaction = transaction = self._transaction % _LAST_TRANSACTION + 1
            self._waiting[transaction] = _Place(window, number, self)
            frames.append(_HEAD.pack(transaction, 0, len(message)) + message)
        self._transport.write(b"".join(frames))
        if self._tap.hear is not None:
            for frame in frames:
                self._tap.hear(frame, True)
        timer = self._loop.call_later(timeout_s, self._look, window, timeout_s)
        try:
            await window.future
        finally:
            timer.cancel()
            for number in range(len(messages)):
                self._waiting.pop((first + number) % _LAST_TRANSACTION + 1, None)
        return window.answers

    def _look(self, window: _Window, timeout_s: float) -> None:
        """End a window in which nothing moves any more."""
        left = window.moved_at + timeout_s - self._loop.time()
        if window.future.done():
            return
        if left <= 0:
            window.future.set_result(None)
        else:
            self._loop.call_later(left, self._look, window, timeout_s)

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._loop.time()
        if self._tap.hear is not None:
            self._tap.hear(data, False)
        if self._buffer:
            data = self._buffer + data
        start, count = 0, len(data)
        while count - start > _HEADER:
            transaction, protocol, length = _HEAD.unpack_from(data, start)
            if protocol or not 2 <= length <= MAX_PDU + 1:
                self._give_up()
                return
            end = start + _HEADER + length
            if end > count:
                break
            future = self._waiting.get(transaction)
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
