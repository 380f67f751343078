"""The gateways' HTTP: batches and status by POST."""

import asyncio
import json
import time
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.access import rules
from central_server.clock import now_ms
from central_server.configs.store import number_on_offer
from central_server.configs.views import CONFIGS
from central_server.crypto import vault_of
from central_server.devices import service as devices
from central_server.errors import BadRequest, CentralError, Forbidden, NotSignedIn, TooLarge
from central_server.sync import enrolment, service
from central_server.sync.authority import Authority
from central_server.sync.down import DOWN, SECRET
from central_server.sync.gate import Gate, terms_for
from central_server.sync.lag import Lag
from central_server.sync.refusal import Refusals
from central_server.sync.snapshots import Snapshots
from central_server.sync.store import GatewayRow
from central_server.telemetry.expansion import Expander
from central_server.web import DB, HUB, Handler, Policy, Route, is_local
from protocols.access import PATH_RULES, rules_digest, sign_rules
from protocols.config_offer import PATH_CONFIG
from protocols.down import PATH_DOWN
from protocols.enrolment import PATH_AUTHORITY, PATH_ENROL, PATH_RENEW
from protocols.errors import ProtocolError
from protocols.snapshot import LANE_HEADER, MAX_SNAPSHOT_BYTES, PATH_LIVE, decode_snapshot
from protocols.sync import MAX_BATCH_BYTES, PATH_BATCHES, PATH_STATUS, SIGN_KEY_HEADER, Lane

EXPANDER = web.AppKey("EXPANDER", Expander)
GATE = web.AppKey("GATE", Gate)
LAG = web.AppKey("LAG", Lag)
SNAPSHOTS = web.AppKey("SNAPSHOTS", Snapshots)
AUTHORITY = web.AppKey("AUTHORITY", Authority)
REFUSALS = web.AppKey("REFUSALS", Refusals)
CALLER = web.RequestKey("CALLER", GatewayRow)
MAX_STATUS_BYTES = 512 * 1024
MAX_REQUEST_BYTES = 16 * 1024
_BODY_TIMEOUT_S = 20
_LOOK_AGAIN_S = 0.3
_LANES = frozenset(str(int(lane)) for lane in Lane)


async def post_batch(request: web.Request) -> web.Response:
    """Store one batch; the answer is the acknowledgement."""
    gateway = await _gateway(request)
    with request.app[GATE].place(gateway.id, lane_said(request.headers.get(LANE_HEADER, ""))):
        gateway, body = await _caller_with(request, gateway, MAX_BATCH_BYTES)
        told = await take_batch(request.app, gateway, body, request.remote or "", _what(request))
    return web.json_response(told)


async def take_batch(app: web.Application, gateway: GatewayRow, body: bytes, peer: str, what: str) -> dict[str, Any]:
    """Store one batch; give the acknowledgement, by whatever way it goes back."""
    taken = await service.take_batch(app[DB], gateway, body)
    if taken.batch_id is not None:
        app[EXPANDER].wake()
    else:
        await app[REFUSALS].repeated(gateway, peer, what)
    terms = terms_for(await app[LAG].batches())
    return {"acked": taken.acked, "head": taken.head, "names": taken.names} | terms.as_json()


async def post_live(request: web.Request) -> web.Response:
    """Show a gateway's newest values while its readings are behind; nothing of it is counted."""
    gateway, body = await _caller_with(request, await _gateway(request), MAX_SNAPSHOT_BYTES)
    return web.json_response(await take_live(request.app, gateway, body))


async def take_live(app: web.Application, gateway: GatewayRow, body: bytes) -> dict[str, Any]:
    """Show a snapshot; give the answer. Raises: BadRequest."""
    try:
        readings = decode_snapshot(body)
    except ProtocolError as error:
        text = "The snapshot cannot be read: {detail}. Nothing of it is shown."
        raise BadRequest("sync_broken_snapshot", text, kind=error.kind, detail=error.detail) from None
    await app[SNAPSHOTS].take(gateway, readings)
    pace_s = app[GATE].snapshot_pace_s(gateway.id)
    return {"server_time": now_ms()} | ({"retry_after": pace_s} if pace_s else {})


def lane_said(text: str) -> Lane | None:
    """Read which lane a batch is said to be of; who says a better one than is true gains a moment, and is known."""
    return Lane(int(text)) if text in _LANES else None


async def post_status(request: web.Request) -> web.Response:
    """Note what a gateway says of itself; it is shown and not kept as history."""
    gateway, body = await _caller_with(request, await _gateway(request), MAX_STATUS_BYTES)
    return web.json_response(await take_status(request.app, gateway, body))


async def take_status(app: web.Application, gateway: GatewayRow, body: bytes) -> dict[str, Any]:
    """Note a status; give the answer. Raises: BadRequest."""
    try:
        status: Any = json.loads(body)
        json.dumps(status, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise BadRequest("sync_broken_status", "The status is not JSON.") from None
    read = devices.read_status(gateway.edge_id, status)
    access = status.get("access")
    decides_by = access.get("rules_version") if isinstance(access, dict) else None

    async def note(connection: AsyncConnection) -> tuple[list[dict[str, Any]], int | None, int | None]:
        view = await devices.note_status(connection, gateway.id, read, status)
        version = await rules.note_version(connection, gateway.id, decides_by)
        return view, version, await number_on_offer(connection, gateway.id)

    view, version, offered = await app[DB].keep(note)
    told = {"type": "gateway", "id": gateway.id, "edge_id": gateway.edge_id, "devices": view}
    app[HUB].publish(told, site_id=gateway.site_id)
    return {"server_time": now_ms(), "rules_version": version, "config_revision": offered}


async def get_rules(request: web.Request) -> web.Response:
    """Give the rules of a gateway's doors, unless it has these already or has no doors."""
    gateway = await _gateway(request)
    status, body = await rules_answer(request.app, gateway, request.query.get("have"))
    return web.Response(status=status, body=body or None, content_type="application/json")


async def rules_answer(app: web.Application, gateway: GatewayRow, have: str | None) -> tuple[int, bytes]:
    """Give the status and the body of an answer to who asks for rules."""
    version = await rules.version_for(app[DB], gateway.id)
    if version is None:
        return 204, b""
    if have is not None and have.partition("/")[0] == str(version):
        return 304, b""
    body = await rules.body_for(app[DB], gateway.id)
    if body is None:
        return 204, b""
    told = (await rules.delta_for(app[DB], gateway.id, have, len(body)) if have else None) or body
    key = Ed25519PrivateKey.from_private_bytes(vault_of(app[DB].engine.dialect).command_seed)
    return 200, await asyncio.to_thread(sign_rules, told, rules_digest(body), key.sign)


async def get_config(request: web.Request) -> web.Response:
    """Give the settings that are on offer for a gateway."""
    gateway = await _gateway(request)
    status, body = await config_answer(request.app, gateway)
    return web.Response(status=status, body=body or None, content_type="application/json")


async def config_answer(app: web.Application, gateway: GatewayRow) -> tuple[int, bytes]:
    """Give the status and the body of an answer to who asks for settings."""
    offer = await app[CONFIGS].offer_for(gateway.id)
    return (204, b"") if offer is None else (200, json.dumps(offer, ensure_ascii=False).encode())


async def get_authority(request: web.Request) -> web.Response:
    """Give the centre's own certificate; a gateway believes it only where it fits its code."""
    return web.Response(text=request.app[AUTHORITY].pem, content_type="application/x-pem-file")


async def post_enrol(request: web.Request) -> web.Response:
    """Let a gateway in that has a one-time code."""
    told = _json(await _body(request, MAX_REQUEST_BYTES))
    authority = request.app[AUTHORITY]
    found = await enrolment.enrol(request.app[DB], authority, told, now_ms(), request.remote or "")
    body = {"edge_id": found.edge_id, "certificate": found.certificate, "authority": authority.pem}
    return web.json_response({**body, "command_key": request.app[DOWN].command_key})


async def post_renew(request: web.Request) -> web.Response:
    """Give a gateway its next certificate."""
    gateway, body = await _caller_with(request, await _gateway(request), MAX_REQUEST_BYTES)
    return web.json_response(await take_renewal(request.app, gateway, body))


async def take_renewal(app: web.Application, gateway: GatewayRow, body: bytes) -> dict[str, Any]:
    """Certify a gateway's next key; give the answer."""
    return {"certificate": await enrolment.renew(app[DB], app[AUTHORITY], gateway, _json(body), now_ms())}


async def get_down(request: web.Request) -> web.WebSocketResponse:
    """Keep a gateway's way down open."""
    gateway = await _gateway(request)
    certificate = request.get_extra_info("peercert")
    proof = enrolment.serial_of(certificate) if certificate else SECRET + gateway.secret_hash

    async def refused(error: CentralError) -> None:
        await request.app[REFUSALS].note(error, gateway, request.remote or "", "message up")

    return await request.app[DOWN].serve(request, gateway, proof, refused)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("enrol_form", "The request is not JSON.") from None


async def _gateway(request: web.Request) -> GatewayRow:
    """Know the caller by its certificate, or on this machine by its secret."""
    if request.get_extra_info("ssl_object") is not None:
        certificate = request.get_extra_info("peercert")
        if not certificate:
            raise NotSignedIn(
                "sync_no_certificate", "A gateway shows its certificate here. Enrol it: edge enroll URL CODE"
            )
        request[CALLER] = known = await enrolment.authenticate(request.app[DB], certificate, now_ms())
        return known
    if not is_local(request):
        raise Forbidden(
            "sync_not_local",
            "Only a gateway of the same machine may come without a certificate. Others come by [gateways] listen.",
        )
    found = await service.authenticate(request.app[DB], request.headers.get("Authorization", ""))
    request[CALLER] = known = await service.with_sign_key(
        request.app[DB], found, request.headers.get(SIGN_KEY_HEADER, "")
    )
    return known


async def _caller_with(request: web.Request, known: GatewayRow, limit: int) -> tuple[GatewayRow, bytes]:
    """Read a caller's body, and look again who calls where it was long on its way: they may have been shut out since."""
    began = time.monotonic()
    body = await _body(request, limit)
    return (await _gateway(request) if time.monotonic() - began > _LOOK_AGAIN_S else known), body


async def _body(request: web.Request, limit: int) -> bytes:
    """Read a whole body. Raises: TooLarge; BadRequest for one that does not come or does not unpack."""
    if (request.content_length or 0) > limit:
        raise TooLarge("sync_too_large", "The body is larger than {limit} bytes.", limit=limit)
    data = bytearray()
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                data += chunk
                if len(data) > limit:
                    raise TooLarge("sync_too_large", "The body is larger than {limit} bytes.", limit=limit)
    except TimeoutError:
        raise BadRequest("sync_slow_body", "The body did not arrive in time. Send it again.") from None
    except (HttpProcessingError, web.RequestPayloadError):
        raise BadRequest("sync_broken_body", "The body did not arrive whole. Send it again.") from None
    return bytes(data)


def set_up(app: web.Application) -> None:
    """Give an application what the gateways' door works with."""
    app[GATE] = gate = Gate()
    app[EXPANDER] = Expander(app[DB], app[HUB], is_pressed=lambda: gate.is_pressed)
    app[LAG] = Lag(app[DB])
    app[SNAPSHOTS] = Snapshots(app[DB], app[HUB])
    app[REFUSALS] = Refusals(app[DB])


def _what(request: web.Request) -> str:
    return f"{request.method} {request.path}"


def _noted(handler: Handler) -> Handler:
    """Have what a handler refuses written into the audit."""

    async def noting(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except CentralError as error:
            await request.app[REFUSALS].note(error, request.get(CALLER), request.remote or "", _what(request))
            raise

    return noting


def door_routes() -> list[Route]:
    """Give all that is open at the gateways' own door."""
    return [
        *routes(),
        Route("GET", PATH_AUTHORITY, get_authority, Policy.GATEWAY),
        Route("POST", PATH_ENROL, _noted(post_enrol), Policy.GATEWAY),
        Route("POST", PATH_RENEW, _noted(post_renew), Policy.GATEWAY),
    ]


def routes() -> list[Route]:
    return [
        Route("POST", PATH_BATCHES, _noted(post_batch), Policy.GATEWAY),
        Route("POST", PATH_STATUS, _noted(post_status), Policy.GATEWAY),
        Route("POST", PATH_LIVE, _noted(post_live), Policy.GATEWAY),
        Route("GET", PATH_RULES, _noted(get_rules), Policy.GATEWAY),
        Route("GET", PATH_CONFIG, _noted(get_config), Policy.GATEWAY),
        Route("GET", PATH_DOWN, _noted(get_down), Policy.GATEWAY),
    ]
