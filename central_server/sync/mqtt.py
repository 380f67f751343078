"""The gateways' door by MQTT 5: takes requests from a broker and answers them there, by the rules of HTTPS.

Any number of these share one subscription, in one process or in several: the broker gives each request to
one of them, and the lane's mark in the database makes a batch count once whoever takes it. One request at a
time is worked on; it is acknowledged to the broker after its answer, and so after the commit. Requests that
a broken connection takes with it come again from the gateway.
"""

import asyncio
import json
import logging
import random
import socket
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
from aiohttp import web
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from sqlalchemy.exc import SQLAlchemyError

from central_server.clock import now_ms
from central_server.errors import BadRequest, Busy, CentralError, Forbidden, NotSignedIn, TooLarge
from central_server.sync import enrolment, store, views
from central_server.sync.fresh import Fresh
from central_server.sync.store import GatewayRow
from central_server.web import DB
from protocols.mqtt import (
    ANSWERS,
    AT,
    CENTRE,
    HAVE,
    KINDS,
    LANE,
    MAX_REQUEST_BYTES,
    RETRY_AFTER,
    SIGNATURE,
    STATUS,
    Message,
    read_topic,
    topic_of,
)
from protocols.snapshot import MAX_SNAPSHOT_BYTES
from protocols.sync import MAX_BATCH_BYTES

log = logging.getLogger("central.mqtt")

GROUP = "ingest"
PORT, PORT_TLS = 1883, 8883
_PEER = "the broker"
_AT_ONCE = 8  # requests that the broker may hand over before the first of them is acknowledged
_ANSWER_EXPIRES_S = 60
_KEEPALIVE_S = 30
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0
_LIMITS = {
    "batches": MAX_BATCH_BYTES,
    "live": MAX_SNAPSHOT_BYTES,
    "status": views.MAX_STATUS_BYTES,
    "rules": 0,
    "config": 0,
    "renew": views.MAX_REQUEST_BYTES,
}
_CENTRAL_FAILED = CentralError("internal", "Something here failed and was written to the server's log. Try again.")


class Ingester:
    """Take what gateways send through a broker; ``run`` it in a task.

    Shape: ``app`` has what the gateways' door works with, the authority among it; ``tls`` makes the
    context of a new connection, None for a broker of this machine; ``sign`` is by the centre's command key.
    """

    def __init__(
        self,
        app: web.Application,
        url: str,
        tls: Callable[[], ssl.SSLContext | None],
        sign: Callable[[bytes], bytes],
    ) -> None:
        parts = urlsplit(url)
        self._app = app
        self._url = url
        self._host = parts.hostname or ""
        self._port = parts.port or (PORT_TLS if parts.scheme == "mqtts" else PORT)
        self._tls = tls
        self._sign = sign
        self._fresh = Fresh()
        self._said = ""
        self.is_listening = False

    async def run(self) -> None:
        """Listen until cancelled; where the broker is away, knock again with full jitter."""
        failures = 0
        while True:
            try:
                await self._listen()
            except (aiomqtt.MqttError, OSError) as error:
                failures = 0 if self.is_listening else failures + 1
                self._say(f"the broker at {self._url} cannot be reached, or does not let the centre in: {error}")
            except Exception:
                log.exception("a fault in this program")
                failures += 1
            self.is_listening = False
            most = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(failures, 10))
            await asyncio.sleep(random.uniform(0, most))  # noqa: S311 - jitter is no secret

    async def _listen(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        properties.ReceiveMaximum = _AT_ONCE
        properties.MaximumPacketSize = MAX_REQUEST_BYTES
        client = _Client(
            self._host,
            self._port,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=True,
            properties=properties,
            keepalive=_KEEPALIVE_S,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            tls_context=await asyncio.to_thread(self._tls),
        )
        async with client:
            for kind in KINDS.values():
                await client.subscribe(f"$share/{GROUP}/{topic_of('+', kind)}", qos=1)
            self.is_listening = True
            self._say("")
            async for message in client.messages:
                await self._take(client, message)

    async def _take(self, client: "_Client", message: aiomqtt.Message) -> None:
        """Answer one request, then let go of it."""
        found = read_topic(message.topic.value)
        number = getattr(message.properties, "CorrelationData", b"")
        said = dict(getattr(message.properties, "UserProperty", ()))
        signature = said.pop(SIGNATURE, "")
        body = message.payload if isinstance(message.payload, bytes) else b""
        if found is not None and not message.retain:  # what a broker has kept is nobody's request
            edge_id, kind = found
            request = Message(message.topic.value, number, body, said)
            status, answer, retry_after = await self.answer(edge_id, kind, request, signature)
            fields = {STATUS: str(status), AT: str(now_ms())} | (
                {} if retry_after is None else {RETRY_AFTER: str(retry_after)}
            )
            await self._publish(client, Message(topic_of(edge_id, ANSWERS), number, answer, fields))
        client.let_go(message)

    async def answer(self, edge_id: str, kind: str, request: Message, signature: str) -> tuple[int, bytes, int | None]:
        """Do what a request asks; give status, body and after how many seconds to come again."""
        gateway = None
        try:
            found = await self._find(edge_id)
            if not request.is_signed_by(found.sign_key or "", signature):
                text = "The request is not signed with the key of gateway '{edge_id}'. If it was exchanged, invite it again."
                raise Forbidden("sync_bad_signature", text, edge_id=edge_id)
            gateway = found
            if gateway.is_revoked:
                raise enrolment.shut_out(edge_id)
            self._fresh.check(kind, request)
            status, body = await self._work(gateway, kind, request)
            return status, body, None
        except CentralError as error:
            await self._app[views.REFUSALS].note(error, gateway, _PEER, request.topic)
            return error.status, _error_body(error), error.retry_after_s
        except (SQLAlchemyError, OSError) as error:
            log.error("a request of %s cannot be worked on: %s", edge_id, error)
            busy = Busy("not_ready", "The database does not answer.")
            return busy.status, _error_body(busy), busy.retry_after_s
        except Exception:
            log.exception("a request of %s failed", edge_id)
            return _CENTRAL_FAILED.status, _error_body(_CENTRAL_FAILED), None

    async def _find(self, edge_id: str) -> GatewayRow:
        """Find the gateway of a topic. Raises: NotSignedIn."""
        async with self._app[DB].read() as connection:
            found = await store.find_gateway(connection, edge_id)
        if found is None or found.sign_key is None:
            text = "Gateway '{edge_id}' is not let in here. Enrol it: 'central edge invite', then 'edge enroll'."
            raise NotSignedIn("sync_unknown_gateway", text, edge_id=edge_id)
        return found

    async def _work(self, gateway: GatewayRow, kind: str, request: Message) -> tuple[int, bytes]:
        app, body = self._app, request.body
        if len(body) > _LIMITS[kind]:
            raise TooLarge("sync_too_large", "The body is larger than {limit} bytes.", limit=_LIMITS[kind])
        match kind:
            case "batches":
                with app[views.GATE].place(gateway.id, views.lane_said(request.fields.get(LANE, ""))):
                    return _json(await views.take_batch(app, gateway, body, _PEER, request.topic))
            case "live":
                return _json(await views.take_live(app, gateway, body))
            case "status":
                return _json(await views.take_status(app, gateway, body))
            case "rules":
                return await views.rules_answer(app, gateway, request.fields.get(HAVE))
            case "config":
                return await views.config_answer(app, gateway)
            case "renew":
                return _json(await views.take_renewal(app, gateway, body))
        raise BadRequest("sync_no_such_request", "There is no request of this kind.")

    async def _publish(self, client: "_Client", answer: Message) -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.CorrelationData = answer.number
        properties.MessageExpiryInterval = _ANSWER_EXPIRES_S
        for pair in (*answer.fields.items(), (SIGNATURE, self._sign(answer.signed()).hex())):
            properties.UserProperty = pair
        await client.publish(answer.topic, answer.body, qos=1, properties=properties)

    def _say(self, said: str) -> None:
        """Log a change once, not every try."""
        if said != self._said or self.is_listening:
            self._said = said
            log.log(logging.WARNING if said else logging.INFO, "%s", said or f"listening at {self._url} as {CENTRE}")


class _Client(aiomqtt.Client):
    """Acknowledges a message when it was worked on, not when it came."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._client.manual_ack_set(True)

    def let_go(self, message: aiomqtt.Message) -> None:
        self._client.ack(message.mid, message.qos)


def _json(told: dict[str, Any]) -> tuple[int, bytes]:
    return 200, json.dumps(told).encode()


def _error_body(error: CentralError) -> bytes:
    return json.dumps({"error": {"key": error.key, "message": str(error), "fields": dict(error.fields)}}).encode()
