"""The page of gateways' settings: which revision each runs, and why one was taken back."""

from aiohttp import web

from central_server.configs import overview, words
from central_server.dashboard.page import page, show_for
from central_server.rbac import Right
from central_server.web import DB, Route, actor_of


async def settings(request: web.Request) -> web.StreamResponse:
    """Show what every gateway runs and what became of what it tried."""
    db, actor = request.app[DB], actor_of(request)
    rows = await overview.in_force(db, actor)
    async with db.read() as connection:
        ends = await overview.ends(connection, actor)
    return await page(
        request,
        "configs/settings.html",
        show_for(request),
        rows=rows,
        ends=ends,
        phases=words.PHASES,
        states=words.ENDS,
    )


def routes() -> list[Route]:
    return [Route("GET", "/gateways/settings", settings, Right.DEVICES_SEE)]
