"""Signing in and out, and what a browser remembers: language and light."""

from aiohttp import web

from central_server import auth
from central_server.dashboard.i18n import languages
from central_server.dashboard.page import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, render, show_for
from central_server.errors import BadRequest, CentralError, TooMany
from central_server.web import DB, SESSION, actor_of, clear_session_cookie, set_session_cookie

_YEAR_S = 365 * 24 * 3600


def local_path(text: str | None) -> str:
    """Give a path of this server to go on to; anything that could lead elsewhere becomes the start page."""
    if text and text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable():
        return text
    return "/"


async def sign_in_page(request: web.Request) -> web.StreamResponse:
    """Ask who it is; whoever is signed in goes on."""
    onward = local_path(request.query.get("next"))
    if SESSION in request:
        raise web.HTTPSeeOther(onward)
    return render(request, "sign_in.html", show_for(request), onward=onward, login="", problem=None)


async def sign_in(request: web.Request) -> web.StreamResponse:
    """Open a session, or say what is wrong and keep what was typed."""
    form = await request.post()
    login, password = str(form.get("login", "")).strip(), str(form.get("password", ""))
    onward = local_path(str(form.get("next", "")))
    try:
        session = await auth.sign_in(request.app[DB], login, password, request.remote or "")
    except (BadRequest, TooMany) as error:
        return _refused(request, error, onward, login)
    response = web.HTTPSeeOther(onward)
    set_session_cookie(response, session)
    raise response


def _refused(request: web.Request, error: CentralError, onward: str, login: str) -> web.Response:
    show = show_for(request)
    problem = show.language.gettext(error.text).format(**error.fields)
    response = render(request, "sign_in.html", show, error.status, onward=onward, login=login, problem=problem)
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


async def sign_out(request: web.Request) -> web.StreamResponse:
    """End the session here and in the browser."""
    await auth.sign_out(request.app[DB], request[SESSION].session_id, actor_of(request))
    response = web.HTTPSeeOther("/sign-in")
    clear_session_cookie(response)
    raise response


async def set_language(request: web.Request) -> web.StreamResponse:
    """Change the language of this browser, and of the person where one is signed in."""
    form = await request.post()
    code = str(form.get("language", ""))
    if code not in languages():
        raise BadRequest("no_language", "There is no such language.")
    if SESSION in request:
        await auth.set_language(request.app[DB], request[SESSION].account_id, code)
    response = web.HTTPSeeOther(local_path(str(form.get("next", ""))))
    response.set_cookie(LANGUAGE_COOKIE, code, max_age=_YEAR_S, samesite="Lax", httponly=True)
    raise response


async def set_theme(request: web.Request) -> web.StreamResponse:
    """Change the light of this browser; the page does it by itself where scripts run."""
    form = await request.post()
    before = request.cookies.get(THEME_COOKIE)
    response = web.HTTPSeeOther(local_path(str(form.get("next", ""))))
    response.set_cookie(THEME_COOKIE, THEMES[before != "dark"], max_age=_YEAR_S, samesite="Lax")
    raise response
