"""The alarm console: a list that holds still, details beside it, one key to acknowledge."""

from collections.abc import Sequence
from urllib.parse import urlencode

from aiohttp import web

from central_server.alarms import service as alarms
from central_server.alarms.store import AlarmRow
from central_server.dashboard import words
from central_server.dashboard.cards import list_cards
from central_server.dashboard.feed import condition_name, device_names, subject_name
from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import page_number
from central_server.dashboard.show import Show
from central_server.errors import Conflict, NotFound
from central_server.web import DB, HUB, SESSION, actor_of

_SAME = 6


async def console(request: web.Request) -> web.StreamResponse:
    """Show the list with its first alarm chosen."""
    return await _console(request, None)


async def one_alarm(request: web.Request) -> web.StreamResponse:
    """Show the list with one alarm chosen; this is the alarm's own address."""
    return await _console(request, await alarms.get_alarm(request.app[DB], _alarm_id(request)))


async def acknowledge(request: web.Request) -> web.StreamResponse:
    """Note that the person has seen an alarm, and go back to it."""
    alarm_id = _alarm_id(request)
    suffix = _suffix(request)
    try:
        await alarms.acknowledge(request.app[DB], alarm_id, request[SESSION].name)
        request.app[HUB].publish({"type": "alarms"})
    except Conflict:
        # Two people at two desks: the second is told who was first.
        suffix += "&late=1" if suffix else "?late=1"
    raise web.HTTPSeeOther(f"/alarms/{alarm_id}{suffix}")


def _suffix(request: web.Request) -> str:
    """Keep what the list is narrowed to when one of its alarms is chosen."""
    kept = {name: request.query[name] for name in ("state", "page") if name in request.query}
    return f"?{urlencode(kept)}" if kept else ""


async def _console(request: web.Request, chosen: AlarmRow | None) -> web.StreamResponse:
    db, show = request.app[DB], show_for(request)
    is_active = request.query.get("state") != "all"
    listed = await alarms.list_alarms(db, is_active=is_active, page=page_number(request.query.get("page", "1")))
    cards = await list_cards(db, show, actor_of(request))
    names = device_names(cards)
    chosen = chosen or (listed.alarms[0] if listed.alarms else None)
    device = next(
        (card for card in cards if chosen and _is_of(chosen, card.view.gateway.id, card.view.device.code)), None
    )
    recent = (await alarms.list_alarms(db, is_active=False)).alarms
    return await page(
        request,
        "alarms.html",
        show,
        listed=listed,
        is_active=is_active,
        suffix=_suffix(request),
        chosen=chosen,
        device=device,
        is_late="late" in request.query,
        condition=words.CONDITIONS.get(chosen.condition, words.UNKNOWN_CONDITION) if chosen else None,
        same=_same(recent, chosen),
        subjects={row.id: subject_name(row, names, show) for row in (*listed.alarms, *([chosen] if chosen else ()))},
        name=lambda row: condition_name(row.condition, show),
        today=_today(recent, show),
    )


def _alarm_id(request: web.Request) -> int:
    text = request.match_info["id"]
    if not text.isdecimal() or len(text) > 15:
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
