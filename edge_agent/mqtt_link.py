"""The uplink by MQTT 5: the same requests, through a broker.

The broker keeps nothing of ours for long: sessions end with their connection and messages expire with
the wait for their answer. What is lost is sent again, because the store is the queue; what comes twice
counts once. An answer that is not signed by the centre, or is one to another request, is none.
"""

import asyncio
import contextlib
import json
import logging
import math
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.credential import Credential, UplinkError, check_url
from edge_agent.identity import Signer
from edge_agent.transport import MOST_ANSWER_BYTES, Link, Overlong, Reply, Silence
from protocols.access import MAX_RULES_BYTES, PATH_RULES
from protocols.config_offer import MAX_OFFER_BYTES, PATH_CONFIG
from protocols.mqtt import (
    ANSWERS,
    AT,
    FRESH,
    HAVE,
    KINDS,
    LANE,
    REPLAYED,
    RETRY_AFTER,
    SIGNATURE,
    STALE,
    STATUS,
    Message,
    topic_of,
)
from protocols.record import Lane

log = logging.getLogger(__name__)

PORT, PORT_TLS = 1883, 8883
_CONNECT_S = 10.0
_KEEPALIVE_S = 30
_AT_ONCE = 4
_LONGEST_AT = 17
_NOBODY, _NOT_ALLOWED = 0x10, 0x87


class MqttTransport:
    """Opens links through a broker.

    Shape: ``centre_key`` gives the public key with which the centre signs, as hex, None before it is known.
    """

    def __init__(
        self,
        url: str,
        edge_id: str,
        credential: Credential,
        signer: Signer,
        centre_key: Callable[[], str | None],
        timeout_s: float,
    ) -> None:
        """Prepare it. Raises: UplinkError for an address that cannot be one."""
        self._url = check_url(url)
        self._edge_id = edge_id
        self._credential = credential
        self._signer = signer
        self._centre_key = centre_key
        self._timeout_s = timeout_s

    def generation(self) -> object:
        return self._credential.generation()

    async def renew(self, link: Link) -> None:
        await self._credential.renew(link)

    def open(self) -> AbstractAsyncContextManager[Link]:
        tls = self._credential.tls()
        centre_key = self._centre_key()
        if centre_key is None:
            raise UplinkError(
                "By MQTT only answers that the centre has signed count, and this gateway does not know its key. Make a "
                "code at the centre with 'central edge invite', then here: edge enroll URL CODE"
            )
        is_tls = self._url.startswith("mqtts:")
        return _opened(
            MqttLink(self._url, self._edge_id, tls if is_tls else None, self._signer, centre_key, self._timeout_s)
        )


@asynccontextmanager
async def _opened(link: "MqttLink") -> AsyncIterator[Link]:
    try:
        yield link
    finally:
        await link.close()


class MqttLink:
    """Connects at the first request, and anew after whatever went wrong."""

    def __init__(
        self, url: str, edge_id: str, tls: ssl.SSLContext | None, signer: Signer, centre_key: str, timeout_s: float
    ) -> None:
        parts = urlsplit(url)
        self._url = url
        self._host, self._port = parts.hostname or "", parts.port or (PORT if tls is None else PORT_TLS)
        self._edge_id = edge_id
        self._tls = tls
        self._signer = signer
        self._centre_key = centre_key
        self._timeout_s = timeout_s
        self._client: _Client | None = None
        self._listener: asyncio.Task[None] | None = None
        self._number = b""
        self._answer: asyncio.Future[Reply] | None = None
        self._centre_ahead_ms: int | None = None  # its clock, of ours that never steps

    async def post(self, path: str, body: bytes, *, lane: Lane | None = None) -> Reply:
        return await self._ask(path, body, {} if lane is None else {LANE: str(int(lane))}, MOST_ANSWER_BYTES)

    async def rules(self, have: str | None) -> Reply:
        return await self._ask(PATH_RULES, b"", {} if have is None else {HAVE: have}, MAX_RULES_BYTES)

    async def config(self) -> Reply:
        return await self._ask(PATH_CONFIG, b"", {}, MAX_OFFER_BYTES)

    async def close(self) -> None:
        """End the connection."""
        listener, self._listener = self._listener, None
        client, self._client = self._client, None
        if listener is not None:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
        if client is not None:
            with contextlib.suppress(aiomqtt.MqttError):
                await client.__aexit__(None, None, None)

    async def _ask(self, path: str, body: bytes, fields: dict[str, str], most_bytes: int) -> Reply:
        reply = await self._ask_once(path, body, fields, most_bytes)
        # The first request after a silence cannot tell the centre's time; the answer to it does.
        return await self._ask_once(path, body, fields, most_bytes) if _is_stale(reply) else reply

    async def _ask_once(self, path: str, body: bytes, fields: dict[str, str], most_bytes: int) -> Reply:
        self._number = os.urandom(16)
        if KINDS[path] in FRESH and self._centre_ahead_ms is not None:
            fields = {**fields, AT: str(_mono_ms() + self._centre_ahead_ms)}
        message = Message(topic_of(self._edge_id, KINDS[path]), self._number, body, fields)
        signature = await asyncio.to_thread(self._signer.sign, message.signed())
        try:
            async with asyncio.timeout(self._timeout_s):
                client = await self._connected()
                self._answer = asyncio.get_running_loop().create_future()
                await client.publish(message.topic, body, qos=1, properties=self._properties(message, signature))
                self._check(client.reason, message.topic)
                reply = await self._answer
        except TimeoutError:
            await self.close()
            raise Silence(f"the centre behind the broker at {self._url} did not answer in time") from None
        except aiomqtt.MqttError as error:
            await self.close()
            raise Silence(
                f"the broker at {self._url} cannot be reached, or does not let this gateway in: {error}"
            ) from None
        finally:
            self._number, self._answer = b"", None
        if len(reply.body) > most_bytes:
            raise Overlong("something other than a centre answered, at great length")
        return reply

    def _properties(self, message: Message, signature: bytes) -> Properties:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.CorrelationData = message.number
        properties.MessageExpiryInterval = math.ceil(self._timeout_s)
        for pair in (*message.fields.items(), (SIGNATURE, signature.hex())):
            properties.UserProperty = pair
        return properties

    def _check(self, reason: int, topic: str) -> None:
        """Read what the broker said of a request. Raises: Silence."""
        if reason == _NOBODY:
            raise Silence(
                f"no centre listens at the broker at {self._url}. Look whether the centre runs with [mqtt] set."
            )
        if reason == _NOT_ALLOWED:
            raise Silence(
                f"the broker at {self._url} does not let this gateway write to {topic}. Set the broker up with the files of "
                f"'central mqtt broker'."
            )
        if reason >= 0x80:
            raise Silence(f"the broker at {self._url} does not take the request: reason {reason}")

    async def _connected(self) -> "_Client":
        """Give the connection, a new one where there is none. Raises: aiomqtt.MqttError."""
        if self._client is not None and self._listener is not None and not self._listener.done():
            return self._client
        await self.close()
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        properties.ReceiveMaximum = _AT_ONCE
        properties.MaximumPacketSize = MAX_RULES_BYTES + MOST_ANSWER_BYTES
        client = _Client(
            self._host,
            self._port,
            identifier=f"gatehouse-{self._edge_id}",
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=True,
            properties=properties,
            keepalive=_KEEPALIVE_S,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            tls_context=self._tls,
            timeout=min(_CONNECT_S, self._timeout_s),
        )
        await client.__aenter__()
        self._client = client
        self._listener = asyncio.create_task(self._listen(client), name="mqtt answers")
        await client.subscribe(topic_of(self._edge_id, ANSWERS), qos=1)
        return client

    async def _listen(self, client: "_Client") -> None:
        """Hear answers until the connection ends; who waits for one then waits no longer."""
        try:
            async for message in client.messages:
                self._hear(message)
        except aiomqtt.MqttError as error:
            if self._answer is not None and not self._answer.done():
                self._answer.set_exception(error)

    def _hear(self, message: aiomqtt.Message) -> None:
        said = dict(getattr(message.properties, "UserProperty", ()))
        number = getattr(message.properties, "CorrelationData", b"")
        if self._answer is None or self._answer.done() or number != self._number:
            return  # an answer to a request that was given up
        body = message.payload if isinstance(message.payload, bytes) else b""
        signature = said.pop(SIGNATURE, "")
        answer = Message(message.topic.value, number, body, said)
        status = said.get(STATUS, "")
        if not answer.is_signed_by(self._centre_key, signature) or not (status.isascii() and status.isdigit()):
            log.warning("uplink: an answer that the centre has not signed is passed over")
            return
        at = said.get(AT, "")
        if at.isascii() and at.isdigit() and len(at) < _LONGEST_AT:
            self._centre_ahead_ms = int(at) - _mono_ms()
        self._answer.set_result(Reply(int(status), body, said.get(RETRY_AFTER)))


def _is_stale(reply: Reply) -> bool:
    if reply.status != 409:
        return False
    try:
        return bool(json.loads(reply.body)["error"]["key"] in (STALE, REPLAYED))
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _mono_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class _Client(aiomqtt.Client):
    """Keeps what the broker said of the last publication, which the library drops."""

    reason = 0

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Any) -> None:
        self.reason = reason_code.value
        super()._on_publish(client, userdata, mid, reason_code, properties)
