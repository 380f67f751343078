"""Where the office plans: checkpoints and their labels, check items, routes, plans."""

from collections.abc import Sequence
from typing import Any

import segno
from aiohttp import web
from markupsafe import Markup

from central_server.dashboard.page import page, show_for
from central_server.form import EMPTY, Invalid, Typed, parse, read_form
from central_server.inspection import service, words
from central_server.inspection.address import key_of
from central_server.inspection.entry import ItemEntry, PlanEntry, PointEntry, RouteEntry
from central_server.inspection.service import PointRow
from central_server.inspection.store import SiteRow
from central_server.web import DB, actor_of

Refused = Invalid | None


async def points(request: web.Request) -> web.StreamResponse:
    """List the checkpoints."""
    actor, search = actor_of(request), request.query.get("q", "").strip()[:64]
    is_retired = request.query.get("state") == "retired"
    async with request.app[DB].read() as connection:
        rows = await service.list_points(connection, actor, search=search, is_retired=is_retired)
    return await page(
        request, "inspection/points.html", show_for(request), rows=rows, search=search, is_retired=is_retired
    )


async def point(request: web.Request) -> web.StreamResponse:
    """Show a checkpoint with what is looked at there."""
    return await _point(request)


async def change_point(request: web.Request) -> web.StreamResponse:
    """Write a checkpoint anew."""
    typed, key = await read_form(request), key_of(request, "key")
    try:
        await service.change_point(request.app[DB], actor_of(request), key, parse(PointEntry, typed))
    except Invalid as refused:
        return await _point(request, typed, refused)
    raise web.HTTPSeeOther(f"/inspection/checkpoints/{key}")


async def new_point(request: web.Request) -> web.StreamResponse:
    """Ask for a new checkpoint."""
    return await _new_point(request)


async def add_point(request: web.Request) -> web.StreamResponse:
    """Write down a checkpoint."""
    typed = await read_form(request)
    try:
        made = await service.add_point(request.app[DB], actor_of(request), parse(PointEntry, typed))
    except Invalid as refused:
        return await _new_point(request, typed, refused)
    raise web.HTTPSeeOther(f"/inspection/checkpoints/{made}")


async def retire_point(request: web.Request) -> web.StreamResponse:
    """Take a checkpoint out of the rounds to come, or back into them."""
    typed, key = await read_form(request), key_of(request, "key")
    is_retired = typed.get("retired") == "1"
    await service.retire_point(request.app[DB], actor_of(request), key, is_retired=is_retired)
    raise web.HTTPSeeOther(f"/inspection/checkpoints/{key}")


async def new_label(request: web.Request) -> web.StreamResponse:
    """Make a checkpoint's label void for a new one."""
    key = key_of(request, "key")
    await service.new_label(request.app[DB], actor_of(request), key)
    raise web.HTTPSeeOther(f"/inspection/labels?point={key}")


async def add_item(request: web.Request) -> web.StreamResponse:
    """Add what is looked at."""
    typed, key = await read_form(request), key_of(request, "key")
    try:
        await service.add_item(request.app[DB], actor_of(request), key, parse(ItemEntry, typed))
    except Invalid as refused:
        return await _point(request, typed, refused, is_item=True)
    raise web.HTTPSeeOther(f"/inspection/checkpoints/{key}#items")


async def retire_item(request: web.Request) -> web.StreamResponse:
    """Ask for something no more."""
    key, item = key_of(request, "key"), key_of(request, "item")
    await service.retire_item(request.app[DB], actor_of(request), key, item)
    raise web.HTTPSeeOther(f"/inspection/checkpoints/{key}#items")


async def labels(request: web.Request) -> web.StreamResponse:
    """Print labels: all of them, or one."""
    only = request.query.get("point", "")
    async with request.app[DB].read() as connection:
        rows = await service.list_points(connection, actor_of(request))
    shown = [each.row for each in rows if not only or str(each.row.id) == only]
    made = [(row, _code(request, row)) for row in shown]
    return await page(request, "inspection/labels.html", show_for(request), labels=made, origin=_origin(request))


def _origin(request: web.Request) -> str:
    return f"{request.url.origin()}"


def _code(request: web.Request, row: PointRow) -> Markup:
    """Draw a label's code; phones open its address."""
    made = segno.make(f"{_origin(request)}/rounds/at/{row.secret}", error="m", micro=False)
    # Drawn by the library from a secret of ours: nothing of it was typed by anybody.
    return Markup(made.svg_inline(scale=1, omitsize=True, border=0, svgclass="qr", lineclass=None))  # noqa: S704


async def routes(request: web.Request) -> web.StreamResponse:
    """List the routes."""
    async with request.app[DB].read() as connection:
        rows, used = await service.list_routes(connection, actor_of(request))
    return await page(request, "inspection/routes.html", show_for(request), rows=rows, used=used)


async def new_route(request: web.Request) -> web.StreamResponse:
    """Ask for a new route."""
    return await _route(request)


async def add_route(request: web.Request) -> web.StreamResponse:
    """Write down a route."""
    typed = await read_form(request)
    try:
        entry = parse(RouteEntry, typed)
        await service.add_route(request.app[DB], actor_of(request), entry, _in_order(typed))
    except Invalid as refused:
        return await _route(request, typed, refused)
    raise web.HTTPSeeOther("/inspection/routes")


async def route(request: web.Request) -> web.StreamResponse:
    """Show a route with its points."""
    return await _route(request)


async def change_route(request: web.Request) -> web.StreamResponse:
    """Write a route anew."""
    typed, key = await read_form(request), key_of(request, "key")
    try:
        entry = parse(RouteEntry, typed)
        await service.change_route(request.app[DB], actor_of(request), key, entry, _in_order(typed))
    except Invalid as refused:
        return await _route(request, typed, refused)
    raise web.HTTPSeeOther("/inspection/routes")


def _in_order(typed: Typed) -> list[int]:
    """Give the checkpoints that have a number, by it; equal numbers by their place in the list."""
    found: list[tuple[int, int, int]] = []
    for name, text in typed.values.items():
        kind, _, key = name.partition("-")
        if kind == "p" and key.isascii() and key.isdecimal() and text.isascii() and text.isdecimal():
            found.append((int(text[:6]), len(found), int(key[:15])))
    return [key for _, _, key in sorted(found)]


async def plans(request: web.Request) -> web.StreamResponse:
    """List the plans, those in force first."""
    async with request.app[DB].read() as connection:
        rows = await service.list_plans(connection, actor_of(request), with_ended=True)
    return await page(request, "inspection/plans.html", show_for(request), rows=rows)


async def new_plan(request: web.Request) -> web.StreamResponse:
    """Ask for a new plan."""
    return await _plan(request)


async def add_plan(request: web.Request) -> web.StreamResponse:
    """Write down a plan."""
    typed = await read_form(request)
    try:
        await service.add_plan(request.app[DB], actor_of(request), parse(PlanEntry, typed))
    except Invalid as refused:
        return await _plan(request, typed, refused)
    raise web.HTTPSeeOther("/inspection/plans")


async def plan(request: web.Request) -> web.StreamResponse:
    """Show a plan."""
    return await _plan(request)


async def change_plan(request: web.Request) -> web.StreamResponse:
    """Write a plan anew."""
    typed, key = await read_form(request), key_of(request, "key")
    try:
        await service.change_plan(request.app[DB], actor_of(request), key, parse(PlanEntry, typed))
    except Invalid as refused:
        return await _plan(request, typed, refused)
    raise web.HTTPSeeOther("/inspection/plans")


async def end_plan(request: web.Request) -> web.StreamResponse:
    """Let a plan make no more rounds."""
    key = key_of(request, "key")
    await service.end_plan(request.app[DB], actor_of(request), key)
    raise web.HTTPSeeOther("/inspection/plans")


async def _new_point(request: web.Request, typed: Typed = EMPTY, refused: Refused = None) -> web.Response:
    return await _answer(request, "inspection/point_new.html", typed, refused, **await _choices(request))


async def _point(
    request: web.Request, typed: Typed = EMPTY, refused: Refused = None, *, is_item: bool = False
) -> web.Response:
    async with request.app[DB].read() as connection:
        view = await service.get_point(connection, actor_of(request), key_of(request, "key"))
    context = await _choices(request)
    gettext = show_for(request).language.gettext
    context |= {"view": view, "kinds": words.KINDS, "is_item": is_item}
    context["kind_options"] = [(key, gettext(text)) for key, text in words.KINDS.items()]
    return await _answer(request, "inspection/point_edit.html", typed, refused, **context)


async def _choices(request: web.Request) -> dict[str, Any]:
    actor = actor_of(request)
    async with request.app[DB].read() as connection:
        buildings, equipment = await service.places_of(connection, actor)
        sites = await service.list_sites(connection, actor)
    return {"sites": sites, "site_options": _options(sites), "buildings": buildings, "equipment": equipment}


def _options(sites: Sequence[SiteRow]) -> list[tuple[int, str]]:
    return [(site.id, site.name) for site in sites]


async def _route(request: web.Request, typed: Typed = EMPTY, refused: Refused = None) -> web.Response:
    key, actor = request.match_info.get("key"), actor_of(request)
    async with request.app[DB].read() as connection:
        row = await service.get_route(connection, actor, key_of(request, "key")) if key else None
        chosen: Sequence[int] = await service.points_of_route(connection, row.id) if row else ()
        rows = await service.list_points(connection, actor, site_id=row.site_id if row else None)
        sites = await service.list_sites(connection, actor)
    places = {point_id: position for position, point_id in enumerate(chosen, 1)}
    shown = sorted((each.row for each in rows), key=lambda each: (places.get(each.id, 10**6), each.site, each.code))
    return await _answer(
        request,
        "inspection/route_edit.html",
        typed,
        refused,
        row=row,
        order=places,
        points=shown,
        sites=sites,
        site_options=_options(sites),
    )


async def _plan(request: web.Request, typed: Typed = EMPTY, refused: Refused = None) -> web.Response:
    key, actor = request.match_info.get("key"), actor_of(request)
    async with request.app[DB].read() as connection:
        row = await service.get_plan(connection, actor, key_of(request, "key")) if key else None
        routes, _ = await service.list_routes(connection, actor)
        inspectors = await service.list_inspectors(connection, row.site_id if row else actor.site_id)
    shown = [each for each in routes if row is None or each.site_id == row.site_id]
    several = len({each.site_id for each in shown}) > 1
    options = [(each.id, f"{each.name} ({each.site})" if several else each.name) for each in shown]
    show = show_for(request)
    context: dict[str, Any] = {"row": row, "route_options": options, "inspector_options": inspectors}
    context["today"] = show.local(show.now).date().isoformat()
    return await _answer(request, "inspection/plan_edit.html", typed, refused, **context)


async def _answer(request: web.Request, template: str, typed: Typed, refused: Refused, **context: Any) -> web.Response:
    return await page(
        request,
        template,
        show_for(request),
        422 if refused else 200,
        typed=typed,
        problems=refused.problems if refused else {},
        **context,
    )
