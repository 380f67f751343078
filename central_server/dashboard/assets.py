"""Static files: found once at start, named by their content, so that a browser may keep them for ever."""

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiohttp import web

from central_server.errors import NotFound

STATIC = Path(__file__).parent.parent / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages load; ``version`` changes with its content."""

    path: Path
    version: str
    content_type: str


@cache
def assets() -> Mapping[str, Asset]:
    """Find all static files. A request is looked up here and never becomes a path itself."""
    return {
        path.relative_to(STATIC).as_posix(): Asset(path, _version(path), _content_type(path))
        for path in sorted(STATIC.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def _version(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _content_type(path: Path) -> str:
    return _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def asset_url(name: str) -> str:
    """Give the address of a static file. Raises: KeyError for one that does not exist."""
    return f"/static/{name}?v={assets()[name].version}"


async def serve(request: web.Request) -> web.StreamResponse:
    """Answer with a static file."""
    asset = assets().get(request.match_info["name"])
    if asset is None:
        raise NotFound("not_found", "There is nothing at this address.")
    is_named = request.query.get("v") == asset.version
    headers = {
        "Content-Type": f"{asset.content_type}; charset=utf-8",
        # Modules import each other without a version: those ask each time and mostly hear "unchanged".
        "Cache-Control": _FOR_EVER if is_named else "no-cache",
    }
    return web.FileResponse(asset.path, headers=headers)
