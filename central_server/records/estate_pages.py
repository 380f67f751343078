"""Sites with their buildings, and the ledger of equipment."""

from aiohttp import web

from central_server.dashboard.i18n import N_
from central_server.dashboard.page import show_for
from central_server.dashboard.paging import fit, page_number
from central_server.form import EMPTY, Invalid, Typed, parse, read_form
from central_server.records import estate, find, words
from central_server.records.entry import BuildingForm, EquipmentForm, SiteForm
from central_server.records.pages import Field, Form, Option, form_page, options, path_key, records_page, typed_of
from central_server.web import DB, actor_of

_PAGE = 50
_SITES = ("/records/sites", N_("Sites and buildings"))
_EQUIPMENT = ("/records/equipment", N_("Equipment"))


async def site_list(request: web.Request) -> web.StreamResponse:
    """Show the sites with their buildings."""
    actor = actor_of(request)
    async with request.app[DB].read() as connection:
        sites = await estate.sites(connection, actor)
        buildings = await estate.buildings(connection, actor)
    may_add = actor.site_id is None
    return await records_page(request, "sites.html", sites=sites, buildings=buildings, may_add=may_add)


async def site_form(request: web.Request) -> web.StreamResponse:
    """Ask for a new site or for a site's changes; take them."""
    key = path_key(request) if "id" in request.match_info else None
    typed, refused = typed_of(zone=show_for(request).zone_name()), None
    if key is not None:
        async with request.app[DB].read() as connection:
            found = await estate.get_site(connection, actor_of(request), key)
        typed = typed_of(code=found.code, name=found.name, zone=found.zone)
    if request.method == "POST":
        typed = await read_form(request)
        try:
            await estate.save_site(request.app[DB], actor_of(request), key, parse(SiteForm, typed))
        except Invalid as error:
            refused = error
        else:
            raise web.HTTPSeeOther("/records/sites")
    fields = (
        Field("code", N_("Code"), help=N_("Short and for good; files and gateways name the site by it.")),
        Field("name", N_("Name")),
        Field("zone", N_("Time zone")),
    )
    title, button = (N_("Add a site"), N_("Add this site")) if key is None else (N_("Change a site"), N_("Keep"))
    return await form_page(request, Form(title, button, [_SITES], fields), typed, refused)


async def building_form(request: web.Request) -> web.StreamResponse:
    """Ask for a new building or for a building's changes; take them."""
    key = path_key(request) if "id" in request.match_info else None
    typed, refused = typed_of(site=request.query.get("site", "")), None
    async with request.app[DB].read() as connection:
        sites = await estate.sites(connection, actor_of(request))
        if key is not None:
            found = await estate.get_building(connection, actor_of(request), key)
            typed = typed_of(code=found.code, name=found.name)
    if request.method == "POST":
        typed = await read_form(request)
        try:
            await estate.save_building(request.app[DB], actor_of(request), key, parse(BuildingForm, typed))
        except Invalid as error:
            refused = error
        else:
            raise web.HTTPSeeOther("/records/sites")
    choose = Field("site", N_("Site"), "select", options=[(each.id, each.name) for each in sites], blank=N_("Choose"))
    fields = (
        *((choose,) if key is None and len(sites) > 1 else ()),
        Field("code", N_("Code"), help=N_("Such as 3; files name the building by it.")),
        Field("name", N_("Name")),
    )
    title = N_("Add a building") if key is None else N_("Change a building")
    form = Form(title, N_("Add this building") if key is None else N_("Keep"), [_SITES], fields)
    return await form_page(request, form, typed, refused)


async def equipment_list(request: web.Request) -> web.StreamResponse:
    """List what is inspected and repaired."""
    number, query = page_number(request.query.get("page", "1")), request.query
    search, kind = query.get("q", "").strip()[:100], query.get("kind", "")
    kind, is_retired = kind if kind in words.EQUIPMENT else "", query.get("state") == "retired"
    async with request.app[DB].read() as connection:
        total, items = await find.equipments(
            connection,
            actor_of(request),
            search,
            kind,
            is_retired=is_retired,
            limit=_PAGE,
            offset=(number - 1) * _PAGE,
        )
    paged = fit(items, total, number, _PAGE)
    return await records_page(request, "equipments.html", paged=paged, search=search, kind=kind, is_retired=is_retired)


async def one_equipment(request: web.Request) -> web.StreamResponse:
    """Show one thing of the ledger with its history."""
    key = path_key(request)
    async with request.app[DB].read() as connection:
        found = await estate.get_equipment(connection, actor_of(request), key)
        notes = await find.history(connection, f"equipment:{key}")
    return await records_page(request, "equipment.html", equipment=found, notes=notes)


async def equipment_form(request: web.Request) -> web.StreamResponse:
    """Ask for a new thing of the ledger or for its changes; take them."""
    key = path_key(request) if "id" in request.match_info else None
    typed, refused, site_id = EMPTY, None, None
    async with request.app[DB].read() as connection:
        sites = await estate.sites(connection, actor_of(request))
        buildings = await estate.buildings(connection, actor_of(request))
        if key is not None:
            found = await estate.get_equipment(connection, actor_of(request), key)
            site_id, typed = found.site_id, _typed(found)
    if request.method == "POST":
        typed = await read_form(request)
        try:
            made = await estate.save_equipment(request.app[DB], actor_of(request), key, parse(EquipmentForm, typed))
        except Invalid as error:
            refused = error
        else:
            raise web.HTTPSeeOther(f"/records/equipment/{made}")
    names = {each.id: each.name for each in sites}
    places = [
        (each.id, each.name if len(sites) == 1 else f"{names[each.site_id]} / {each.name}")
        for each in buildings
        if site_id in (None, each.site_id)
    ]
    fields = _equipment_fields(request, key is None and len(sites) > 1, list(names.items()), places, key is not None)
    title = N_("Add equipment") if key is None else N_("Change equipment")
    form = Form(title, N_("Add to the ledger") if key is None else N_("Keep"), [_EQUIPMENT], fields)
    return await form_page(request, form, typed, refused)


def _typed(found: find.EquipmentRow) -> Typed:
    return typed_of(
        code=found.code,
        name=found.name,
        kind=found.kind,
        building=found.building_id,
        place=found.place,
        installed_on=found.installed_on,
        is_retired="1" if found.is_retired else "",
    )


def _equipment_fields(
    request: web.Request, has_site: bool, sites: list[Option], places: list[Option], is_known: bool
) -> list[Field]:
    fields = [
        Field("code", N_("Code"), help=N_("As on its plate, such as LIFT-3-1.")),
        Field("name", N_("Name")),
        Field("kind", N_("Kind"), "select", options=options(request, words.EQUIPMENT)),
        Field("building", N_("Building"), "select", is_required=False, options=places),
        Field("place", N_("Place"), help=N_("Where one finds it, such as roof, machine room."), is_required=False),
        Field("installed_on", N_("Installed on"), "date", is_required=False),
    ]
    if has_site:
        fields.insert(0, Field("site", N_("Site"), "select", options=sites, blank=N_("Choose")))
    if is_known:
        fields.append(Field("is_retired", N_("Out of use; kept for its history"), "checkbox", is_required=False))
    return fields
