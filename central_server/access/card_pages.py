"""Cards: listed, given, changed and taken away."""

from typing import Any

from aiohttp import web

from central_server.access import service, store
from central_server.access.entry import NewCard, read_grants
from central_server.access.pages import context, key
from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import page_number
from central_server.form import EMPTY, Invalid, Typed, parse, read_form
from central_server.web import DB, HUB, actor_of


async def card_list(request: web.Request) -> web.StreamResponse:
    """Show the cards, or those of one person."""
    actor, search = actor_of(request), request.query.get("q", "").strip()[:100]
    async with request.app[DB].read() as connection:
        shown = await service.list_cards(connection, actor, search, page_number(request.query.get("page", "1")))
    return await page(request, "access/cards.html", show_for(request), shown=shown, search=search, **context(actor))


async def new_card(request: web.Request) -> web.StreamResponse:
    """Show the form; an unknown card that a reader has seen is filled in already."""
    given = {
        name: request.query[name][:100] for name in ("person", "bits", "number", "site_id") if name in request.query
    }
    return await _new_page(request, Typed(given) if given else EMPTY)


async def add_card(request: web.Request) -> web.StreamResponse:
    """Give a card, or keep what was typed."""
    typed = await read_form(request)
    try:
        made = await service.enrol(request.app[DB], actor_of(request), parse(NewCard, typed), read_grants(typed))
    except Invalid as refused:
        return await _new_page(request, typed, refused)
    return await _changed(request, made)


async def _new_page(request: web.Request, typed: Typed, refused: Invalid | None = None) -> web.StreamResponse:
    actor = actor_of(request)
    return await page(
        request,
        "access/new_card.html",
        show_for(request),
        422 if refused else 200,
        typed=typed,
        problems=refused.problems if refused else {},
        **await _choices(request),
        **context(actor),
    )


async def one_card(request: web.Request) -> web.StreamResponse:
    """Show a card: whose, how long, which doors."""
    return await _card_page(request)


async def change_card(request: web.Request) -> web.StreamResponse:
    """Say anew which doors a card opens."""
    typed = await read_form(request)
    try:
        await service.change_grants(request.app[DB], actor_of(request), key(request), read_grants(typed))
    except Invalid as refused:
        return await _card_page(request, typed, refused)
    return await _changed(request, key(request))


async def revoke_card(request: web.Request) -> web.StreamResponse:
    """Take a card away for good."""
    await service.revoke(request.app[DB], actor_of(request), key(request))
    return await _changed(request, key(request))


async def _card_page(
    request: web.Request, typed: Typed | None = None, refused: Invalid | None = None
) -> web.StreamResponse:
    actor = actor_of(request)
    async with request.app[DB].read() as connection:
        card = await service.get_card(connection, actor, key(request))
        grants = await store.grants_of(connection, card.id)
    if typed is None:
        typed = Typed({f"group-{group}": "always" if when is None else str(when) for group, when in grants.items()})
    return await page(
        request,
        "access/card.html",
        show_for(request, card.zone),
        422 if refused else 200,
        card=card,
        typed=typed,
        problems=refused.problems if refused else {},
        **await _choices(request, card.site_id),
        **context(actor),
    )


async def _choices(request: web.Request, site_id: int | None = None) -> dict[str, Any]:
    """Give the groups and schedules to choose from, of one site or of all the actor's."""
    actor = actor_of(request)
    async with request.app[DB].read() as connection:
        sites = await store.sites(connection, actor)
        groups = await store.groups(connection, actor)
        schedules = await store.schedules(connection, actor)
    return {
        "sites": sites,
        "groups": [row for row in groups if site_id in (None, row.site_id)],
        "schedules": [row for row in schedules if site_id in (None, row.site_id)],
    }


async def _changed(request: web.Request, card_id: int) -> web.StreamResponse:
    async with request.app[DB].read() as connection:
        card = await service.get_card(connection, actor_of(request), card_id)
    request.app[HUB].publish({"type": "doors"}, site_id=card.site_id)
    raise web.HTTPSeeOther(f"/doors/cards/{card_id}")
