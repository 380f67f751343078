"""What the office sees of the rounds: today, what failed, what is behind, each task with its answers."""

from aiohttp import web

from central_server.clock import now_ms
from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import fit, page_number
from central_server.form import EMPTY, Invalid, Typed, parse, read_form
from central_server.inspection import keeping, rounds, service, words
from central_server.inspection.address import key_of
from central_server.inspection.entry import Excuse
from central_server.inspection.model import DAY_MS, State
from central_server.web import DB, HUB, actor_of

_PAGE = 50


async def overview(request: web.Request) -> web.StreamResponse:
    """Show the day's rounds, what was missed and what failed lately."""
    actor, now = actor_of(request), now_ms()
    async with request.app[DB].read() as connection:
        day = await service.day_of(connection, actor, now)
        found = await service.findings(connection, actor, now - 7 * DAY_MS, 12)
        sites = await service.list_sites(connection, actor)
        plans = await service.list_plans(connection, actor)
    return await page(
        request,
        "inspection/overview.html",
        show_for(request, sites[0].zone if len(sites) == 1 else None),
        day=day,
        findings=found,
        sites=sites,
        plans=plans,
        states=words.STATES,
        passes=words.PASSES,
    )


async def tasks(request: web.Request) -> web.StreamResponse:
    """List the rounds that are over or under way, newest first, with filters."""
    actor, wanted = actor_of(request), request.query.get("state", "")
    number = page_number(request.query.get("page", "1"))
    plan = request.query.get("plan", "")
    async with request.app[DB].read() as connection:
        total, rows = await service.list_tasks(
            connection,
            actor,
            now_ms(),
            state=State(wanted) if wanted in set(State) else None,
            plan_id=int(plan) if plan.isascii() and plan.isdecimal() and len(plan) < 16 else None,
            limit=_PAGE,
            offset=(number - 1) * _PAGE,
        )
        plans = await service.list_plans(connection, actor)
    paged = fit(rows, total, number, _PAGE)
    return await page(
        request,
        "inspection/tasks.html",
        show_for(request),
        paged=paged,
        plans=plans,
        states=words.STATES,
        wanted=wanted,
    )


async def task(request: web.Request) -> web.StreamResponse:
    """Show one round with everything that was answered."""
    return await _task(request)


async def excuse(request: web.Request) -> web.StreamResponse:
    """Say why a round need not be made."""
    typed, key = await read_form(request), key_of(request, "task")
    try:
        entry = parse(Excuse, typed)
    except Invalid as refused:
        return await _task(request, 422, typed, refused)
    site_id = await keeping.excuse(request.app[DB], actor_of(request), key, entry.reason, now_ms())
    request.app[HUB].publish({"type": "inspection"}, site_id=site_id)
    request.app[HUB].publish({"type": "alarms"}, site_id=site_id)
    raise web.HTTPSeeOther(f"/inspection/tasks/{key}")


async def _task(
    request: web.Request, status: int = 200, typed: Typed = EMPTY, refused: Invalid | None = None
) -> web.Response:
    async with request.app[DB].read() as connection:
        view = await rounds.get_task(connection, actor_of(request), key_of(request, "task"))
    return await page(
        request,
        "inspection/task.html",
        show_for(request, view.task.zone),
        status,
        view=view,
        states=words.STATES,
        passes=words.PASSES,
        is_waiting=any(point.state in (State.OPEN, State.MISSED) for point in view.points),
        typed=typed,
        problems=refused.problems if refused else {},
    )
