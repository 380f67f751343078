"""A photo's address."""

from aiohttp import web

from central_server.photos import service
from central_server.web import DB, Policy, Route, actor_of


async def show(request: web.Request) -> web.Response:
    """Send a photo to whom it concerns."""
    body = await service.open_photo(request.app[DB], actor_of(request), request.match_info["ref"])
    headers = {"Content-Disposition": "inline", "Cache-Control": "private, max-age=3600"}
    return web.Response(body=body, content_type="image/jpeg", headers=headers)


def routes() -> list[Route]:
    # Which right is asked for depends on what the photo belongs to; the service decides.
    return [Route("GET", "/photos/{ref}", show, Policy.SIGNED_IN)]
