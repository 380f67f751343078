"""People: found by what they say of themselves, shown masked, revealed for a reason that the audit keeps."""

from aiohttp import web

from central_server.dashboard.i18n import N_
from central_server.dashboard.page import show_for
from central_server.dashboard.paging import fit, page_number
from central_server.form import EMPTY, Invalid, Typed, parse, read_form
from central_server.mask import mask_phone
from central_server.records import find, people, words
from central_server.records.entry import PersonForm, Reason, VehicleForm
from central_server.records.find import PersonRow
from central_server.records.pages import (
    Field,
    Form,
    form_page,
    options,
    path_key,
    records_page,
    today,
    typed_of,
)
from central_server.web import DB, actor_of

_PAGE = 50
_PEOPLE = ("/records/people", N_("Persons"))


async def person_list(request: web.Request) -> web.StreamResponse:
    """List people; search by a whole name, phone, its last four digits, a plate or a number."""
    number, actor = page_number(request.query.get("page", "1")), actor_of(request)
    search = request.query.get("q", "").strip()[:100]
    async with request.app[DB].read() as connection:
        total, items = await find.people(connection, actor, search, _PAGE, (number - 1) * _PAGE)
        belongings = await find.belongings(connection, actor, person_ids=[each.id for each in items])
    on = today(show_for(request).zone_name())
    homes = {
        each.id: [b for b in belongings if b.person_id == each.id and b.from_on <= on and (b.to_on or "9") > on]
        for each in items
    }
    paged = fit(items, total, number, _PAGE)
    return await records_page(request, "people.html", paged=paged, search=search, homes=homes, mask_phone=mask_phone)


async def one_person(request: web.Request) -> web.StreamResponse:
    """Show a person: masked, with units, vehicles and history."""
    return await _person_page(request)


async def _person_page(
    request: web.Request, typed: Typed = EMPTY, refused: Invalid | None = None, revealed: PersonRow | None = None
) -> web.StreamResponse:
    actor, key = actor_of(request), path_key(request)
    async with request.app[DB].read() as connection:
        found = await people.get_person(connection, actor, key)
        belongings = await find.belongings(connection, actor, person_ids=[key])
        vehicles = await find.vehicles(connection, person_id=key)
        notes = await find.history(connection, f"person:{key}")
    return await records_page(
        request,
        "person.html",
        status=422 if refused else 200,
        person=found,
        revealed=revealed,
        belongings=belongings,
        vehicles=vehicles,
        notes=notes,
        on=today(show_for(request).zone_name()),
        mask_phone=mask_phone,
        typed=typed,
        problems=refused.problems if refused else {},
    )


async def reveal(request: web.Request) -> web.StreamResponse:
    """Show what is masked, for a reason."""
    typed = await read_form(request)
    try:
        reason = parse(Reason, typed).reason
    except Invalid as refused:
        return await _person_page(request, typed, refused)
    found = await people.reveal(request.app[DB], actor_of(request), path_key(request), reason)
    return await _person_page(request, revealed=found)


def _person_form(title: str, button: str, found: PersonRow | None) -> Form:
    kept = N_("Left empty, it stays as it is.") if found else ""
    fields = (
        Field("name", N_("Name")),
        Field("phone", N_("Phone"), "tel", kept, is_required=False),
        Field("id_number", N_("Identity number"), "text", kept, is_required=False),
        Field("code", N_("Number"), "text", "" if found else N_("Left empty, the next one is given."), False),
    )
    crumbs = [_PEOPLE, *([(f"/records/people/{found.id}", found.name)] if found else [])]
    return Form(
        title, button, crumbs, fields, N_("Phone and identity number are sealed in the database and masked on pages.")
    )


async def new_person(request: web.Request) -> web.StreamResponse:
    """Ask for a new person; add them."""
    typed, refused = EMPTY, None
    if request.method == "POST":
        typed = await read_form(request)
        try:
            made = await people.save_person(request.app[DB], actor_of(request), None, parse(PersonForm, typed))
        except Invalid as error:
            refused = error
        else:
            raise web.HTTPSeeOther(f"/records/people/{made}")
    return await form_page(request, _person_form(N_("Add a person"), N_("Add this person"), None), typed, refused)


async def edit_person(request: web.Request) -> web.StreamResponse:
    """Ask for a person's changes; take them."""
    key, refused = path_key(request), None
    async with request.app[DB].read() as connection:
        found = await people.get_person(connection, actor_of(request), key)
    typed = typed_of(name=found.name, code=found.code)
    if request.method == "POST":
        typed = await read_form(request)
        try:
            await people.save_person(request.app[DB], actor_of(request), key, parse(PersonForm, typed))
        except Invalid as error:
            refused = error
        else:
            raise web.HTTPSeeOther(f"/records/people/{key}")
    return await form_page(request, _person_form(N_("Change a person"), N_("Keep"), found), typed, refused)


async def new_vehicle(request: web.Request) -> web.StreamResponse:
    """Ask for a person's vehicle; add it."""
    key, refused, typed = path_key(request), None, EMPTY
    async with request.app[DB].read() as connection:
        found = await people.get_person(connection, actor_of(request), key)
        belongings = await find.belongings(connection, actor_of(request), person_ids=[key])
    if request.method == "POST":
        typed = await read_form(request)
        try:
            await people.add_vehicle(request.app[DB], actor_of(request), key, parse(VehicleForm, typed))
        except Invalid as error:
            refused = error
        else:
            raise web.HTTPSeeOther(f"/records/people/{key}")
    units = {each.unit_id: f"{each.building} {each.unit}" for each in belongings}
    fields = (
        Field("plate", N_("Number plate"), help=N_("Such as 京A12345.")),
        Field("kind", N_("Kind"), "select", options=options(request, words.VEHICLES)),
        Field("unit", N_("Belongs to unit"), "select", is_required=False, options=list(units.items())),
    )
    crumbs = [_PEOPLE, (f"/records/people/{key}", found.name)]
    form = Form(N_("Add a vehicle"), N_("Add this vehicle"), crumbs, fields)
    return await form_page(request, form, typed, refused)


async def remove_vehicle(request: web.Request) -> web.StreamResponse:
    """Take a vehicle out of the records."""
    whose = await people.remove_vehicle(request.app[DB], actor_of(request), path_key(request))
    raise web.HTTPSeeOther(f"/records/people/{whose}")
