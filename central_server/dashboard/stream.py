"""The live stream for browsers: what happens, and a beat every five seconds so that silence means something."""

import asyncio
import contextlib
import json
from typing import Any

from aiohttp import ClientConnectionResetError, web

from central_server import auth
from central_server.clock import now_ms
from central_server.live import RECHECK
from central_server.rbac import Right
from central_server.web import COOKIE, DB, HUB, actor_of

BEAT_S = 5.0


async def live(request: web.Request) -> web.StreamResponse:
    """Send events until the browser leaves, the session ends or the server stops."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    response.headers["Cache-Control"] = "no-store"
    with contextlib.suppress(ClientConnectionResetError, ConnectionResetError):  # the browser left
        await response.prepare(request)
        await _send_all(request, response)
    return response


async def _send_all(request: web.Request, response: web.StreamResponse) -> None:
    loop = asyncio.get_running_loop()
    listener = actor_of(request)

    def hears(rights: tuple[Right, ...], site_id: int | None) -> bool:
        is_near = listener.site_id is None or site_id is None or listener.site_id == site_id
        return is_near and any(listener.may(right) for right in rights)

    async with request.app[HUB].subscribe(hears) as queue:
        await _send(response, _beat())
        beat_at = loop.time() + BEAT_S
        while True:
            try:
                async with asyncio.timeout_at(beat_at):
                    text = await queue.get()
            except TimeoutError:
                text = RECHECK
            if text is None:
                return
            if text == RECHECK:
                # A stream outlives its request: whoever is signed out meanwhile, or has lost a right, must not go on.
                token = request.cookies.get(COOKIE, "")
                session = await auth.session_for(request.app[DB], token, is_seen=False)
                if session is None:
                    await _send(response, json.dumps({"type": "signed-out"}))
                    return
                listener = session.actor(listener.peer)
                text, beat_at = _beat(), loop.time() + BEAT_S
            await _send(response, text)


def _beat() -> str:
    said: dict[str, Any] = {"type": "beat", "at": now_ms()}
    return json.dumps(said)


async def _send(response: web.StreamResponse, text: str) -> None:
    await response.write(f"data: {text}\n\n".encode())
