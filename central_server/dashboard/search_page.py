"""Search over everything that has a page."""

from collections.abc import Sequence

from aiohttp import web

from central_server.billing import service as billing
from central_server.billing.view import BillSummary, Wanted
from central_server.dashboard.cards import list_cards
from central_server.dashboard.device_pages import search as search_devices
from central_server.dashboard.page import page, show_for
from central_server.rbac import Right
from central_server.web import DB, actor_of

_MOST = 20


async def search(request: web.Request) -> web.StreamResponse:
    """Find devices and bills; a bill's whole number leads straight to it."""
    text = request.query.get("q", "").strip()
    show, db = show_for(request), request.app[DB]
    actor = actor_of(request)
    bills: Sequence[BillSummary] = ()
    if text and actor.may(Right.BILLS_SEE):
        async with db.read() as conn:
            if (await billing.get_bill(conn, actor, text)) is not None:
                raise web.HTTPSeeOther(f"/bills/{text}")
            bills = (await billing.list_bills(conn, actor, Wanted(text), limit=_MOST)).items
    is_to_list = bool(text) and actor.may(Right.DEVICES_SEE)
    devices = search_devices(await list_cards(db, show, actor), text)[:_MOST] if is_to_list else []
    return await page(request, "search.html", show, text=text, devices=devices, bills=bills)
