"""The office's pages for notices: the list, one with who has read it, and the form."""

from aiohttp import web

from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import fit, page_number
from central_server.dashboard.show import Show
from central_server.errors import NotFound
from central_server.form import EMPTY, Invalid, Typed, parse, read_form
from central_server.mask import name_mask
from central_server.notices import service, words
from central_server.notices.live import tell
from central_server.notices.model import Draft, Seen, State
from central_server.notices.store import Notice
from central_server.rbac import Right
from central_server.web import DB, HUB, Route, actor_of

_PAGE = 50


async def notice_list(request: web.Request) -> web.StreamResponse:
    """List notices, newest first."""
    number, wanted = page_number(request.query.get("page", "1")), request.query.get("state", "")
    state = State(wanted) if wanted in set(State) else None
    async with request.app[DB].read() as connection:
        total, items = await service.list_notices(
            connection, actor_of(request), state, limit=_PAGE, offset=(number - 1) * _PAGE
        )
    return await page(
        request,
        "notices/list.html",
        show_for(request),
        paged=fit(items, total, number, _PAGE),
        state=state,
        notice_words=words,
    )


async def one_notice(request: web.Request) -> web.StreamResponse:
    """Show a notice, how many have read it, and who has not."""
    number, actor = page_number(request.query.get("page", "1")), actor_of(request)
    async with request.app[DB].read() as connection:
        found = await service.get_notice(connection, actor, _key(request))
        reading = await service.reading_of(connection, found, limit=_PAGE, offset=(number - 1) * _PAGE)
    show = show_for(request, found.zone)
    return await page(
        request,
        "notices/notice.html",
        show,
        notice=found,
        state=found.state(show.now).value,
        reading=reading,
        paged=fit(reading.missing, reading.unread, number, _PAGE),
        mask=name_mask(actor),
        notice_words=words,
    )


async def new_notice(request: web.Request) -> web.StreamResponse:
    """Ask for a new notice."""
    return await _form(request, EMPTY)


async def draft(request: web.Request) -> web.StreamResponse:
    """Write a draft, or say what is wrong and keep what was typed."""
    typed = await read_form(request)
    try:
        made = await service.draft(request.app[DB], actor_of(request), parse(Draft, typed))
    except Invalid as refused:
        return await _form(request, typed, refused)
    raise web.HTTPSeeOther(f"/notices/{made}")


async def edit_page(request: web.Request) -> web.StreamResponse:
    """Ask for a draft's changes."""
    async with request.app[DB].read() as connection:
        found = await service.get_notice(connection, actor_of(request), _key(request))
    return await _form(request, _typed(found, show_for(request, found.zone)), notice=found)


async def edit(request: web.Request) -> web.StreamResponse:
    """Change a draft, or say what is wrong and keep what was typed."""
    typed, key = await read_form(request), _key(request)
    async with request.app[DB].read() as connection:
        found = await service.get_notice(connection, actor_of(request), key)
    try:
        await service.edit(request.app[DB], actor_of(request), key, parse(Draft, typed))
    except Invalid as refused:
        return await _form(request, typed, refused, notice=found)
    raise web.HTTPSeeOther(f"/notices/{key}")


def _typed(found: Notice, show: Show) -> Typed:
    """Give a draft as its form would have sent it."""
    values = {"site": str(found.site_id), "title": found.title, "body": found.body, "version": str(found.version)}
    if found.is_emergency:
        values["is_emergency"] = "1"
    if found.expires_at is not None:
        values["last_day"] = show.local(found.expires_at - 1).date().isoformat()
    return Typed(values, {"buildings": [str(each) for each in found.building_ids]})


async def _form(
    request: web.Request, typed: Typed, refused: Invalid | None = None, notice: Notice | None = None
) -> web.StreamResponse:
    actor = actor_of(request)
    async with request.app[DB].read() as connection:
        sites, buildings = await service.sites(connection, actor), await service.buildings(connection, actor)
    return await page(
        request,
        "notices/form.html",
        show_for(request),
        422 if refused else 200,
        typed=typed,
        problems=refused.problems if refused else {},
        sites=sites,
        buildings=buildings,
        notice=notice,
    )


async def publish(request: web.Request) -> web.StreamResponse:
    """Let those it is for read a draft."""
    version = parse(Seen, await read_form(request)).version
    found = await service.publish(request.app[DB], actor_of(request), _key(request), version)
    tell(request.app[HUB], found.site_id)
    raise web.HTTPSeeOther(f"/notices/{found.id}")


async def withdraw(request: web.Request) -> web.StreamResponse:
    """Take a notice away."""
    version = parse(Seen, await read_form(request)).version
    found = await service.withdraw(request.app[DB], actor_of(request), _key(request), version)
    tell(request.app[HUB], found.site_id)
    raise web.HTTPSeeOther(f"/notices/{found.id}")


def _key(request: web.Request) -> int:
    text = request.match_info["id"]
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise NotFound("not_found", "There is nothing at this address.")
    return int(text)


def routes() -> list[Route]:
    """Give the office's routes with who may use them."""
    return [
        Route("GET", "/notices", notice_list, Right.NOTICES_WRITE),
        Route("GET", "/notices/new", new_notice, Right.NOTICES_WRITE),
        Route("POST", "/notices/new", draft, Right.NOTICES_WRITE),
        Route("GET", "/notices/{id}", one_notice, Right.NOTICES_WRITE),
        Route("GET", "/notices/{id}/edit", edit_page, Right.NOTICES_WRITE),
        Route("POST", "/notices/{id}/edit", edit, Right.NOTICES_WRITE),
        Route("POST", "/notices/{id}/publish", publish, Right.NOTICES_WRITE),
        Route("POST", "/notices/{id}/withdraw", withdraw, Right.NOTICES_WRITE),
    ]
