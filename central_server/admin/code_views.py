"""Signing in by a one-time code, and handing one over at the desk."""

from typing import Any

from aiohttp import web

from central_server.admin import codes
from central_server.dashboard.page import page, render, show_for
from central_server.dashboard.session_pages import local_path
from central_server.errors import BadRequest, CentralError, NotFound, TooMany
from central_server.rbac import Right
from central_server.web import DB, SESSION, Policy, Route, actor_of, set_session_cookie


async def code_page(request: web.Request) -> web.StreamResponse:
    """Ask for a number and a code; whoever is signed in goes on."""
    onward = local_path(request.query.get("next"))
    if SESSION in request:
        raise web.HTTPSeeOther(onward)
    return _ask(request, onward)


def _ask(
    request: web.Request, onward: str, who: str = "", *, error: CentralError | None = None, is_sent: bool = False
) -> web.Response:
    show = show_for(request)
    problem = show.language.gettext(error.text).format(**error.fields) if error else None
    context = {"onward": onward, "who": who, "problem": problem, "is_sent": is_sent}
    response = render(request, "admin/code.html", show, error.status if error else 200, **context)
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


async def sign_in(request: web.Request) -> web.StreamResponse:
    """Open a session by a code, or say that something is not right and keep the number."""
    form = await request.post()
    who, code = str(form.get("who", "")).strip()[:64], str(form.get("code", "")).strip()[:16]
    onward = local_path(str(form.get("next", "")))
    try:
        session = await codes.sign_in_with_code(request.app[DB], who, code, request.remote or "")
    except (BadRequest, TooMany) as error:
        return _ask(request, onward, who, error=error)
    response = web.HTTPSeeOther(onward)
    set_session_cookie(response, session)
    raise response


async def send(request: web.Request) -> web.StreamResponse:
    """Put a code into the outbox; the answer is the same whether the number is known or not."""
    form = await request.post()
    who, onward = str(form.get("who", "")).strip()[:64], local_path(str(form.get("next", "")))
    try:
        await codes.send_code(request.app[DB], who, request.remote or "", _today(request))
    except TooMany as error:
        return _ask(request, onward, who, error=error)
    return _ask(request, onward, who, is_sent=True)


async def before_hand_over(request: web.Request) -> web.StreamResponse:
    """Ask whether it is the right person before a code is made."""
    guest = await codes.get_guest(request.app[DB], actor_of(request), _person_id(request), _today(request))
    return await _handing(request, guest=guest, handed=None)


async def hand_over(request: web.Request) -> web.StreamResponse:
    """Make a code for somebody at the desk and show it once."""
    handed = await codes.hand_over_code(request.app[DB], actor_of(request), _person_id(request), _today(request))
    return await _handing(request, guest=None, handed=handed)


async def _handing(request: web.Request, **context: Any) -> web.Response:
    minutes = codes.LASTS_MS // 60_000
    return await page(request, "admin/handed_code.html", show_for(request), minutes=minutes, **context)


def _person_id(request: web.Request) -> int:
    text = request.match_info["person_id"]
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise NotFound("no_person", "There is no such person.")
    return int(text)


def _today(request: web.Request) -> str:
    show = show_for(request)
    return show.local(show.now).date().isoformat()


def routes() -> list[Route]:
    """Give the routes of codes."""
    return [
        Route("GET", "/sign-in/code", code_page, Policy.PUBLIC),
        Route("POST", "/sign-in/code", sign_in, Policy.PUBLIC),
        Route("POST", "/sign-in/code/send", send, Policy.PUBLIC),
        Route("GET", "/codes/{person_id}", before_hand_over, Right.CODES_HAND_OVER),
        Route("POST", "/codes/{person_id}", hand_over, Right.CODES_HAND_OVER),
    ]
