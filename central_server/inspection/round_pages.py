"""The inspector's pages, for one hand and bad reception: rounds, a round, a point, a label."""

import re
import secrets
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from central_server.clock import now_ms
from central_server.dashboard.assets import STATIC
from central_server.dashboard.page import page, show_for
from central_server.errors import NotFound
from central_server.form import EMPTY, Invalid, Typed, read_form
from central_server.inspection import rounds, words
from central_server.inspection.address import key_of
from central_server.inspection.model import Given, State
from central_server.inspection.rounds import Check, TaskView
from central_server.inspection.task_store import TaskPointRow
from central_server.photos import service as photos
from central_server.web import DB, HUB, actor_of

_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


async def mine(request: web.Request) -> web.StreamResponse:
    """List the inspector's rounds: now, late, soon, made."""
    async with request.app[DB].read() as connection:
        found = await rounds.my_tasks(connection, actor_of(request), now_ms())
    return await page(request, "inspection/rounds.html", show_for(request), mine=found, states=words.STATES)


async def one(request: web.Request) -> web.StreamResponse:
    """Show a round point by point, with the next step under the thumb."""
    async with request.app[DB].read() as connection:
        view = await rounds.get_round(connection, actor_of(request), key_of(request, "task"))
    show = show_for(request, view.task.zone)
    is_due = view.task.starts_at <= show.now and rounds.is_still_due(view.task, show.now)
    return await page(request, "inspection/round.html", show, view=view, states=words.STATES, is_due=is_due)


async def point(request: web.Request) -> web.StreamResponse:
    """Ask what is to be looked at at one point."""
    return await _point(request)


async def check(request: web.Request) -> web.StreamResponse:
    """Take the answers of a point; a program is told by numbers, a person led on."""
    typed = await read_form(request)
    task_id, point_id = key_of(request, "task"), key_of(request, "point")
    actor = actor_of(request)
    try:
        sent = await _sent(typed)
        view = await rounds.check(request.app[DB], actor, task_id, point_id, sent)
    except Invalid as refused:
        return await _point(request, 422, typed=typed, problems=refused.problems)
    hub = request.app[HUB]
    for kind in ("inspection", "orders", "alarms"):
        hub.publish({"type": kind}, site_id=view.task.site_id)
    following = view.next_after(point_id)
    # The next one's label is scanned where it hangs; the list shows which one it is.
    raise web.HTTPSeeOther(f"/rounds/{task_id}" + (f"#p-{following.id}" if following else ""))


async def label(request: web.Request) -> web.StreamResponse:
    """Lead from a scanned label to what is to be done there now."""
    secret = request.match_info["secret"]
    async with request.app[DB].read() as connection:
        where, task, point_id = await rounds.find_by_label(connection, actor_of(request), secret, now_ms())
    if task is None:
        return await page(request, "inspection/no_round.html", show_for(request), point=where)
    raise web.HTTPSeeOther(f"/rounds/{task.id}/{point_id}?" + urlencode({"at": secret}))


async def worker(_request: web.Request) -> web.StreamResponse:
    """Send what keeps the rounds' pages on a phone; it must stand above them to be heard."""
    body = (STATIC / "rounds.worker.js").read_text(encoding="utf-8")
    return web.Response(text=body, content_type="text/javascript", headers={"Cache-Control": "no-cache"})


async def _point(request: web.Request, status: int = 200, typed: Typed = EMPTY, **context: Any) -> web.Response:
    task_id, point_id = key_of(request, "task"), key_of(request, "point")
    async with request.app[DB].read() as connection:
        view = await rounds.get_round(connection, actor_of(request), task_id)
        row = _row(view, point_id)
        items = await rounds.items_of(connection, row)
    show = show_for(request, view.task.zone)
    context |= {"items": items, "number": view.points.index(row) + 1, "states": words.STATES}
    context |= {"presence": typed.get("presence") or request.query.get("at", "")}
    context |= {"client_id": typed.get("client_id") or secrets.token_urlsafe(12), "passes": words.PASSES}
    context |= {"is_open": row.state in (State.OPEN, State.MISSED)}
    return await page(request, "inspection/point.html", show, status, view=view, row=row, typed=typed, **context)


def _row(view: TaskView, point_id: int) -> TaskPointRow:
    for row in view.points:
        if row.id == point_id:
            return row
    raise NotFound("no_round", "There is no such round.")


async def _sent(typed: Typed) -> Check:
    """Read a check. Raises: Invalid for photos that are none."""
    pictures = await photos.prepare([file for files in typed.files.values() for file in files])
    given: dict[int, Given] = {}
    for name in {*typed.values, *typed.files}:
        kind, _, key = name.partition("-")
        if kind == "v" and key.isascii() and key.isdecimal() and len(key) < 16:
            has_photo = name in typed.files
            given[int(key)] = Given(typed.get(name), has_photo, bool(typed.get(f"odd-{key}")))
    client_id = typed.get("client_id")
    return Check(
        client_id=client_id if _CLIENT_ID.fullmatch(client_id) else secrets.token_urlsafe(12),
        given=given,
        done_at=_ms(typed.get("done_at")),
        sent_at=_ms(typed.get("sent_at")),
        asked_at=_ms(typed.get("asked_at")),
        presence=typed.get("presence")[:64],
        note=typed.get("note"),
        pictures=pictures,
    )


def _ms(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else None
