"""The audit's page, its file, and a look whether anything of it was changed."""

import json
from datetime import date, datetime, time, timedelta
from itertools import groupby

from aiohttp import web

from central_server import audit
from central_server.admin import trail, words
from central_server.dashboard import csv_file
from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import fit, page_number
from central_server.dashboard.show import Show
from central_server.rbac import Right
from central_server.web import DB, Route, actor_of

_CHUNK = 500
_HEAD = ("id", "at", "login", "role", "peer", "action", "subject", "outcome", "detail", "hash")


async def audit_list(request: web.Request) -> web.StreamResponse:
    """Show the audit, filtered as the address says; with ``verify`` walk its chain first."""
    number, show, actor = page_number(request.query.get("page", "1")), show_for(request), actor_of(request)
    wanted = _wanted(request, show)
    verdict = await audit.verify(request.app[DB]) if "verify" in request.query else None
    async with request.app[DB].read() as connection:
        total, entries = await trail.list_entries(connection, actor, wanted, number)
        actions = await trail.list_actions(connection)
    areas = [(area, list(found)) for area, found in groupby(actions, key=lambda action: action.split(".")[0])]
    return await page(
        request,
        "admin/audit.html",
        show,
        paged=fit(entries, total, number, trail.PAGE),
        wanted=wanted,
        areas=areas,
        days=(request.query.get("from", ""), request.query.get("to", "")),
        is_filtered=wanted != trail.Wanted(),
        verdict=verdict,
        said=_said,
        admin_words=words,
    )


def _wanted(request: web.Request, show: Show) -> trail.Wanted:
    query = {name: text.strip()[:128] for name, text in request.query.items()}
    outcome, until = query.get("outcome", ""), _midnight(query.get("to", ""), show, after=1)
    return trail.Wanted(
        query.get("who", ""),
        query.get("action", ""),
        query.get("subject", ""),
        outcome if outcome in trail.OUTCOMES else "",
        _midnight(query.get("from", ""), show),
        until,
    )


def _midnight(text: str, show: Show, after: int = 0) -> int | None:
    """Give the instant at which a day begins here, or the day so many after it; None for what is no day."""
    try:
        day = date.fromisoformat(text) + timedelta(days=after)
        return round(datetime.combine(day, time(), show.zone).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _said(entry: trail.Entry) -> str:
    """Write an entry's detail in a line."""
    pairs = ((name, value) for name, value in entry.detail.items() if value not in (None, "", 0, []))
    return ", ".join(f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in pairs)


async def audit_file(request: web.Request) -> web.StreamResponse:
    """Write every entry that fits as CSV; that somebody took it is noted too."""
    db, actor, show = request.app[DB], actor_of(request), show_for(request)
    wanted = _wanted(request, show)
    async with db.write() as connection:
        await audit.note(connection, actor, "audit.export", "audit", filter=request.query_string[:500])
    response = await csv_file.begin(request, f"audit-{show.local(show.now).date()}.csv", _HEAD)
    chunk: list[tuple[str, ...]] = []
    async for entry in trail.every_entry(db, actor, wanted):
        chunk.append(_row(entry, show))
        if len(chunk) >= _CHUNK:
            await response.write(csv_file.rows(chunk))
            chunk = []
    await response.write(csv_file.rows(chunk))
    return response


def _row(entry: trail.Entry, show: Show) -> tuple[str, ...]:
    detail = json.dumps(entry.detail, ensure_ascii=False) if entry.detail else ""
    texts = (entry.login, entry.role, entry.peer, entry.action, entry.subject, entry.outcome, detail)
    return (str(entry.id), show.iso(entry.at), *map(csv_file.harmless, texts), entry.hash)


def routes() -> list[Route]:
    """Give the audit's routes."""
    return [
        Route("GET", "/audit", audit_list, Right.AUDIT_SEE),
        Route("GET", "/audit.csv", audit_file, Right.AUDIT_SEE),
    ]
