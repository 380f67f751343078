"""The alarm console: a list that holds still, details beside it, one key to acknowledge."""

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlencode

from aiohttp import web

from central_server.alarms import service as alarms
from central_server.alarms.service import Note
from central_server.alarms.store import PRIORITIES, AlarmRow, Wanted
from central_server.dashboard import words
from central_server.dashboard.cards import list_cards
from central_server.dashboard.feed import condition_name, device_names, subject_name
from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import page_number
from central_server.dashboard.show import Show
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.form import EMPTY, Invalid, Typed, parse, read_form
from central_server.rbac import Actor
from central_server.records import service as records
from central_server.web import DB, HUB, actor_of

_SAME = 6
_FILTERS = ("state", "page", "condition", "priority", "site")


async def console(request: web.Request) -> web.StreamResponse:
    """Show the list with its first alarm chosen."""
    return await _console(request, None)


async def one_alarm(request: web.Request) -> web.StreamResponse:
    """Show the list with one alarm chosen; this is the alarm's own address."""
    return await _console(request, await alarms.get_alarm(request.app[DB], _alarm_id(request), actor_of(request)))


async def acknowledge(request: web.Request) -> web.StreamResponse:
    """Note that the person has seen an alarm, and go back to it."""
    alarm_id = _alarm_id(request)
    suffix = _suffix(request)
    try:
        _tell(request, await alarms.acknowledge(request.app[DB], actor_of(request), alarm_id))
    except Conflict:
        # Two people at two desks: the second is told who was first.
        suffix += "&late=1" if suffix else "?late=1"
    raise web.HTTPSeeOther(f"/alarms/{alarm_id}{suffix}")


async def comment(request: web.Request) -> web.StreamResponse:
    """Write a note to an alarm, or keep what was typed."""
    return await _with_note(request, alarms.comment)


async def end(request: web.Request) -> web.StreamResponse:
    """End an alarm that only a person may end."""
    return await _with_note(request, alarms.end)


async def _with_note(
    request: web.Request, act: Callable[[Database, Actor, int, Note], Awaitable[AlarmRow]]
) -> web.StreamResponse:
    db, actor, alarm_id, typed = request.app[DB], actor_of(request), _alarm_id(request), await read_form(request)
    try:
        found = await act(db, actor, alarm_id, parse(Note, typed))
    except Invalid as refused:
        return await _console(request, await alarms.get_alarm(db, alarm_id, actor), typed, refused)
    _tell(request, found)
    raise web.HTTPSeeOther(f"/alarms/{alarm_id}{_suffix(request)}")


def _tell(request: web.Request, row: AlarmRow) -> None:
    request.app[HUB].publish({"type": "alarms"}, site_id=row.site_id)


def _suffix(request: web.Request) -> str:
    """Keep what the list is narrowed to when one of its alarms is chosen."""
    kept = {name: request.query[name] for name in _FILTERS if request.query.get(name)}
    return f"?{urlencode(kept)}" if kept else ""


def _wanted(request: web.Request) -> Wanted:
    """Read the filters; what makes no sense narrows nothing."""
    site, priority = request.query.get("site", ""), request.query.get("priority", "")
    return Wanted(
        is_active=request.query.get("state") != "all",
        condition=request.query.get("condition", "")[:64],
        site_id=int(site) if site.isascii() and site.isdecimal() and len(site) <= 15 else None,
        priority=int(priority) if priority in map(str, PRIORITIES) else None,
    )


async def _console(
    request: web.Request, chosen: AlarmRow | None, typed: Typed = EMPTY, refused: Invalid | None = None
) -> web.StreamResponse:
    db, actor, show, wanted = request.app[DB], actor_of(request), show_for(request), _wanted(request)
    number = page_number(request.query.get("page", "1"))
    listed = await alarms.list_alarms(db, actor=actor, page=number, wanted=wanted)
    cards = await list_cards(db, show, actor)
    names = device_names(cards)
    chosen = chosen or (listed.alarms[0] if listed.alarms else None)
    device = next(
        (card for card in cards if chosen and _is_of(chosen, card.view.gateway.id, card.view.device.code)), None
    )
    recent = (await alarms.list_alarms(db, actor=actor, is_active=False)).alarms
    return await page(
        request,
        "alarms.html",
        show,
        422 if refused else 200,
        listed=listed,
        is_list=request.path == "/alarms",
        is_active=wanted.is_active,
        wanted=wanted,
        conditions=[(code, condition_name(code, show)) for code in await alarms.conditions(db, actor)],
        sites=[site for site in await records.list_sites(db) if actor.site_id in (None, site.id)],
        suffix=_suffix(request),
        chosen=chosen,
        notes=await alarms.notes_of(db, actor, chosen.id) if chosen else [],
        device=device,
        is_late="late" in request.query,
        condition=words.CONDITIONS.get(chosen.condition, words.UNKNOWN_CONDITION) if chosen else None,
        same=_same(recent, chosen),
        subjects={row.id: subject_name(row, names, show) for row in (*listed.alarms, *([chosen] if chosen else ()))},
        name=lambda row: condition_name(row.condition, show),
        today=_today(recent, show),
        typed=typed,
        problems=refused.problems if refused else {},
    )


def _alarm_id(request: web.Request) -> int:
    text = request.match_info["id"]
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise NotFound("no_alarm", "There is no such alarm.")
    return int(text)


def _is_of(row: AlarmRow, gateway_id: int, code: str) -> bool:
    return row.gateway_id == gateway_id and row.subject == f"device:{code}"


def _same(recent: Sequence[AlarmRow], chosen: AlarmRow | None) -> list[AlarmRow]:
    """Give earlier alarms of the same cause: whether it is the first time matters."""
    if chosen is None:
        return []
    key = (chosen.gateway_id, chosen.subject, chosen.condition)
    same = [row for row in recent if (row.gateway_id, row.subject, row.condition) == key and row.id != chosen.id]
    return same[:_SAME]


def _today(recent: Sequence[AlarmRow], show: Show) -> int:
    day = show.local(show.now).date()
    return sum(show.local(row.raised_at).date() == day for row in recent)
