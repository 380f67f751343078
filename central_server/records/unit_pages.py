"""Units: the list that is searched all day, one unit with everything about it, and its forms."""

import csv
import io
from typing import Any

from aiohttp import web

from central_server.billing import service as billing
from central_server.dashboard.i18n import N_
from central_server.dashboard.page import show_for
from central_server.dashboard.paging import fit, page_number
from central_server.form import EMPTY, Invalid, Typed, parse, read_form
from central_server.mask import mask_phone
from central_server.rbac import Right
from central_server.records import estate, find, people, residency, words
from central_server.records.cell import harmless
from central_server.records.entry import MoveIn, MoveOut, UnitForm
from central_server.records.find import Wanted
from central_server.records.pages import (
    Field,
    Form,
    form_page,
    options,
    path_key,
    query_key,
    records_page,
    today,
    typed_of,
)
from central_server.web import DB, actor_of
from central_server.workorders import service as workorders
from central_server.workorders import words as order_words

_PAGE = 50
_MOST_BILLS = 50


def _wanted(request: web.Request) -> Wanted:
    query, state, sort = request.query, request.query.get("state", ""), request.query.get("sort", "building")
    return Wanted(
        on=today(show_for(request).zone_name()),
        search=query.get("q", "").strip()[:100],
        site_id=query_key(request, "site"),
        building_id=query_key(request, "building"),
        state=state if state in find.STATES else "",
        sort=sort if sort.lstrip("-") in ("code", "building", "area") else "building",
    )


async def unit_list(request: web.Request) -> web.StreamResponse:
    """List units; search by code, whole name, phone, its last four digits or plate."""
    number, actor, wanted = page_number(request.query.get("page", "1")), actor_of(request), _wanted(request)
    async with request.app[DB].read() as connection:
        sites = await estate.sites(connection, actor)
        buildings = await estate.buildings(connection, actor)
        total, items = await find.units(connection, actor, wanted, _PAGE, (number - 1) * _PAGE)
    return await records_page(
        request,
        "units.html",
        paged=fit(items, total, number, _PAGE),
        wanted=wanted,
        sites=sites,
        buildings=[each for each in buildings if wanted.site_id in (None, each.site_id)],
        is_filtered=bool(wanted.search or wanted.site_id or wanted.building_id or wanted.state),
    )


async def unit_export(request: web.Request) -> web.StreamResponse:
    """Give the list as it is filtered, as CSV; nothing in it runs as a formula."""
    actor, show = actor_of(request), show_for(request)
    async with request.app[DB].read() as connection:
        _, items = await find.units(connection, actor, _wanted(request), None)
    text = io.StringIO()
    gettext = show.language.gettext
    head = (N_("Site"), N_("Building"), N_("Unit"), N_("Area m²"), N_("Owner"), N_("Residents"))
    rows = [[gettext(each) for each in head]]
    rows += [
        [harmless(str(each or "")) for each in (hit.site, hit.building, hit.code, hit.area_m2, hit.owner)]
        + [str(hit.residents)]
        for hit in items
    ]
    csv.writer(text).writerows(rows)
    headers = {"Content-Disposition": 'attachment; filename="units.csv"'}
    # The mark at the beginning tells Excel that this is UTF-8.
    return web.Response(text="\ufeff" + text.getvalue(), content_type="text/csv", charset="utf-8", headers=headers)


async def one_unit(request: web.Request) -> web.StreamResponse:
    """Show a unit: who it belongs to, its meters, bills, orders, vehicles and history."""
    return await _unit_page(request, request.query.get("tab", "people"), EMPTY)


async def _unit_page(
    request: web.Request, tab: str, typed: Typed, refused: Invalid | None = None
) -> web.StreamResponse:
    actor, key = actor_of(request), path_key(request)
    tabs = {
        name: text
        for name, text in words.UNIT_TABS.items()
        if actor.may({"bills": Right.BILLS_SEE, "orders": Right.ORDERS_SEE}.get(name, Right.RECORDS_SEE))
    }
    tab = tab if tab in tabs else "people"
    async with request.app[DB].read() as connection:
        found = await estate.get_unit(connection, actor, key)
        on = today(found.zone)
        context: dict[str, Any] = {
            "people": await residency.people_of_unit(connection, key, on),
            "belongings": await find.belongings(connection, actor, unit_id=key),
            "meters": await find.meters(connection, key) if tab == "meters" else (),
            "bills": (await billing.bills_of_units(connection, [key]))[:_MOST_BILLS] if tab == "bills" else (),
            "vehicles": await find.vehicles(connection, unit_id=key) if tab == "vehicles" else (),
            "notes": await find.history(connection, f"unit:{key}") if tab == "history" else (),
            "orders": await workorders.orders_of_unit(connection, actor, key) if tab == "orders" else (),
        }
    return await records_page(
        request,
        "unit.html",
        found.zone,
        unit=found,
        on=on,
        tab=tab,
        tabs=tabs,
        mask_phone=mask_phone,
        order_words=order_words,
        **context,
    )


def _unit_form(
    request: web.Request, title: str, button: str, crumb: tuple[str, str], places: list[tuple[int, str]]
) -> Form:
    choose = Field("building", N_("Building"), "select", options=places, blank=N_("Choose"))
    fields = (
        Field("code", N_("Unit"), help=N_("As it stands on the door, such as 1-101.")),
        Field("area_m2", N_("Area m²"), "decimal", is_required=False),
    )
    return Form(
        title,
        button,
        [("/records", N_("Units")), crumb] if crumb[0] else [("/records", N_("Units"))],
        ((choose, *fields) if places else fields),
    )


async def new_unit(request: web.Request) -> web.StreamResponse:
    """Ask for a new unit."""
    return await _new_unit(request, typed_of(building=request.query.get("building", "")))


async def _new_unit(request: web.Request, typed: Typed, refused: Invalid | None = None) -> web.StreamResponse:
    async with request.app[DB].read() as connection:
        buildings = await estate.buildings(connection, actor_of(request))
        names = {each.id: each.name for each in await estate.sites(connection, actor_of(request))}
    places = [(each.id, f"{names[each.site_id]} / {each.name}") for each in buildings]
    form = _unit_form(request, N_("Add a unit"), N_("Add this unit"), ("", ""), places)
    return await form_page(request, form, typed, refused)


async def add_unit(request: web.Request) -> web.StreamResponse:
    """Add a unit, or say what is wrong and keep what was typed."""
    typed = await read_form(request)
    try:
        made = await estate.save_unit(request.app[DB], actor_of(request), None, parse(UnitForm, typed))
    except Invalid as refused:
        return await _new_unit(request, typed, refused)
    raise web.HTTPSeeOther(f"/records/units/{made}")


async def edit_unit(request: web.Request) -> web.StreamResponse:
    """Ask for a unit's changes; take them."""
    key, refused, typed = path_key(request), None, EMPTY
    async with request.app[DB].read() as connection:
        found = await estate.get_unit(connection, actor_of(request), key)
    if request.method == "POST":
        typed = await read_form(request)
        try:
            await estate.save_unit(request.app[DB], actor_of(request), key, parse(UnitForm, typed))
        except Invalid as error:
            refused = error
        else:
            raise web.HTTPSeeOther(f"/records/units/{key}")
    typed = typed if refused else typed_of(code=found.code, area_m2=found.area_m2)
    crumb = (f"/records/units/{key}", found.code)
    return await form_page(request, _unit_form(request, N_("Change a unit"), N_("Keep"), crumb, []), typed, refused)


async def move_in(request: web.Request) -> web.StreamResponse:
    """Ask who comes to own a unit or to live in it; write it down."""
    key, refused = path_key(request), None
    async with request.app[DB].read() as connection:
        found = await estate.get_unit(connection, actor_of(request), key)
    typed = typed_of(person=request.query.get("person", ""), kind="tenant", from_on=today(found.zone))
    if request.method == "POST":
        typed = await read_form(request)
        try:
            await people.move_in(request.app[DB], actor_of(request), key, parse(MoveIn, typed))
        except Invalid as error:
            refused = error
        else:
            raise web.HTTPSeeOther(f"/records/units/{key}")
    fields = (
        Field("person", N_("Person"), help=N_("The person's number, whole name or whole phone number.")),
        Field("kind", N_("As"), "select", options=options(request, words.BELONGINGS)),
        Field("from_on", N_("From"), "date"),
        Field("to_on", N_("Ends on"), "date", N_("The first day without them. From it on the doors stay shut."), False),
    )
    note = N_(
        "A new owner ends the ownership before on the day it begins. A tenant's and an owner's doors open between these days."
    )
    crumbs = [("/records", N_("Units")), (f"/records/units/{key}", found.code)]
    form = Form(N_("Enter an owner or a resident"), N_("Enter this person"), crumbs, fields, note)
    return await form_page(request, form, typed, refused)


async def move_out(request: web.Request) -> web.StreamResponse:
    """Ask on which day an ownership or a tenancy ends; end it."""
    key, refused = path_key(request), None
    kind = "ownership" if request.path.startswith("/records/ownerships/") else "tenancy"
    async with request.app[DB].read() as connection:
        found = await people.get_belonging(connection, actor_of(request), kind, key)
        place = await estate.get_unit(connection, actor_of(request), found.unit_id)
    typed = typed_of(to_on=found.to_on or today(place.zone))
    if request.method == "POST":
        typed = await read_form(request)
        try:
            await people.move_out(request.app[DB], actor_of(request), kind, key, parse(MoveOut, typed))
        except Invalid as error:
            refused = error
        else:
            raise web.HTTPSeeOther(f"/records/units/{found.unit_id}")
    help_text = N_("The first day without them. From it on the doors stay shut. The day it began takes the entry back.")
    crumbs = [
        ("/records", N_("Units")),
        (f"/records/units/{place.id}", place.code),
        (f"/records/people/{found.person_id}", found.person),
    ]
    form = Form(
        N_("End a person's time in this unit"),
        N_("End it on this day"),
        crumbs,
        (Field("to_on", N_("Ends on"), "date", help_text),),
    )
    return await form_page(request, form, typed, refused)
