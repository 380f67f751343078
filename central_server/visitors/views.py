"""The gate's page: who asks to come, who is expected, who is here, and the steps between."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from central_server.dashboard.page import page, show_for
from central_server.errors import NotFound
from central_server.form import EMPTY, Invalid, Typed, parse, read_form
from central_server.mask import mask_name, mask_phone
from central_server.rbac import Actor, Right
from central_server.visitors import service, words
from central_server.visitors.live import tell
from central_server.visitors.model import Refusal, Seen, State, Step
from central_server.web import DB, HUB, Route, actor_of

_MOST_OVER = 30


async def gate(request: web.Request) -> web.StreamResponse:
    """Show who asks, who is expected and who is here."""
    actor = actor_of(request)
    async with request.app[DB].read() as connection:
        now = await service.at_the_gate(connection, actor)
        over = await service.over(connection, actor, _MOST_OVER)
    zones = {each.zone for each in (*over, *(visit for visits in now.values() for visit in visits))}
    return await page(
        request,
        "visitors/gate.html",
        show_for(request, zones.pop() if len(zones) == 1 else None),
        asked=now[State.ASKED],
        expected=now[State.APPROVED],
        here=now[State.ARRIVED],
        over=over,
        visit_words=words,
        **_masks(actor),
    )


def _masks(actor: Actor) -> dict[str, Any]:
    """Whoever lets people in must be able to tell who they are; others see as little as they need."""
    is_gate = actor.may(Right.VISITORS_DECIDE)
    return {"mask": str if is_gate else mask_name, "mask_host": mask_name, "mask_phone": mask_phone}


def _step(step: Step) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make the handler of a step that the guard takes with one press."""

    async def handler(request: web.Request) -> web.StreamResponse:
        version = parse(Seen, await read_form(request)).version
        return await _decide(request, step, version)

    return handler


async def _decide(request: web.Request, step: Step, version: int, reason: str | None = None) -> web.StreamResponse:
    visit = await service.decide(request.app[DB], actor_of(request), _key(request), step, version, reason)
    tell(request.app[HUB], visit.site_id)
    raise web.HTTPSeeOther("/visitors")


async def refuse_page(request: web.Request) -> web.StreamResponse:
    """Ask why a visit is refused."""
    return await _refuse_page(request, EMPTY)


async def refuse(request: web.Request) -> web.StreamResponse:
    """Refuse a visit with a reason, or keep what was typed."""
    typed = await read_form(request)
    try:
        wanted = parse(Refusal, typed)
    except Invalid as refused:
        return await _refuse_page(request, typed, refused)
    return await _decide(request, Step.REFUSE, wanted.version, wanted.reason)


async def _refuse_page(request: web.Request, typed: Typed, refused: Invalid | None = None) -> web.StreamResponse:
    actor = actor_of(request)
    async with request.app[DB].read() as connection:
        visit = await service.get_visit(connection, actor, _key(request))
    return await page(
        request,
        "visitors/refuse.html",
        show_for(request, visit.zone),
        422 if refused else 200,
        visit=visit,
        typed=typed,
        problems=refused.problems if refused else {},
        **_masks(actor),
    )


def _key(request: web.Request) -> int:
    text = request.match_info["id"]
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise NotFound("not_found", "There is nothing at this address.")
    return int(text)


def routes() -> list[Route]:
    """Give the gate's routes with who may use them."""
    return [
        Route("GET", "/visitors", gate, Right.VISITORS_SEE),
        Route("POST", "/visitors/{id}/approve", _step(Step.APPROVE), Right.VISITORS_DECIDE),
        Route("GET", "/visitors/{id}/refuse", refuse_page, Right.VISITORS_DECIDE),
        Route("POST", "/visitors/{id}/refuse", refuse, Right.VISITORS_DECIDE),
        Route("POST", "/visitors/{id}/arrive", _step(Step.ARRIVE), Right.VISITORS_DECIDE),
        Route("POST", "/visitors/{id}/leave", _step(Step.LEAVE), Right.VISITORS_DECIDE),
    ]
