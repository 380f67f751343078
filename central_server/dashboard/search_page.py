"""Search over everything that has a page."""

from aiohttp import web

from central_server.billing import service as billing
from central_server.billing.view import Wanted
from central_server.dashboard.cards import list_cards
from central_server.dashboard.device_pages import search as search_devices
from central_server.dashboard.page import page, show_for
from central_server.web import DB, actor_of

_MOST = 20


async def search(request: web.Request) -> web.StreamResponse:
    """Find devices and bills; a bill's whole number leads straight to it."""
    text = request.query.get("q", "").strip()
    show, db = show_for(request), request.app[DB]
    async with db.read() as conn:
        if text and (await billing.get_bill(conn, actor_of(request), text)) is not None:
            raise web.HTTPSeeOther(f"/bills/{text}")
        bills = (await billing.list_bills(conn, actor_of(request), Wanted(text), limit=_MOST)).items if text else ()
    devices = search_devices(await list_cards(db, show), text)[:_MOST] if text else []
    return await page(request, "search.html", show, text=text, devices=devices, bills=bills)
