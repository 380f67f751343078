"""The web shell: routes with policies, and what every request and answer passes through."""

import hmac
import ipaddress
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from sqlalchemy.exc import OperationalError

from central_server import audit, auth
from central_server.config import Config
from central_server.db import Database
from central_server.errors import BadRequest, Busy, CentralError, Forbidden, NotFound, NotSignedIn, TooLarge
from central_server.live import Hub
from central_server.rbac import Actor, Right, system

log = logging.getLogger("central.web")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Form = Mapping[str, str | bytearray | web.FileField | bytes]
ErrorPage = Callable[[web.Request, CentralError, str], Awaitable[web.Response]]

DB = web.AppKey("DB", Database)
CONFIG = web.AppKey("CONFIG", Config)
HUB = web.AppKey("HUB", Hub)
ERROR_PAGE: web.AppKey[ErrorPage] = web.AppKey("ERROR_PAGE")
ROUTES: web.AppKey[dict[web.AbstractRoute, "Route"]] = web.AppKey("ROUTES")
SESSION = web.RequestKey("SESSION", auth.SessionView)

SAFE_METHODS = frozenset(("GET", "HEAD"))
_PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
COOKIE = "gatehouse_session"
BODY_LIMIT = 1024 * 1024  # a form; where photos come the route says more, the gateways' bodies have their own limit
CSRF_HEADER, CSRF_FIELD = "X-CSRF-Token", "csrf"
BACKGROUND_HEADER = "X-Background"  # a page renews itself; nobody pressed anything
# All that is open to somebody who has to choose a password first, beside what is open to everybody.
CHANGE_PATH = "/me/password"
_BEFORE_CHANGE = frozenset((CHANGE_PATH, "/sign-out"))

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "worker-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Strict-Transport-Security": "max-age=31536000",
}


class Policy(Enum):
    """Who may call a route where no right says it; a route without a policy is refused."""

    PUBLIC = "public"
    SIGNED_IN = "signed-in"
    GATEWAY = "gateway"  # the handler proves the gateway's secret itself


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of the routing table; ``max_body`` is in bytes."""

    method: str
    path: str
    handler: Handler
    policy: Policy | Right
    name: str | None = None
    max_body: int = BODY_LIMIT


def add_routes(app: web.Application, routes: Iterable[Route]) -> None:
    """Put routes into an application, each with its policy."""
    for route in routes:
        added = app.router.add_route(route.method, route.path, route.handler, name=route.name)
        app[ROUTES][added] = route


def wants_json(request: web.Request) -> bool:
    """Tell whether a program is calling and not a browser's page."""
    return request.path.startswith("/api/") or request.path in ("/healthz", "/readyz")


def is_local(request: web.Request) -> bool:
    """Tell whether a request comes from this machine itself and not through a proxy."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    try:
        is_loopback = peer is not None and ipaddress.ip_address(peer[0]).is_loopback
    except ValueError:
        is_loopback = False
    return is_loopback and not any(name in request.headers for name in _PROXY_HEADERS)


async def add_security_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Give every answer the headers, static files and errors included."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Server"] = "Gatehouse"  # and not which versions of what it is made of


@web.middleware
async def error_boundary(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into an answer in the caller's form, and keep the details for the log."""
    try:
        return await handler(request)
    except CentralError as error:
        return await _answer(request, error)
    except web.HTTPNotFound:
        return await _answer(request, NotFound("not_found", "There is nothing at this address."))
    except web.HTTPMethodNotAllowed as error:
        refusal = _from_http(error, "method_not_allowed", "This address does not take that method.")
        response = await _answer(request, refusal)
        response.headers["Allow"] = error.headers["Allow"]
        return response
    except web.HTTPRequestEntityTooLarge as error:
        return await _answer(request, _from_http(error, "too_large", "The request is larger than this address takes."))
    except web.HTTPException:
        raise
    except ConnectionResetError:
        raise
    except OperationalError as error:
        log.error("request %s %s: the database did not take part: %s", request.method, request.path, error.orig)
        away = Busy(
            "database_away",
            "The database cannot be used now: its disk is full, or it is away. Nothing was changed; try again in a moment.",
            10,
        )
        return await _answer(request, away)
    except Exception:  # the request boundary: the process must outlive any fault of a page
        trace = secrets.token_hex(4)
        log.exception("request %s %s failed, trace %s", request.method, request.path, trace)
        text = (
            "Something here failed and was written to the server's log. Try again; if it stays, report trace {trace}."
        )
        return await _answer(request, CentralError("internal", text, trace=trace))


def _from_http(error: web.HTTPException, key: str, text: str) -> CentralError:
    found = CentralError(key, text)
    found.status = error.status
    return found


async def _answer(request: web.Request, error: CentralError) -> web.StreamResponse:
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    if wants_json(request):
        body = {"error": {"key": error.key, "message": str(error), "fields": dict(error.fields)}}
        return web.json_response(body, status=error.status, headers=headers)
    if isinstance(error, NotSignedIn):
        if "HX-Request" in request.headers:
            return web.Response(status=200, headers={"HX-Redirect": "/sign-in"})
        onward = request.path_qs if request.method in SAFE_METHODS else "/"
        query = "" if onward == "/" else "?" + urlencode({"next": onward})
        return web.Response(status=303, headers={"Location": f"/sign-in{query}"})
    try:
        response = await request.app[ERROR_PAGE](request, error, str(error))
    except Exception:  # the request boundary: what broke the page may break the page that says so
        log.exception("the error page of %s %s failed", request.method, request.path)
        response = web.Response(status=error.status, text=str(error))
    response.headers.update(headers)
    return response


@web.middleware
async def access(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through if its route's policy does; a route without one lets nobody through."""
    if request.match_info.http_exception is not None:
        await _load_session(request)
        return await handler(request)
    route = request.app[ROUTES].get(request.match_info.route)
    if route is None:
        raise Forbidden("no_policy", "Nobody may use this address.")
    if route.policy is Policy.GATEWAY:
        return await handler(request)
    await _load_session(request)
    is_change = request.method not in SAFE_METHODS
    if is_change:
        await _check_origin(request)
    if route.policy is not Policy.PUBLIC:
        await _check_right(request, route.policy)
    if is_change:
        form = await _read_form(request, route.max_body)
        if route.policy is not Policy.PUBLIC:
            _check_csrf(request, form)
    return await handler(request)


async def _check_right(request: web.Request, policy: Policy | Right) -> None:
    if SESSION not in request:
        raise NotSignedIn("not_signed_in", "Please sign in.")
    if request[SESSION].must_change and request.path not in _BEFORE_CHANGE:
        raise web.HTTPSeeOther(CHANGE_PATH)
    actor = actor_of(request)
    if isinstance(policy, Right) and not actor.may(policy):
        async with request.app[DB].write() as connection:
            await audit.note(connection, actor, "pages.refused", f"{request.method} {request.path}", outcome="denied")
        raise Forbidden("no_right", "Your account has no right to this. Ask an administrator if it should.")


def actor_of(request: web.Request) -> Actor:
    """Give who is asking; nobody in particular where nobody is signed in."""
    peer = request.remote or ""
    if SESSION not in request:
        return replace(system("nobody"), peer=peer)
    return request[SESSION].actor(peer)


async def _load_session(request: web.Request) -> None:
    token = request.cookies.get(COOKIE)
    # What a page asks for by itself must not keep somebody signed in who has gone home.
    is_seen = BACKGROUND_HEADER not in request.headers and request.path != "/live"
    if token and (view := await auth.session_for(request.app[DB], token, is_seen=is_seen)) is not None:
        request[SESSION] = view


async def _check_origin(request: web.Request) -> None:
    """Refuse a change that another site's page asks for, by what the browser says of itself."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    is_foreign = site not in (None, "same-origin", "none")
    if origin is not None and urlsplit(origin).netloc != request.host:
        is_foreign = True
    if is_foreign:
        raise Forbidden("foreign_origin", "This request came from another site and was refused.")


async def _read_form(request: web.Request, limit: int) -> Form:
    """Read a form, which handlers then find read already; bytes that are none are the sender's fault, not ours."""
    if request.can_read_body and (request.content_length is None or request.content_length > limit):
        raise TooLarge("too_large", "The request is larger than this address takes.")
    try:
        return await request.post()
    except (ValueError, LookupError, HttpProcessingError, web.RequestPayloadError):
        raise BadRequest("broken_form", "The form cannot be read. Reload the page and try again.") from None


def _check_csrf(request: web.Request, form: Form) -> None:
    sent = request.headers.get(CSRF_HEADER, form.get(CSRF_FIELD, ""))
    if not isinstance(sent, str) or not hmac.compare_digest(_bytes(sent), _bytes(request[SESSION].csrf)):
        raise Forbidden("csrf", "This form is out of date. Reload the page and try again.")


def _bytes(text: str) -> bytes:
    """Encode what a header may hold; its bytes above ASCII arrive as surrogates."""
    return text.encode("utf-8", "surrogateescape")


def set_session_cookie(response: web.StreamResponse, session: auth.Session) -> None:
    """Hand a session to a browser.

    Plain HTTP is served on loopback only, where browsers keep Secure cookies away; the proxy
    in front of other machines speaks TLS and the cookie is still never sent across sites.
    """
    response.set_cookie(COOKIE, session.token, httponly=True, samesite="Lax", path="/", max_age=session.lasts_s)


def clear_session_cookie(response: web.StreamResponse) -> None:
    response.del_cookie(COOKIE, path="/")
