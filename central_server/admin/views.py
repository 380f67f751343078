"""The pages of accounts: the list, a new one, one with its sessions, and the secret that is shown once."""

from aiohttp import web

from central_server import auth
from central_server.admin import audit_views, code_views, me_views, service, trail, words
from central_server.admin.model import AccountRow, ChangedAccount, NewAccount, Opened, Wanted
from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import fit, page_number
from central_server.errors import Conflict, NotFound
from central_server.form import EMPTY, Invalid, Typed, parse, read_form
from central_server.rbac import Right, Role
from central_server.web import DB, HUB, Route, actor_of

_LATEST = 10


async def account_list(request: web.Request) -> web.StreamResponse:
    """List accounts, filtered as the address says."""
    number, role, state = page_number(request.query.get("page", "1")), request.query.get("role"), "active"
    if request.query.get("state") in ("all", "disabled"):
        state = request.query["state"]
    wanted = Wanted(
        request.query.get("q", "").strip()[:64],
        auth.role_of(role),
        "disabled" if state == "disabled" else "active" if state == "active" else "",
    )
    total, rows, counts = await service.list_accounts(request.app[DB], actor_of(request), wanted, number)
    return await page(
        request,
        "admin/accounts.html",
        show_for(request),
        paged=fit(rows, total, number, service.PAGE),
        wanted=wanted,
        state=state,
        of_role=counts,
        admin_words=words,
    )


async def new_account(request: web.Request) -> web.StreamResponse:
    """Ask for a new account."""
    return await _new(request, EMPTY)


async def open_account(request: web.Request) -> web.StreamResponse:
    """Open an account and show its password once, or say what is wrong and keep what was typed."""
    typed = await read_form(request)
    try:
        opened = await service.open_account(request.app[DB], actor_of(request), parse(NewAccount, typed))
    except Invalid as refused:
        return await _new(request, typed, refused)
    return await _secret(request, opened, is_new=True)


async def _new(request: web.Request, typed: Typed, refused: Invalid | None = None) -> web.StreamResponse:
    return await page(
        request,
        "admin/new_account.html",
        show_for(request),
        422 if refused else 200,
        typed=typed,
        problems=refused.problems if refused else {},
        sites=await service.list_sites(request.app[DB], actor_of(request)),
        is_for_every_site=actor_of(request).site_id is None,
        admin_words=words,
    )


async def _secret(request: web.Request, opened: Opened, *, is_new: bool) -> web.StreamResponse:
    return await page(
        request,
        "admin/secret.html",
        show_for(request),
        opened=opened,
        is_new=is_new,
        hours=auth.SECRET_MS // 3_600_000,
    )


async def one_account(request: web.Request) -> web.StreamResponse:
    """Show one account."""
    return await _one(request, EMPTY)


async def change_account(request: web.Request) -> web.StreamResponse:
    """Change an account; what it may do changes at once, also on pages that are open."""
    typed, key = await read_form(request), account_id(request)
    try:
        await service.change_account(request.app[DB], actor_of(request), key, parse(ChangedAccount, typed))
    except Invalid as refused:
        return await _one(request, typed, refused)
    request.app[HUB].recheck()
    raise web.HTTPSeeOther(f"/accounts/{key}?done=changed")


async def _one(
    request: web.Request, typed: Typed, refused: Invalid | None = None, problem: Conflict | None = None
) -> web.StreamResponse:
    db, actor, show = request.app[DB], actor_of(request), show_for(request)
    found = await service.get_account(db, actor, account_id(request))
    async with db.read() as connection:
        _, entries = await trail.list_entries(connection, actor, trail.Wanted(subject=f"account:{found.login}"), 1)
    return await page(
        request,
        "admin/account.html",
        show,
        422 if refused else 409 if problem else 200,
        typed=typed,
        problems=refused.problems if refused else {},
        problem=show.language.gettext(problem.text) if problem else "",
        found=found,
        sessions=await auth.open_sessions(db, found.id),
        entries=[each for each in entries if each.subject == f"account:{found.login}"][:_LATEST],
        sites=await service.list_sites(db, actor),
        roles=_roles(found),
        done=request.query.get("done", ""),
        is_for_every_site=actor.site_id is None,
        is_own=found.id == actor.account_id,
        admin_words=words,
    )


def _roles(found: AccountRow) -> list[Role]:
    return [role for role in Role if (role is Role.RESIDENT) == (found.role is Role.RESIDENT)]


async def disable(request: web.Request) -> web.StreamResponse:
    """Shut an account and end its sessions at once."""
    return await _set_disabled(request, is_disabled=True)


async def enable(request: web.Request) -> web.StreamResponse:
    """Open a shut account again."""
    return await _set_disabled(request, is_disabled=False)


async def _set_disabled(request: web.Request, *, is_disabled: bool) -> web.StreamResponse:
    key = account_id(request)
    try:
        await service.set_disabled(request.app[DB], actor_of(request), key, is_disabled=is_disabled)
    except Conflict as problem:
        return await _one(request, EMPTY, problem=problem)
    request.app[HUB].recheck()
    raise web.HTTPSeeOther(f"/accounts/{key}?done={'disabled' if is_disabled else 'enabled'}")


async def reset(request: web.Request) -> web.StreamResponse:
    """Give an account a new password and show it once."""
    opened = await service.reset_password(request.app[DB], actor_of(request), account_id(request))
    request.app[HUB].recheck()
    return await _secret(request, opened, is_new=False)


async def end_sessions(request: web.Request) -> web.StreamResponse:
    """Sign somebody out everywhere."""
    key = account_id(request)
    await service.end_sessions(request.app[DB], actor_of(request), key)
    request.app[HUB].recheck()
    raise web.HTTPSeeOther(f"/accounts/{key}?done=ended")


def account_id(request: web.Request) -> int:
    """Read the address's account. Raises: NotFound."""
    text = request.match_info["id"]
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise NotFound("no_account", "There is no such account.")
    return int(text)


def routes() -> list[Route]:
    """Give the routes of accounts, of the audit, of codes and of one's own account."""
    return [
        Route("GET", "/accounts", account_list, Right.ACCOUNTS_SEE),
        Route("GET", "/accounts/new", new_account, Right.ACCOUNTS_EDIT),
        Route("POST", "/accounts/new", open_account, Right.ACCOUNTS_EDIT),
        Route("GET", "/accounts/{id}", one_account, Right.ACCOUNTS_SEE),
        Route("POST", "/accounts/{id}", change_account, Right.ACCOUNTS_EDIT),
        Route("POST", "/accounts/{id}/disable", disable, Right.ACCOUNTS_EDIT),
        Route("POST", "/accounts/{id}/enable", enable, Right.ACCOUNTS_EDIT),
        Route("POST", "/accounts/{id}/reset", reset, Right.ACCOUNTS_EDIT),
        Route("POST", "/accounts/{id}/end-sessions", end_sessions, Right.ACCOUNTS_EDIT),
        *audit_views.routes(),
        *code_views.routes(),
        *me_views.routes(),
    ]
