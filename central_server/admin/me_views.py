"""A person's own account: language, password, where they are signed in."""

from aiohttp import web

from central_server import auth
from central_server.admin import service, words
from central_server.admin.model import OwnPassword
from central_server.dashboard.page import page, render, show_for
from central_server.errors import TooMany
from central_server.form import EMPTY, Invalid, Problem, Typed, parse
from central_server.web import DB, HUB, SESSION, Policy, Route, actor_of


async def me(request: web.Request) -> web.StreamResponse:
    """Show the account to whom it belongs."""
    return await _me(request)


async def _me(request: web.Request, refused: Invalid | None = None) -> web.StreamResponse:
    own = request[SESSION]
    sites = await service.list_sites(request.app[DB], actor_of(request))
    return await page(
        request,
        "admin/me.html",
        show_for(request),
        422 if refused else 200,
        typed=EMPTY,  # a password that was typed is not sent back
        problems=refused.problems if refused else {},
        own=own,
        site=next((each.name for each in sites if each.id == own.site_id), ""),
        sessions=await auth.open_sessions(request.app[DB], own.account_id),
        done=request.query.get("done", ""),
        admin_words=words,
    )


async def password_page(request: web.Request) -> web.StreamResponse:
    """Ask for a password of the person's own, before anything else where they have none yet."""
    if not request[SESSION].must_change:
        raise web.HTTPSeeOther("/me#password")
    return _change(request)


def _change(request: web.Request, refused: Invalid | None = None) -> web.Response:
    problems = refused.problems if refused else {}
    return render(request, "admin/password.html", show_for(request), 422 if refused else 200, problems=problems)


async def change_password(request: web.Request) -> web.StreamResponse:
    """Take a new password, or say what is wrong with it."""
    own, form = request[SESSION], await request.post()
    # A blank at the end of a password is part of it: the usual way of reading a form would cut it off.
    typed = Typed({name: str(form.get(name, "")) for name in OwnPassword.model_fields})
    try:
        wanted = parse(OwnPassword, typed)
        await service.change_own_password(request.app[DB], actor_of(request), own.session_id, wanted)
    except (Invalid, TooMany) as error:
        refused = error if isinstance(error, Invalid) else Invalid({"current": Problem(error.text, error.fields)})
        return _change(request, refused) if own.must_change else await _me(request, refused)
    request.app[HUB].recheck()
    raise web.HTTPSeeOther("/" if own.must_change else "/me?done=password")


async def end_others(request: web.Request) -> web.StreamResponse:
    """Sign out everywhere else."""
    await service.end_other_sessions(request.app[DB], actor_of(request), request[SESSION].session_id)
    request.app[HUB].recheck()
    raise web.HTTPSeeOther("/me?done=ended")


def routes() -> list[Route]:
    """Give the routes of one's own account."""
    return [
        Route("GET", "/me", me, Policy.SIGNED_IN),
        Route("GET", "/me/password", password_page, Policy.SIGNED_IN),
        Route("POST", "/me/password", change_password, Policy.SIGNED_IN),
        Route("POST", "/me/end-others", end_others, Policy.SIGNED_IN),
    ]
