"""The resident's own pages, made for a phone: home, bills, notices, visitors, and what is known of them."""

import secrets

from aiohttp import web

from central_server.billing.payment import payments_of_bill
from central_server.billing.words import BILL_STATES
from central_server.dashboard.bill_pages import bill_parts
from central_server.dashboard.page import page, show_for
from central_server.dashboard.show import Show
from central_server.errors import NotFound
from central_server.form import EMPTY, Invalid, Typed, parse, read_form
from central_server.notices import service as notices
from central_server.notices.live import tell as tell_notices
from central_server.parking import service as parking
from central_server.portal import service
from central_server.portal.export import about
from central_server.portal.service import Home
from central_server.portal.words import STAYS
from central_server.rbac import Right
from central_server.visitors import service as visitors
from central_server.visitors import words as visit_words
from central_server.visitors.live import tell as tell_visitors
from central_server.visitors.model import HOURS, Ask, Seen
from central_server.web import DB, HUB, Route, actor_of
from central_server.workorders import service as workorders
from central_server.workorders import words as order_words
from central_server.workorders.model import OPEN

_STEP_MINUTES = 30


async def home(request: web.Request) -> web.StreamResponse:
    """Show what is due, what is new and who is coming."""
    actor, on = actor_of(request), _today(request)
    async with request.app[DB].read() as connection:
        homes = await service.homes(connection, actor, on)
        bills = await service.own_bills(connection, homes)
        letters = await notices.letters(connection, actor, on)
        visit = None if actor.person_id is None else await visitors.next_visit(connection, actor.person_id)
        leases = await parking.places_of_units(connection, [each.unit.id for each in homes], _zone(homes, request))
        faults = [] if actor.person_id is None else await workorders.orders_of_person(connection, actor.person_id)
        has_agreed = await service.has_agreed(connection, actor)
        name = await service.name_of(connection, actor)
    owed = [bill for bill in bills if bill.balance_fen > 0]
    return await page(
        request,
        "portal/home.html",
        show_for(request, _zone(homes, request)),
        homes=homes,
        owed=owed,
        owed_fen=sum(bill.balance_fen for bill in owed),
        is_overdue=any(bill.due_on < on for bill in owed),
        due_on=min((bill.due_on for bill in owed), default=None),
        emergencies=[each.notice for each in letters if each.notice.is_emergency],
        unread=[each.notice for each in letters if not each.is_read and not each.notice.is_emergency],
        visit=visit,
        visit_words=visit_words,
        leases=leases,
        faults=[each for each in faults if each.facts.state in OPEN],
        order_words=order_words,
        has_agreed=has_agreed,
        name=name,
    )


async def bill_list(request: web.Request) -> web.StreamResponse:
    """List one's own bills, newest first."""
    on = _today(request)
    async with request.app[DB].read() as connection:
        homes = await service.homes(connection, actor_of(request), on)
        bills = await service.own_bills(connection, homes)
    return await page(
        request,
        "portal/bills.html",
        show_for(request, _zone(homes, request)),
        bills=bills,
        owed=[bill for bill in bills if bill.balance_fen > 0],
        owed_fen=sum(bill.balance_fen for bill in bills if bill.balance_fen > 0),
        states=BILL_STATES,
        today=on,
        has_several=len(homes) > 1,
    )


async def one_bill(request: web.Request) -> web.StreamResponse:
    """Show one of one's own bills with why it amounts to what it does."""
    actor = actor_of(request)
    async with request.app[DB].read() as connection:
        homes = await service.homes(connection, actor, _today(request))
        found = await service.own_bill(connection, actor, homes, request.match_info["number"])
        payments = await payments_of_bill(connection, found.summary.id)
    show = show_for(request, found.zone)
    return await page(request, "portal/bill.html", show, **bill_parts(found, payments, show))


async def letter_list(request: web.Request) -> web.StreamResponse:
    """List the notices in force for one's own units."""
    async with request.app[DB].read() as connection:
        letters = await notices.letters(connection, actor_of(request), _today(request))
    return await page(request, "portal/notices.html", show_for(request), letters=letters)


async def one_letter(request: web.Request) -> web.StreamResponse:
    """Show a notice, and count it as read."""
    found, is_new = await notices.open_letter(request.app[DB], actor_of(request), _key(request), _today(request))
    if is_new:
        tell_notices(request.app[HUB], found.site_id)
    return await page(request, "portal/notice.html", show_for(request, found.zone), notice=found)


async def visit_list(request: web.Request) -> web.StreamResponse:
    """List one's own visitors, the last to come first."""
    actor = actor_of(request)
    async with request.app[DB].read() as connection:
        homes = await service.homes(connection, actor, _today(request))
        visits = [] if actor.person_id is None else await visitors.visits_of(connection, actor.person_id)
    show = show_for(request, _zone(homes, request))
    return await page(request, "portal/visitors.html", show, visits=visits, visit_words=visit_words)


async def new_visit(request: web.Request) -> web.StreamResponse:
    """Ask who comes and when."""
    return await _visit_form(request, EMPTY)


async def ask_visit(request: web.Request) -> web.StreamResponse:
    """Ask the guard to let somebody in, or say what is wrong and keep what was typed."""
    typed, actor = await read_form(request), actor_of(request)
    try:
        made = await visitors.ask(request.app[DB], actor, parse(Ask, typed), _today(request))
    except Invalid as refused:
        return await _visit_form(request, typed, refused)
    async with request.app[DB].read() as connection:
        visit = await visitors.get_visit(connection, actor, made)
    tell_visitors(request.app[HUB], visit.site_id)
    raise web.HTTPSeeOther("/home/visitors")


async def _visit_form(request: web.Request, typed: Typed, refused: Invalid | None = None) -> web.StreamResponse:
    async with request.app[DB].read() as connection:
        homes = await service.homes(connection, actor_of(request), _today(request))
    show = show_for(request, _zone(homes, request))
    return await page(
        request,
        "portal/new_visitor.html",
        show,
        422 if refused else 200,
        typed=typed,
        problems=refused.problems if refused else {},
        units=[(home.unit.id, f"{home.unit.building_name} {home.unit.code}") for home in homes],
        hours=[(each, show.language.gettext(visit_words.HOURS).format(hours=each)) for each in HOURS],
        soon=_soon(show),
        once=typed.get("once") or secrets.token_hex(16),
    )


def _soon(show: Show) -> str:
    """Give the next half hour as a browser's field for a time takes it."""
    step = _STEP_MINUTES * 60_000
    return show.local((show.now // step + 1) * step).strftime("%Y-%m-%dT%H:%M")


async def cancel_visit(request: web.Request) -> web.StreamResponse:
    """Take back one's own visitor."""
    version = parse(Seen, await read_form(request)).version
    visit = await visitors.cancel(request.app[DB], actor_of(request), _key(request), version)
    tell_visitors(request.app[HUB], visit.site_id)
    raise web.HTTPSeeOther("/home/visitors")


async def about_me(request: web.Request) -> web.StreamResponse:
    """Show what is known of the resident, who sees it, and whether they agree."""
    actor = actor_of(request)
    async with request.app[DB].read() as connection:
        me, since = await service.about_me(connection, actor)
        homes = await service.homes(connection, actor, _today(request))
    return await page(
        request,
        "portal/me.html",
        show_for(request, _zone(homes, request)),
        me=me,
        since=since,
        homes=homes,
        stay_words=STAYS,
    )


async def export_me(request: web.Request) -> web.StreamResponse:
    """Hand over everything that is known of the resident, for other programs."""
    actor = actor_of(request)
    async with request.app[DB].read() as connection:
        me, since = await service.about_me(connection, actor)
        homes = await service.homes(connection, actor, _today(request))
        bills = await service.own_bills(connection, homes)
        visits = await visitors.visits_of(connection, actor.person_id or 0)
    response = web.json_response(about(me, since, homes, bills, visits))
    response.headers["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return response


async def agree(request: web.Request) -> web.StreamResponse:
    """Note that the resident agrees, or does not any more."""
    is_given = (await read_form(request)).get("agree") == "1"
    await service.agree(request.app[DB], actor_of(request), is_given=is_given)
    raise web.HTTPSeeOther("/home/me")


def _today(request: web.Request) -> str:
    show = show_for(request)
    return show.local(show.now).date().isoformat()


def _zone(homes: list[Home], request: web.Request) -> str:
    return homes[0].unit.zone if homes else show_for(request).zone_name()


def _key(request: web.Request) -> int:
    text = request.match_info["id"]
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise NotFound("not_found", "There is nothing at this address.")
    return int(text)


def routes() -> list[Route]:
    """Give the resident's routes; each page keeps to what is the resident's own."""
    return [
        Route("GET", "/home", home, Right.HOME),
        Route("GET", "/home/bills", bill_list, Right.HOME),
        Route("GET", "/home/bills/{number}", one_bill, Right.HOME),
        Route("GET", "/home/notices", letter_list, Right.HOME),
        Route("GET", "/home/notices/{id}", one_letter, Right.HOME),
        Route("GET", "/home/visitors", visit_list, Right.HOME),
        Route("GET", "/home/visitors/new", new_visit, Right.HOME),
        Route("POST", "/home/visitors/new", ask_visit, Right.HOME),
        Route("POST", "/home/visitors/{id}/cancel", cancel_visit, Right.HOME),
        Route("GET", "/home/me", about_me, Right.HOME),
        Route("GET", "/home/me.json", export_me, Right.HOME),
        Route("POST", "/home/me/agree", agree, Right.HOME),
    ]
