"""A resident's pages: reporting a fault with photos, seeing how far its repair is, and having the last word."""

import secrets

from aiohttp import web

from central_server.dashboard.page import page, show_for
from central_server.errors import Conflict
from central_server.form import EMPTY, Invalid, Typed, parse, read_form
from central_server.photos import service as photos
from central_server.photos.service import MAX_BODY
from central_server.rbac import Right
from central_server.records import residency
from central_server.web import DB, HUB, Route, actor_of
from central_server.workorders import service
from central_server.workorders.asked import FORMS, Comment, Rated
from central_server.workorders.forms import Side, Trouble, context, order_id_of
from central_server.workorders.live import tell
from central_server.workorders.model import State, Step
from central_server.workorders.store import Order

STEPS = (Step.CANCEL, Step.APPROVE, Step.REFUSE, Step.CONFIRM, Step.REOPEN)
RATEABLE = frozenset({State.AWAIT_CONFIRM, State.CLOSED})


async def faults(request: web.Request) -> web.StreamResponse:
    """Show what I have reported."""
    show, actor = show_for(request), actor_of(request)
    async with request.app[DB].read() as connection:
        mine = await service.orders_of_person(connection, actor.person_id) if actor.person_id is not None else []
    return await page(request, "workorders/faults.html", show, **context(show, orders=mine))


async def new(request: web.Request) -> web.StreamResponse:
    """Show the form for a fault."""
    return await _form(request, EMPTY)


async def create(request: web.Request) -> web.StreamResponse:
    """Report a fault, or say what is missing and keep what was typed."""
    typed = await read_form(request)
    try:
        report = parse(service.FaultReport, typed)
        pictures = await photos.prepare(typed.files.get("photos", []))
        order = await service.report_fault(request.app[DB], actor_of(request), report, pictures)
    except Invalid as refused:
        return await _form(request, typed, refused)
    tell(request.app[HUB], order.site_id)
    raise web.HTTPSeeOther(f"/home/faults/{order.id}")


async def _form(request: web.Request, typed: Typed, refused: Invalid | None = None) -> web.StreamResponse:
    show, person_id = show_for(request), actor_of(request).person_id
    today = show.local(show.now).date().isoformat()
    async with request.app[DB].read() as connection:
        units = await residency.units_of(connection, person_id, today) if person_id is not None else []
    return await page(
        request,
        "workorders/report.html",
        show,
        422 if refused else 200,
        typed=typed,
        problems=refused.problems if refused else {},
        **context(
            show,
            units=[(each.id, f"{each.building_name} {each.code}") for each in units],
            once=typed.get("once") or secrets.token_hex(16),
        ),
    )


async def fault(request: web.Request) -> web.StreamResponse:
    """Show one of my reports."""
    return await _fault(request, Trouble(request.query.get("do", "")))


async def _fault(request: web.Request, trouble: Trouble) -> web.StreamResponse:
    show = show_for(request)
    async with request.app[DB].read() as connection:
        view = await service.get_for_person(connection, actor_of(request), order_id_of(request), show.now)
    order = view.order
    return await page(
        request,
        "workorders/fault.html",
        show_for(request, order.zone),
        trouble.status,
        **trouble.shown,
        **context(
            show, view=view, order=order, forms=FORMS, may_rate=_may_rate(order), reopen_until=_reopen_until(order)
        ),
    )


def _may_rate(order: Order) -> bool:
    return order.facts.rating is None and order.facts.state in RATEABLE


def _reopen_until(order: Order) -> int | None:
    return None if order.facts.ended_at is None else order.facts.ended_at + service.REOPENS_WITHIN_MS


async def _find(request: web.Request) -> Order:
    show = show_for(request)
    async with request.app[DB].read() as connection:
        found = await service.get_for_person(connection, actor_of(request), order_id_of(request), show.now)
    return found.order


async def comment(request: web.Request) -> web.StreamResponse:
    """Add words and photos to my report."""
    typed, order = await read_form(request), await _find(request)
    try:
        pictures = await photos.prepare(typed.files.get("photos", []))
        note = parse(Comment, typed).note if typed.get("note") or not pictures else None
        await service.comment(request.app[DB], actor_of(request), order.id, service.Said({}, note, pictures))
    except Invalid as refused:
        return await _fault(request, Trouble("comment", typed, problems=refused))
    tell(request.app[HUB], order.site_id)
    raise web.HTTPSeeOther(f"/home/faults/{order.id}")


async def urge(request: web.Request) -> web.StreamResponse:
    """Ask for more haste."""
    order = await _find(request)
    try:
        await service.urge(request.app[DB], actor_of(request), order.id)
    except Conflict as refused:
        return await _fault(request, Trouble(conflict=refused))
    tell(request.app[HUB], order.site_id)
    raise web.HTTPSeeOther(f"/home/faults/{order.id}")


async def rate(request: web.Request) -> web.StreamResponse:
    """Say how good the repair was."""
    typed, order = await read_form(request), await _find(request)
    try:
        said = parse(Rated, typed)
        await service.rate(request.app[DB], actor_of(request), order.id, said.stars, said.note)
    except Invalid as refused:
        return await _fault(request, Trouble("rate", typed, problems=refused))
    except Conflict as refused:
        return await _fault(request, Trouble(conflict=refused))
    tell(request.app[HUB], order.site_id)
    raise web.HTTPSeeOther(f"/home/faults/{order.id}")


SIDE = Side("/home/faults", Right.HOME, _find, _fault)


def routes() -> list[Route]:
    """Give the resident's routes."""
    return [
        Route("GET", "/home/faults", faults, Right.HOME),
        Route("GET", "/home/faults/new", new, Right.HOME),
        Route("POST", "/home/faults/new", create, Right.HOME, max_body=MAX_BODY),
        Route("GET", "/home/faults/{order_id}", fault, Right.HOME),
        Route("POST", "/home/faults/{order_id}/comment", comment, Right.HOME, max_body=MAX_BODY),
        Route("POST", "/home/faults/{order_id}/urge", urge, Right.HOME),
        Route("POST", "/home/faults/{order_id}/rate", rate, Right.HOME),
        *SIDE.routes(STEPS),
    ]
