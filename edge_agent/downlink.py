"""The way down on a real network: one WebSocket that this gateway keeps open to its centre.

    waiting --> connecting --> connected --> (silence, a cut, another certificate) --> waiting

Waits have full jitter, so that a thousand gateways do not come back together.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp

from edge_agent.centre_time import CentreTime
from edge_agent.credential import Credential, UplinkError, check_url
from protocols.down import (
    BEAT_S,
    CLOSE_REPLACED,
    CLOSE_REVOKED,
    MAX_DOWN_BYTES,
    MAX_UP_BYTES,
    PATH_DOWN,
    SILENT_S,
    read_message,
    write_message,
)
from protocols.errors import LengthMismatch, MalformedFrame, ProtocolError
from protocols.sync import SIGN_KEY_HEADER

log = logging.getLogger("edge.down")

_CONNECT_S = 10.0
_CLOSE_S = 1.0
_FIRST_WAIT_S, _LONGEST_WAIT_S, _REFUSED_WAIT_S = 1.0, 60.0, 60.0
_STEADY_S = 30.0  # a link that lasted this long was a good one
_LOOK_S = 1.0
_QUEUE = 64

Handler = Callable[[Mapping[str, Any]], Awaitable[None]]
Refused = Callable[[ProtocolError], Awaitable[None]]


class _Ended(Exception):
    """The link is given up; the sentence says why."""


class Downlink:
    """Keep the way down open; ``run`` it in a task.

    Shape: handlers are awaited one by one, in the order in which messages come; that of "hello" is called
    whenever the link has come up. ``centre`` is what the link tells of the centre's clock.
    """

    def __init__(
        self,
        url: str,
        credential: Credential,
        public_key: str,
        *,
        beat_s: float = BEAT_S,
        silent_s: float = SILENT_S,
        wait: Callable[[float], float] = lambda most: random.uniform(0, most),  # noqa: S311 - jitter is no secret
    ) -> None:
        """Prepare the link. Raises: UplinkError for an address on another machine."""
        self._url = check_url(url)
        self._credential = credential
        self._headers = {SIGN_KEY_HEADER: public_key}
        self._beat_s, self._silent_s, self._wait = beat_s, silent_s, wait
        self._handlers: dict[str, list[Handler]] = {}
        self._queue: asyncio.Queue[str] | None = None
        self._said = ""
        self.centre = CentreTime()
        self._refused: Refused = _untold
        self.on("beat", self._beaten)

    @property
    def is_connected(self) -> bool:
        return self._queue is not None

    def as_json(self) -> dict[str, Any]:
        """Describe the link as ``edge status`` does."""
        state = "connected" if self.is_connected else "waiting"
        return {"state": state, "error": None if self.is_connected else self._said or None}

    def on(self, kind: str, handler: Handler) -> None:
        """Have a handler called for every message of a type."""
        self._handlers.setdefault(kind, []).append(handler)

    def on_refused(self, handler: Refused) -> None:
        """Have a handler called for what comes and is no message."""
        self._refused = handler

    def send(self, message: Mapping[str, Any]) -> bool:
        """Say something to the centre; False where there is no link, or it is too slow. Raises: ValueError."""
        if self._queue is None:
            return False
        try:
            self._queue.put_nowait(write_message(message, MAX_UP_BYTES))
        except asyncio.QueueFull:
            return False
        return True

    async def run(self) -> None:
        """Connect again and again until cancelled."""
        failures = 0
        while True:
            began = time.monotonic()
            most = _FIRST_WAIT_S
            try:
                await self._connect()
            except UplinkError as error:
                self._report(f"not connected: {error}")
                most = _REFUSED_WAIT_S
            except _Ended as error:
                self._report(str(error))
            except aiohttp.WSServerHandshakeError as error:
                self._report(f"the centre does not take the connection: HTTP {error.status}")
                most = _REFUSED_WAIT_S
            except TimeoutError:
                self._report("the centre did not answer in time")
            except (aiohttp.ClientError, OSError) as error:
                self._report(f"not connected: {str(error) or type(error).__name__}")
            except Exception:
                log.exception("down: a fault in this program")
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError  # before Python 3.13 a group that ends by a fault forgets it
            failures = 0 if time.monotonic() - began > _STEADY_S else failures + 1
            await self._pause(self._wait(max(most, min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(failures, 10)))))

    async def _pause(self, seconds: float) -> None:
        """Wait, but not with a new certificate in hand."""
        generation = self._credential.generation()
        until = time.monotonic() + seconds
        # A file changes without a word, so it is looked at.
        while (left := until - time.monotonic()) > 0 and self._credential.generation() == generation:  # noqa: ASYNC110
            await asyncio.sleep(min(left, _LOOK_S))

    async def _connect(self) -> None:
        """Open the link and keep it until it ends. Raises: _Ended, UplinkError, aiohttp.ClientError, OSError."""
        generation = self._credential.generation()
        tls = self._credential.tls()
        stays = aiohttp.TraceConfig()
        stays.on_request_redirect.append(_stay)
        async with aiohttp.ClientSession(
            self._url,
            trace_configs=[stays],
            connector=aiohttp.TCPConnector(limit=1, ssl=tls or True),
            headers={**self._credential.headers, **self._headers},
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            asked_at = _mono_ms()
            async with asyncio.timeout(_CONNECT_S):
                socket = await session.ws_connect(
                    PATH_DOWN, max_msg_size=MAX_DOWN_BYTES, timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S)
                )
            try:
                await self._keep(socket, generation, asked_at)
            finally:
                self._queue = None
                await socket.close()

    async def _keep(self, socket: aiohttp.ClientWebSocketResponse, generation: object, asked_at: int) -> None:
        self._queue = asyncio.Queue(_QUEUE)
        self.send({"type": "hello"})
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._speak(socket, self._queue), name="down speaks")
                tasks.create_task(self._watch(generation), name="down watches")
                await self._listen(socket, asked_at)
        except* _Ended as group:
            raise group.exceptions[0] from None
        except* (aiohttp.ClientError, OSError) as group:
            raise _Ended(f"the link was cut: {group.exceptions[0]}") from None

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse, asked_at: int) -> None:
        while True:
            try:
                message = await socket.receive(timeout=self._silent_s)
            except TimeoutError:
                raise _Ended(f"the centre has said nothing for {self._silent_s:.0f} s") from None
            if getattr(message.data, "code", None) == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
                await self._refuse(LengthMismatch(f"a message has more than {MAX_DOWN_BYTES} bytes"))
            if message.type is aiohttp.WSMsgType.BINARY:
                await self._refuse(MalformedFrame("a message is no text"))
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise _Ended(_why_closed(socket.close_code))
            try:
                told = read_message(message.data)
            except ProtocolError as error:
                await self._refuse(error)
                continue
            if told["type"] == "hello":
                self.centre.note(told.get("server_time"), asked_at)
                self._report("")
            await self._dispatch(told)

    async def _refuse(self, error: ProtocolError) -> None:
        log.warning("down: %s", error.detail)
        await self._refused(error)

    async def _dispatch(self, told: Mapping[str, Any]) -> None:
        handlers = self._handlers.get(told["type"], [])
        if not handlers and told["type"] != "hello":
            log.info("down: a message of type %.40r is passed over: this version does not know it", told["type"])
        for handler in handlers:
            try:
                await handler(told)
            except Exception:
                log.exception("down: a message of type %.40r was not taken", told["type"])

    async def _speak(self, socket: aiohttp.ClientWebSocketResponse, queue: asyncio.Queue[str]) -> None:
        """Send what waits, and a beat whenever it is time."""
        beat_at = time.monotonic() + self._beat_s
        while True:
            try:
                async with asyncio.timeout(max(0.0, beat_at - time.monotonic())):
                    text = await queue.get()
            except TimeoutError:
                text, beat_at = (
                    write_message({"type": "beat", "at": _mono_ms()}, MAX_UP_BYTES),
                    time.monotonic() + self._beat_s,
                )
            await socket.send_str(text)

    async def _watch(self, generation: object) -> None:
        while self._credential.generation() == generation:  # noqa: ASYNC110 - a file changes without a word
            await asyncio.sleep(_LOOK_S)
        raise _Ended("the certificate was exchanged")

    async def _beaten(self, told: Mapping[str, Any]) -> None:
        self.centre.note(told.get("server_time"), told.get("at"))

    def _report(self, said: str) -> None:
        """Log a change once, not every try."""
        if said != self._said:
            self._said = said
            if said:
                log.warning("down: %s", said)
            else:
                log.info("down: connected")


async def _untold(_: ProtocolError) -> None:
    """Leave it at the log."""


async def _stay(*_: object) -> None:
    """Follow nobody elsewhere: it might lead out of TLS. Raises: _Ended."""
    raise _Ended("what answers at the centre's address sends this gateway elsewhere, which it does not follow")


def _why_closed(code: int | None) -> str:
    if code == CLOSE_REVOKED:
        return "the centre has shut this gateway out"
    if code == CLOSE_REPLACED:
        return "the centre closed the link, because another one of this gateway was opened"
    return "the centre closed the link"


def _mono_ms() -> int:
    return time.monotonic_ns() // 1_000_000
