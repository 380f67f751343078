"""Numbers in addresses."""

from aiohttp import web

from central_server.errors import NotFound


def key_of(request: web.Request, name: str) -> int:
    """Read a number of the address. Raises: NotFound for what is none."""
    text = request.match_info[name]
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise NotFound("not_found", "There is nothing at this address.")
    return int(text)
