"""How doors are set up: where they are and how they are worked, groups of them, and schedules."""

from typing import Any

from aiohttp import web

from central_server.access import service, store
from central_server.access.entry import (
    WINDOWS,
    DoorForm,
    GroupForm,
    ScheduleName,
    TrustForm,
    clock,
    read_holidays,
    read_windows,
    typed_windows,
)
from central_server.access.pages import context, key
from central_server.dashboard.page import page, show_for
from central_server.form import EMPTY, Invalid, Problem, Typed, parse, read_form
from central_server.web import DB, actor_of


async def overview(request: web.Request) -> web.StreamResponse:
    """Show doors, groups and schedules."""
    actor = actor_of(request)
    async with request.app[DB].read() as connection:
        doors = await store.doors(connection, actor)
        groups = await store.groups(connection, actor)
        members = await store.members(connection)
        schedules = await store.schedules(connection, actor)
        sites = await store.sites(connection, actor)
        trusts = await store.trusts(connection, [row.id for row in sites])
    return await page(
        request,
        "access/setup.html",
        show_for(request),
        doors=doors,
        groups=[(row, [door.name for door in doors if door.device_id in members.get(row.id, ())]) for row in groups],
        schedules=schedules,
        trusts=[(row, trusts[row.id]) for row in sites],
        clock=clock,
        **context(actor),
    )


async def door_page(request: web.Request) -> web.StreamResponse:
    return await _door_page(request)


async def save_door(request: web.Request) -> web.StreamResponse:
    """Say where a door is and how it is worked."""
    typed = await read_form(request)
    try:
        await service.save_door(request.app[DB], actor_of(request), key(request), parse(DoorForm, typed))
    except Invalid as refused:
        return await _door_page(request, typed, refused)
    raise web.HTTPSeeOther("/doors/setup")


async def _door_page(request: web.Request, typed: Typed = EMPTY, refused: Invalid | None = None) -> web.StreamResponse:
    async with request.app[DB].read() as connection:
        door = await service.get_door(connection, actor_of(request), key(request))
        buildings = await store.buildings(connection, door.site_id)
    return await _form(request, "access/door.html", typed, refused, door=door, buildings=buildings)


async def group_page(request: web.Request) -> web.StreamResponse:
    return await _group_page(request)


async def save_group(request: web.Request) -> web.StreamResponse:
    """Add a group of doors or change one."""
    typed = await read_form(request)
    try:
        _check_keys(typed, "doors")
        await service.save_group(request.app[DB], actor_of(request), _key(request), parse(GroupForm, typed))
    except Invalid as refused:
        return await _group_page(request, typed, refused)
    raise web.HTTPSeeOther("/doors/setup")


async def _group_page(
    request: web.Request, typed: Typed | None = None, refused: Invalid | None = None
) -> web.StreamResponse:
    actor, group_id, group = actor_of(request), _key(request), None
    async with request.app[DB].read() as connection:
        if group_id is not None:
            group = await service.get_group(connection, actor, group_id)
        doors = [row for row in await store.doors(connection, actor) if group is None or row.site_id == group.site_id]
        chosen = (await store.members(connection)).get(group_id or 0, set())
        sites = await store.sites(connection, actor)
    if typed is None:
        typed = Typed({}, {"doors": [str(each) for each in chosen]})
    return await _form(request, "access/group.html", typed, refused, group=group, doors=doors, sites=sites)


async def schedule_page(request: web.Request) -> web.StreamResponse:
    return await _schedule_page(request)


async def save_schedule(request: web.Request) -> web.StreamResponse:
    """Add a schedule or change one."""
    typed = await read_form(request)
    try:
        form, windows, holidays = parse(ScheduleName, typed), read_windows(typed), read_holidays(typed)
        await service.save_schedule(request.app[DB], actor_of(request), _key(request), form, windows, holidays)
    except Invalid as refused:
        return await _schedule_page(request, typed, refused)
    raise web.HTTPSeeOther("/doors/setup")


async def _schedule_page(
    request: web.Request, typed: Typed | None = None, refused: Invalid | None = None
) -> web.StreamResponse:
    actor, schedule_id, schedule = actor_of(request), _key(request), None
    async with request.app[DB].read() as connection:
        if schedule_id is not None:
            schedule = await service.get_schedule(connection, actor, schedule_id)
        sites = await store.sites(connection, actor)
    if typed is None:
        lists = typed_windows(schedule.windows, schedule.holidays) if schedule else {}
        typed = Typed({name: found[-1] for name, found in lists.items() if found}, lists)
    rows = range(1, WINDOWS + 1)
    return await _form(request, "access/schedule.html", typed, refused, schedule=schedule, sites=sites, rows=rows)


async def trust_page(request: web.Request) -> web.StreamResponse:
    return await _trust_page(request)


async def save_trust(request: web.Request) -> web.StreamResponse:
    """Say for how long cards open with the centre away."""
    typed = await read_form(request)
    try:
        await service.save_trusts(request.app[DB], actor_of(request), key(request), parse(TrustForm, typed))
    except Invalid as refused:
        return await _trust_page(request, typed, refused)
    raise web.HTTPSeeOther("/doors/setup")


async def _trust_page(request: web.Request, typed: Typed = EMPTY, refused: Invalid | None = None) -> web.StreamResponse:
    async with request.app[DB].read() as connection:
        site = await service.get_site(connection, actor_of(request), key(request))
        hours = (await store.trusts(connection, [site.id]))[site.id]
    return await _form(request, "access/trust.html", typed, refused, site=site, hours=hours)


def _key(request: web.Request) -> int | None:
    return key(request) if "id" in request.match_info else None


def _check_keys(typed: Typed, name: str) -> None:
    if not all(each.isdecimal() and len(each) <= 15 for each in typed.lists.get(name, [])):
        raise Invalid({name: Problem("Choose one of the list.")})


async def _form(
    request: web.Request, template: str, typed: Typed, refused: Invalid | None, **more: Any
) -> web.StreamResponse:
    problems = refused.problems if refused else {}
    status = 422 if refused else 200
    said = context(actor_of(request)) | more
    return await page(request, template, show_for(request), status, typed=typed, problems=problems, **said)
