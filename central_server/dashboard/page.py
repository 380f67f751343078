"""Rendering: templates with the frame around them, in the reader's language, zone and light."""

import json
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from central_server.alarms import service as alarms
from central_server.clock import now_ms
from central_server.dashboard import queries, words
from central_server.dashboard.assets import asset_url
from central_server.dashboard.i18n import N_, Language, languages, preferred
from central_server.dashboard.show import AGES, Show
from central_server.errors import CentralError
from central_server.form import EMPTY
from central_server.rbac import Right
from central_server.web import CONFIG, DB, SESSION, actor_of

TEMPLATES = Path(__file__).parent.parent / "templates"
LANGUAGE_COOKIE, THEME_COOKIE = "gatehouse_language", "gatehouse_theme"
THEMES = ("light", "dark")

# Each place: its address, its icon, its name, and the right to it. Shown are those whose page exists.
PLACES = (
    ("/", "overview", N_("Overview"), Right.OVERVIEW_SEE),
    ("/my-orders", "orders", N_("My work"), Right.ORDERS_WORK),
    ("/rounds", "inspection", N_("My rounds"), Right.INSPECTION_WALK),
    ("/alarms", "alarms", N_("Alarms"), Right.ALARMS_SEE),
    ("/devices", "devices", N_("Devices"), Right.DEVICES_SEE),
    ("/doors", "door", N_("Doors"), Right.DOORS_SEE),
    ("/lifts", "lift", N_("Lifts"), Right.LIFTS_SEE),
    ("/visitors", "visitors", N_("Visitors"), Right.VISITORS_SEE),
    ("/orders", "orders", N_("Work orders"), Right.ORDERS_SEE),
    ("/inspection", "inspection", N_("Inspection"), Right.INSPECTION_SEE),
    ("/bills", "bills", N_("Billing"), Right.BILLS_SEE),
    ("/payments", "payments", N_("Payments"), Right.BILLS_SEE),
    ("/parking", "parking", N_("Parking"), Right.PARKING_SEE),
    ("/notices", "notices", N_("Notices"), Right.NOTICES_WRITE),
    ("/records", "records", N_("Records"), Right.RECORDS_SEE),
    ("/reports", "reports", N_("Reports"), Right.REPORTS_SEE),
    ("/accounts", "accounts", N_("Accounts"), Right.ACCOUNTS_SEE),
    ("/quarantine", "lost", N_("Quarantine"), Right.QUARANTINE_SEE),
    ("/audit", "audit", N_("Audit"), Right.AUDIT_SEE),
    ("/home", "house", N_("Home"), Right.HOME),
    ("/home/bills", "bills", N_("My bills"), Right.HOME),
    ("/home/faults", "orders", N_("My faults"), Right.HOME),
    ("/home/notices", "notices", N_("Notices"), Right.HOME),
    ("/home/visitors", "visitors", N_("My visitors"), Right.HOME),
)

_HTMX = {
    "includeIndicatorStyles": False,
    "allowEval": False,
    "selfRequestsOnly": True,
    # The cache would keep pages of one person in the browser for the next.
    "historyCacheSize": 0,
    "refreshOnHistoryMiss": True,
    "responseHandling": [
        {"code": "204", "swap": False},
        {"code": "[23]..", "swap": True},
        {"code": "422", "swap": True},
        {"code": "[45]..", "swap": False, "error": True},
    ],
}


@cache
def _environment(code: str) -> Environment:
    language = languages()[code]
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # added by the extension
        language.gettext, language.ngettext, newstyle=True
    )
    environment.globals.update(asset=asset_url, words=words, with_query=with_query, htmx_config=json.dumps(_HTMX))
    return environment


def with_query(request: web.Request, **changes: Any) -> str:
    """Give this page's address with some of its filters changed; None takes one away."""
    query = {name: value for name, value in request.query.items() if name not in changes}
    query |= {name: str(value) for name, value in changes.items() if value is not None}
    return f"{request.path}?{urlencode(query)}" if query else request.path


def language_of(request: web.Request) -> Language:
    """Choose the language: the person's, else this browser's, else the site's."""
    code = request[SESSION].language if SESSION in request else request.cookies.get(LANGUAGE_COOKIE, "")
    if code not in languages():
        code = preferred(request.headers.get("Accept-Language", ""), request.app[CONFIG].language)
    return languages()[code]


def show_for(request: web.Request, zone: str | None = None) -> Show:
    """Make the printer of a page; without a zone it is the centre's own."""
    return Show(language_of(request), ZoneInfo(zone or request.app[CONFIG].zone), now_ms())


def render(request: web.Request, template: str, show: Show, status: int = 200, **context: Any) -> web.Response:
    """Render a template that needs no frame, or has one already in its context."""
    language = show.language
    theme = request.cookies.get(THEME_COOKIE, "")
    html = (
        _environment(language.code)
        .get_template(template)
        .render(
            request=request,
            show=show,
            language=language,
            languages=languages(),
            theme=theme if theme in THEMES else "",
            account=request.get(SESSION),
            typed=context.pop("typed", EMPTY),
            problems=context.pop("problems", {}),
            ages=json.dumps({key: language.gettext(text) for key, text in AGES.items()}, ensure_ascii=False),
            **context,
        )
    )
    return web.Response(text=html, status=status, content_type="text/html", headers={"Vary": "Cookie"})


async def page(request: web.Request, template: str, show: Show, status: int = 200, **context: Any) -> web.Response:
    """Render a page inside the frame: rail, alarm counts, search."""
    db = request.app[DB]
    counts = await alarms.counts(db, actor_of(request))
    actor = actor_of(request)
    async with db.read() as conn:
        device_count = await queries.device_count(conn, actor)
    known = {resource.canonical for resource in request.app.router.resources()}
    frame = {
        "places": [place for place in PLACES if actor.may(place[3]) and place[0] in known],
        "may": lambda right: actor.may(Right(right)),
        "counts": counts,
        "waiting": sum(counts.values()),
        "device_count": device_count,
    }
    return render(request, template, show, status, **frame, **context)


async def error_page(request: web.Request, error: CentralError, _message: str) -> web.Response:
    """Say what happened in the reader's language, with a way on; inside the frame where there is one."""
    show = show_for(request)
    text = show.language.gettext(error.text).format(**error.fields)
    status = error.status
    if SESSION in request and status < 500:
        return await page(request, "error.html", show, status, message=text, code=status)
    return render(request, "error_plain.html", show, status, message=text, code=status)
