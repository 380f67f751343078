"""The gateways' HTTP: batches and status by POST."""

import asyncio
import json
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from central_server.access import rules
from central_server.clock import now_ms
from central_server.devices import service as devices
from central_server.errors import BadRequest, Busy, CentralError, Forbidden, NotSignedIn, TooLarge
from central_server.sync import enrolment, service
from central_server.sync.authority import Authority
from central_server.sync.refusal import Refusals
from central_server.sync.store import GatewayRow
from central_server.telemetry.expansion import Expander
from central_server.web import DB, HUB, Handler, Policy, Route, is_local
from protocols.access import PATH_RULES
from protocols.enrolment import PATH_AUTHORITY, PATH_ENROL, PATH_RENEW
from protocols.sync import MAX_BATCH_BYTES, PATH_BATCHES, PATH_STATUS, SIGN_KEY_HEADER

EXPANDER = web.AppKey("EXPANDER", Expander)
GATE = web.AppKey("GATE", asyncio.Semaphore)
AUTHORITY = web.AppKey("AUTHORITY", Authority)
REFUSALS = web.AppKey("REFUSALS", Refusals)
CALLER = web.RequestKey("CALLER", GatewayRow)
_MAX_STATUS_BYTES = 512 * 1024
_MAX_REQUEST_BYTES = 16 * 1024
_BODY_TIMEOUT_S = 20
_AT_ONCE = 32


async def post_batch(request: web.Request) -> web.Response:
    """Store one batch; the answer is the acknowledgement."""
    gateway = await _gateway(request)
    gate = request.app[GATE]
    if gate.locked():
        # Bodies wait in memory for the one writer; beyond this many the gateways keep them better than we do.
        raise Busy("sync_busy", "Too many gateways deliver at once. Come again in {retry_after_s} s.", retry_after_s=2)
    async with gate:
        taken = await service.take_batch(request.app[DB], gateway, await _body(request, MAX_BATCH_BYTES))
    if taken.batch_id is not None:
        request.app[EXPANDER].wake()
    return web.json_response({"acked": taken.acked, "head": taken.head, "names": taken.names})


async def post_status(request: web.Request) -> web.Response:
    """Note what a gateway says of itself; it is shown and not kept as history."""
    gateway = await _gateway(request)
    body = await _body(request, _MAX_STATUS_BYTES)
    try:
        status: Any = json.loads(body)
        json.dumps(status, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise BadRequest("sync_broken_status", "The status is not JSON.") from None
    view = await devices.note_status(request.app[DB], gateway.id, gateway.edge_id, status)
    told = {"type": "gateway", "id": gateway.id, "edge_id": gateway.edge_id, "devices": view}
    request.app[HUB].publish(told, site_id=gateway.site_id)
    access = status.get("access")
    await rules.note_version(
        request.app[DB], gateway.id, access.get("rules_version") if isinstance(access, dict) else None
    )
    version = await rules.version_for(request.app[DB], gateway.id)
    return web.json_response({"server_time": now_ms(), "rules_version": version})


async def get_rules(request: web.Request) -> web.Response:
    """Give the rules of a gateway's doors, unless it has these already or has no doors."""
    gateway = await _gateway(request)
    version = await rules.version_for(request.app[DB], gateway.id)
    if version is None:
        return web.Response(status=204)
    if request.query.get("have") == str(version):
        return web.Response(status=304)
    body = await rules.body_for(request.app[DB], gateway.id)
    return web.Response(body=body, content_type="application/json")


async def get_authority(request: web.Request) -> web.Response:
    """Give the centre's own certificate; a gateway believes it only where it fits its code."""
    return web.Response(text=request.app[AUTHORITY].pem, content_type="application/x-pem-file")


async def post_enrol(request: web.Request) -> web.Response:
    """Let a gateway in that has a one-time code."""
    told = _json(await _body(request, _MAX_REQUEST_BYTES))
    authority = request.app[AUTHORITY]
    found = await enrolment.enrol(request.app[DB], authority, told, now_ms(), request.remote or "")
    body = {"edge_id": found.edge_id, "certificate": found.certificate, "authority": authority.pem}
    return web.json_response(body)


async def post_renew(request: web.Request) -> web.Response:
    """Give a gateway its next certificate."""
    gateway = await _gateway(request)
    told = _json(await _body(request, _MAX_REQUEST_BYTES))
    pem = await enrolment.renew(request.app[DB], request.app[AUTHORITY], gateway, told, now_ms())
    return web.json_response({"certificate": pem})


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
        request[CALLER] = known = await enrolment.authenticate(request.app[DB], certificate)
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
    app[EXPANDER] = Expander(app[DB], app[HUB])
    app[GATE] = asyncio.Semaphore(_AT_ONCE)
    app[REFUSALS] = Refusals(app[DB])


def _noted(handler: Handler) -> Handler:
    """Have what a handler refuses written into the audit."""

    async def noting(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except CentralError as error:
            await request.app[REFUSALS].note(error, request.get(CALLER), request.remote or "")
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
        Route("GET", PATH_RULES, _noted(get_rules), Policy.GATEWAY),
    ]
