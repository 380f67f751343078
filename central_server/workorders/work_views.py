"""A technician's pages for the phone: my orders and the pool, and one order with its next step under the thumb."""

from aiohttp import web

from central_server.dashboard.page import page, show_for
from central_server.form import Invalid, parse, read_form
from central_server.photos import service as photos
from central_server.photos.service import MAX_BODY
from central_server.rbac import Right
from central_server.web import DB, HUB, Route, actor_of
from central_server.workorders import service
from central_server.workorders.asked import FORMS, Comment
from central_server.workorders.forms import Side, Trouble, context, order_id_of
from central_server.workorders.live import tell
from central_server.workorders.model import Step
from central_server.workorders.store import Order

STEPS = (
    *(Step.GRAB, Step.ACCEPT, Step.DECLINE, Step.DEPART, Step.ARRIVE, Step.START),
    *(Step.PAUSE, Step.RESUME, Step.QUOTE, Step.FINISH),
)


async def work(request: web.Request) -> web.StreamResponse:
    """Show what I have, what the pool offers, and what I finished today."""
    return await _work(request, Trouble())


async def _work(request: web.Request, trouble: Trouble) -> web.StreamResponse:
    show, actor = show_for(request), actor_of(request)
    midnight = show.local(show.now).replace(hour=0, minute=0, second=0, microsecond=0)
    async with request.app[DB].read() as connection:
        mine, pool = await service.work_of(connection, actor, show.now)
        done = await service.done_by(connection, actor, round(midnight.timestamp() * 1000))
    return await page(
        request,
        "workorders/work.html",
        show,
        trouble.status,
        **context(show, mine=mine, pool=pool, done=done, conflict=trouble.conflict),
    )


async def task(request: web.Request) -> web.StreamResponse:
    """Show one order; with ``do`` in the address the form of that step alone."""
    return await _task(request, Trouble(request.query.get("do", "")))


async def _task(request: web.Request, trouble: Trouble) -> web.StreamResponse:
    if trouble.conflict is not None and trouble.conflict.key in ("order_taken", "order_load"):
        return await _work(request, trouble)
    show = show_for(request)
    async with request.app[DB].read() as connection:
        view = await service.get_order(connection, actor_of(request), order_id_of(request), show.now)
    names = {step.value for step in view.steps} | {"comment"}
    shown = trouble.shown | {"doing": trouble.step if trouble.step in names else ""}
    return await page(
        request,
        "workorders/task.html",
        show_for(request, view.order.zone),
        trouble.status,
        **shown,
        **context(show, view=view, order=view.order, forms=FORMS),
    )


async def _find(request: web.Request) -> Order:
    step = Step.GRAB if request.path.endswith("/grab") else None
    async with request.app[DB].read() as connection:
        return await service.seen(connection, actor_of(request), order_id_of(request), step)


async def comment(request: web.Request) -> web.StreamResponse:
    """Add words and photos to an order."""
    typed, order = await read_form(request), await _find(request)
    try:
        pictures = await photos.prepare(typed.files.get("photos", []))
        # A photo says enough without words.
        note = parse(Comment, typed).note if typed.get("note") or not pictures else None
        await service.comment(request.app[DB], actor_of(request), order.id, service.Said({}, note, pictures))
    except Invalid as refused:
        return await _task(request, Trouble("comment", typed, problems=refused))
    tell(request.app[HUB], order.site_id)
    raise web.HTTPSeeOther(f"/my-orders/{order.id}")


SIDE = Side("/my-orders", Right.ORDERS_WORK, _find, _task)


def routes() -> list[Route]:
    """Give the technician's routes."""
    return [
        Route("GET", "/my-orders", work, Right.ORDERS_WORK),
        Route("GET", "/my-orders/{order_id}", task, Right.ORDERS_WORK),
        Route("POST", "/my-orders/{order_id}/comment", comment, Right.ORDERS_WORK, max_body=MAX_BODY),
        *SIDE.routes(STEPS),
    ]
