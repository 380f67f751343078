"""The way down to the gateways: one WebSocket each, that the gateway has opened and that we may speak on.

A gateway that opens another has lost the one before: the newest counts. One that is shut out, from
whatever process, loses its link within a second: the database is asked for all of them together.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, WSCloseCode, WSMsgType, web
from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError

from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import BadRequest, CentralError, TooLarge
from central_server.schema import certificate, gateway
from central_server.sync.store import GatewayRow
from protocols.down import (
    CLOSE_REPLACED,
    CLOSE_REVOKED,
    MAX_DOWN_BYTES,
    MAX_UP_BYTES,
    SILENT_S,
    read_message,
    write_message,
)
from protocols.errors import ProtocolError

log = logging.getLogger("central.down")

_QUEUE = 64
_LOOK_S = 0.4
_CLOSE_S = 0.3
_GOING_AWAY = 1001
SECRET = "secret:"  # noqa: S105 - how a proof by secret begins

Handler = Callable[[GatewayRow, Mapping[str, Any]], Awaitable[None]]
Refused = Callable[[CentralError], Awaitable[None]]


@dataclass(eq=False, slots=True)
class _Link:
    """One gateway's connection; ``proof`` is what it was let in by: its certificate's serial, or its secret's hash."""

    gateway: GatewayRow
    proof: str
    socket: web.WebSocketResponse
    transport: asyncio.Transport | None
    refused: Refused
    queue: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(_QUEUE))
    code: int = _GOING_AWAY
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self, code: int) -> None:
        """Have it closed at once by the task that serves it."""
        if not self.gone.is_set():
            self.code = code
            self.gone.set()


class Down:
    """The links that are open, and who is told what comes up on them."""

    def __init__(self, db: Database, command_key: str, *, silent_s: float = SILENT_S) -> None:
        self._db = db
        self._silent_s = silent_s
        self._links: dict[int, _Link] = {}
        self._handlers: dict[str, list[Handler]] = {}
        self._is_closed = False
        self.command_key = command_key

    def on(self, kind: str, handler: Handler) -> None:
        """Have a handler called for every message of a type; "hello" comes once for each new link."""
        self._handlers.setdefault(kind, []).append(handler)

    def send(self, gateway_id: int, message: Mapping[str, Any]) -> bool:
        """Say something to a gateway; False where it is not there. Raises: ValueError for what it would not take."""
        text = write_message(message, MAX_DOWN_BYTES)
        link = self._links.get(gateway_id)
        if link is None or link.gone.is_set():
            return False
        try:
            link.queue.put_nowait(text)
        except asyncio.QueueFull:
            link.close(_GOING_AWAY)
            return False
        return True

    def connected(self) -> frozenset[int]:
        """Name the gateways that can be spoken to."""
        return frozenset(key for key, link in self._links.items() if not link.gone.is_set())

    def close(self) -> None:
        """End every link, also one that comes later, so that a stopping server does not wait for them."""
        self._is_closed = True
        for link in self._links.values():
            link.close(_GOING_AWAY)

    async def serve(
        self, request: web.Request, known: GatewayRow, proof: str, refused: Refused
    ) -> web.WebSocketResponse:
        """Keep one gateway's link until it ends; ``refused`` is told of what comes up and is no message."""
        socket = web.WebSocketResponse(timeout=_CLOSE_S, max_msg_size=MAX_UP_BYTES, compress=False)
        await socket.prepare(request)
        transport = request.transport
        link = _Link(known, proof, socket, transport, refused)
        before = self._links.get(known.id)
        if before is not None:
            before.close(CLOSE_REPLACED)
        self._links[known.id] = link
        if self._is_closed:
            link.close(_GOING_AWAY)
        log.info("gateway %s is connected", known.edge_id)
        try:
            hello = {"type": "hello", "server_time": now_ms(), "command_key": self.command_key}
            link.queue.put_nowait(write_message(hello, MAX_DOWN_BYTES))
            await self._keep(link)
        finally:
            if self._links.get(known.id) is link:
                del self._links[known.id]
            with suppress(TimeoutError, ClientError, OSError, RuntimeError):
                async with asyncio.timeout(_CLOSE_S):
                    await socket.close(code=link.code)
            if transport is not None:  # a peer that is gone answers no close
                transport.abort()
            log.info("gateway %s is disconnected", known.edge_id)
        return socket

    async def watch(self) -> None:
        """Shut out whom the database no longer lets in, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await self.look()
            except (SQLAlchemyError, OSError):
                log.exception("looking for gateways that were shut out failed")

    async def look(self) -> None:
        """Close the links of gateways that were revoked, or whose certificate or secret was, or has ended."""
        links = dict(self._links)
        if not links:
            return
        own = gateway.c
        lost_certificate = select(certificate.c.gateway_id, certificate.c.serial).where(
            or_(certificate.c.revoked_at.is_not(None), certificate.c.expires_at <= now_ms()),
            certificate.c.gateway_id.in_(links),
        )
        others = select(own.id, own.revoked_at, own.secret_hash).where(own.id.in_(links))
        async with self._db.read() as connection:
            void = {(row[0], row[1]) for row in await connection.execute(lost_certificate)}
            for key, revoked_at, secret_hash in await connection.execute(others):
                proof = links[key].proof
                is_other = proof.startswith(SECRET) and proof != SECRET + secret_hash
                if revoked_at is not None or is_other or (key, proof) in void:
                    log.info("gateway %s was shut out", links[key].gateway.edge_id)
                    links[key].close(CLOSE_REVOKED)

    async def _keep(self, link: _Link) -> None:
        """Speak and listen until one of the two ends, or the link is to be closed."""
        tasks = [
            asyncio.create_task(self._speak(link), name="down speaks"),
            asyncio.create_task(self._listen(link), name="down listens"),
            asyncio.create_task(link.gone.wait(), name="down is closed"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            link.gone.set()
            for task in tasks:
                task.cancel()
            for found in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(found, Exception) and not isinstance(found, ConnectionError | ClientError | TimeoutError):
                    log.error("the link of gateway %s failed", link.gateway.edge_id, exc_info=found)

    async def _speak(self, link: _Link) -> None:
        while True:
            await link.socket.send_str(await link.queue.get())

    async def _listen(self, link: _Link) -> None:
        """Take what comes. Raises: TimeoutError where nothing does."""
        while True:
            message = await link.socket.receive(timeout=self._silent_s)
            if message.type is not WSMsgType.TEXT:
                if getattr(message.data, "code", None) == WSCloseCode.MESSAGE_TOO_BIG:
                    text = "A message up has at most {limit} bytes. The connection was ended."
                    await link.refused(TooLarge("down_too_large", text, limit=MAX_UP_BYTES))
                elif message.type is WSMsgType.BINARY:
                    await link.refused(BadRequest("down_broken", "A message up is text. The connection was ended."))
                return
            try:
                told = read_message(message.data)
            except ProtocolError as error:
                text = "The message cannot be read: {detail}. Nothing was done."
                await link.refused(BadRequest("down_broken", text, detail=error.detail))
                continue
            if told["type"] == "beat":
                answer = {"type": "beat", "at": told.get("at"), "server_time": now_ms()}
                if not self.send(link.gateway.id, answer):
                    return
            else:
                await self._dispatch(link, told)

    async def _dispatch(self, link: _Link, told: Mapping[str, Any]) -> None:
        handlers = self._handlers.get(told["type"], [])
        if not handlers and told["type"] != "hello":
            log.info("gateway %s: a message of type %.40r is passed over", link.gateway.edge_id, told["type"])
        for handler in handlers:
            try:
                await handler(link.gateway, told)
            except Exception:  # the message's boundary: one that cannot be taken must not end the link
                log.exception("gateway %s: a message of type %.40r was not taken", link.gateway.edge_id, told["type"])


DOWN = web.AppKey("DOWN", Down)
