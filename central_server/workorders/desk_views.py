"""The desk's pages: the list, the board, one order, and the form that writes a fault down."""

import secrets
from typing import Any

from aiohttp import web

from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import fit, page_number
from central_server.errors import Conflict
from central_server.form import EMPTY, Invalid, Typed, parse, read_form
from central_server.mask import mask_name, mask_phone
from central_server.photos import service as photos
from central_server.photos.service import MAX_BODY
from central_server.rbac import Right
from central_server.web import DB, HUB, Route, actor_of
from central_server.workorders import service
from central_server.workorders.asked import FORMS, Comment, Seen
from central_server.workorders.forms import Side, Trouble, context, order_id_of
from central_server.workorders.lists import GROUPS, OrderView, Wanted
from central_server.workorders.live import tell
from central_server.workorders.model import Step, Who
from central_server.workorders.store import Order

_SIZE = 50
STEPS = (
    *(Step.TRIAGE, Step.MERGE, Step.REJECT, Step.POOL, Step.ASSIGN, Step.TRANSFER, Step.DEFER, Step.TAKE_UP),
    *(Step.APPROVE, Step.REFUSE, Step.CONFIRM, Step.REOPEN, Step.CANCEL),
)


async def orders(request: web.Request) -> web.StreamResponse:
    """Show the orders as a list, or as a board where the address says so."""
    if request.query.get("view") == "board":
        return await _board(request)
    show, actor = show_for(request), actor_of(request)
    wanted, number = _wanted(request), page_number(request.query.get("page", "1"))
    async with request.app[DB].read() as connection:
        found = {"limit": _SIZE, "offset": (number - 1) * _SIZE}
        total, listed = await service.list_orders(connection, actor, wanted, show.now, **found)
        counts = await service.counts(connection, actor, show.now)
        technicians = await service.technicians(connection, actor.site_id)
    paged = fit(listed, total, number, _SIZE)
    return await page(
        request,
        "workorders/list.html",
        show,
        **context(show, paged=paged, wanted=wanted, sums=counts, technicians=technicians, groups=GROUPS),
    )


def _wanted(request: web.Request) -> Wanted:
    query = request.query
    lead = query.get("lead", "")
    return Wanted(
        group=query.get("show", "open"),
        category=query.get("category", ""),
        urgency=query.get("urgency", ""),
        source=query.get("source", ""),
        lead_id=int(lead) if lead.isascii() and lead.isdecimal() and len(lead) < 16 else None,
        is_overdue=query.get("overdue", "") == "1",
        search=query.get("q", "").strip()[:100],
        sort=query.get("sort", "due"),
    )


async def _board(request: web.Request) -> web.StreamResponse:
    show, actor = show_for(request), actor_of(request)
    async with request.app[DB].read() as connection:
        columns = await service.board(connection, actor, show.now)
        counts = await service.counts(connection, actor, show.now)
        technicians = await service.technicians(connection, actor.site_id)
    return await page(
        request,
        "workorders/board.html",
        show,
        **context(show, columns=columns, sums=counts, technicians=technicians),
    )


async def new(request: web.Request) -> web.StreamResponse:
    """Show the form that writes a fault down."""
    return await _form(request, EMPTY)


async def create(request: web.Request) -> web.StreamResponse:
    """Open an order for what was written down."""
    typed, actor = await read_form(request), actor_of(request)
    try:
        report = parse(service.DeskReport, typed)
        pictures = await photos.prepare(typed.files.get("photos", []))
        order = await service.report_at_desk(request.app[DB], actor, report, pictures)
    except Invalid as refused:
        return await _form(request, typed, refused)
    tell(request.app[HUB], order.site_id)
    # Not everybody who sees a fault sees the orders.
    sees = actor.may(Right.ORDERS_SEE)
    raise web.HTTPSeeOther(f"/orders/{order.id}" if sees else f"/orders/new?written={order.number}")


async def _form(request: web.Request, typed: Typed, refused: Invalid | None = None) -> web.StreamResponse:
    async with request.app[DB].read() as connection:
        places = await service.places(connection, actor_of(request))
    show = show_for(request)
    written = request.query.get("written", "")
    return await page(
        request,
        "workorders/new.html",
        show,
        422 if refused else 200,
        typed=typed,
        problems=refused.problems if refused else {},
        **context(
            show,
            spots=[(each.key, each.building or each.site) for each in places],
            once=typed.get("once") or secrets.token_hex(16),
            written=written if written.replace("-", "").isalnum() and len(written) < 30 else "",
        ),
    )


async def order_page(request: web.Request) -> web.StreamResponse:
    """Show one order with its history and what can be done with it."""
    return await _order_page(request, Trouble(request.query.get("do", "")))


async def _order_page(request: web.Request, trouble: Trouble) -> web.StreamResponse:
    view = await _view(request)
    show = show_for(request, view.order.zone)
    async with request.app[DB].read() as connection:
        technicians = await service.technicians(connection, view.order.site_id)
    return await page(
        request,
        "workorders/order.html",
        show,
        trouble.status,
        **trouble.shown,
        **context(show, view=view, order=view.order, technicians=technicians, forms=FORMS, **_masks(view)),
    )


def _masks(view: OrderView) -> dict[str, Any]:
    """Whoever gives orders out or works on them calls people; others see as little as they need."""
    is_plain = bool(view.parts & {Who.DISPATCHER, Who.LEAD})
    return {"mask": str if is_plain else mask_name, "mask_phone": str if is_plain else mask_phone}


async def _view(request: web.Request) -> OrderView:
    show = show_for(request)
    async with request.app[DB].read() as connection:
        return await service.get_order(connection, actor_of(request), order_id_of(request), show.now)


async def _find(request: web.Request) -> Order:
    return (await _view(request)).order


async def comment(request: web.Request) -> web.StreamResponse:
    """Add words to an order."""
    typed, order = await read_form(request), await _find(request)
    try:
        note = parse(Comment, typed).note
        await service.comment(request.app[DB], actor_of(request), order.id, service.Said(note=note))
    except Invalid as refused:
        return await _order_page(request, Trouble("comment", typed, problems=refused))
    tell(request.app[HUB], order.site_id)
    raise web.HTTPSeeOther(f"/orders/{order.id}")


async def urge(request: web.Request) -> web.StreamResponse:
    """Note that somebody asked for more haste."""
    order = await _find(request)
    try:
        await service.urge(request.app[DB], actor_of(request), order.id)
    except Conflict as refused:
        return await _order_page(request, Trouble(conflict=refused))
    tell(request.app[HUB], order.site_id)
    raise web.HTTPSeeOther(f"/orders/{order.id}")


async def move(request: web.Request) -> web.StreamResponse:
    """Take a card of the board to the pool or to a technician; the board shows where it is then."""
    typed, order = await read_form(request), await _find(request)
    to = Step.POOL if typed.get("to") == "pool" else Step.ASSIGN
    lead = typed.get("lead")
    said = service.Said({"lead_id": int(lead)} if to is Step.ASSIGN and lead.isdecimal() and len(lead) < 16 else {})
    version = parse(Seen, typed).version
    try:
        await service.dispatch(request.app[DB], actor_of(request), order.id, to, version, said)
    except Invalid as refused:
        return await _order_page(request, Trouble(problems=refused, typed=typed))
    except Conflict as refused:
        return await _order_page(request, Trouble(conflict=refused))
    tell(request.app[HUB], order.site_id)
    raise web.HTTPSeeOther("/orders?view=board")


SIDE = Side("/orders", Right.ORDERS_DISPATCH, _find, _order_page)
CASHIER = Side("/orders", Right.PAYMENTS_TAKE, _find, _order_page)


def routes() -> list[Route]:
    """Give the desk's routes."""
    return [
        Route("GET", "/orders", orders, Right.ORDERS_SEE),
        Route("GET", "/orders/new", new, Right.ORDERS_REPORT),
        Route("POST", "/orders/new", create, Right.ORDERS_REPORT, max_body=MAX_BODY),
        Route("GET", "/orders/{order_id}", order_page, Right.ORDERS_SEE),
        Route("POST", "/orders/{order_id}/move", move, Right.ORDERS_DISPATCH),
        Route("POST", "/orders/{order_id}/comment", comment, Right.ORDERS_REPORT),
        Route("POST", "/orders/{order_id}/urge", urge, Right.ORDERS_DISPATCH),
        *SIDE.routes(STEPS),
        *CASHIER.routes((Step.SETTLE,)),
    ]
