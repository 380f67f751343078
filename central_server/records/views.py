"""The routes of the records."""

from central_server.rbac import Right
from central_server.records import estate_pages, import_pages, people_pages, unit_pages
from central_server.records.workbook import MOST_BYTES
from central_server.web import Handler, Route


def _form(path: str, handler: Handler) -> list[Route]:
    return [Route(method, path, handler, Right.RECORDS_EDIT) for method in ("GET", "POST")]


def routes() -> list[Route]:
    """Give the routes with who may use them."""
    see, edit = Right.RECORDS_SEE, Right.RECORDS_EDIT
    return [
        Route("GET", "/records", unit_pages.unit_list, see),
        Route("GET", "/records/units.csv", unit_pages.unit_export, see),
        Route("GET", "/records/units/new", unit_pages.new_unit, edit),
        Route("POST", "/records/units/new", unit_pages.add_unit, edit),
        Route("GET", "/records/units/{id}", unit_pages.one_unit, see),
        *_form("/records/units/{id}/edit", unit_pages.edit_unit),
        *_form("/records/units/{id}/people/new", unit_pages.move_in),
        *_form("/records/ownerships/{id}/end", unit_pages.move_out),
        *_form("/records/tenancies/{id}/end", unit_pages.move_out),
        Route("GET", "/records/people", people_pages.person_list, see),
        *_form("/records/people/new", people_pages.new_person),
        Route("GET", "/records/people/{id}", people_pages.one_person, see),
        Route("POST", "/records/people/{id}/reveal", people_pages.reveal, Right.RECORDS_REVEAL),
        *_form("/records/people/{id}/edit", people_pages.edit_person),
        *_form("/records/people/{id}/vehicles/new", people_pages.new_vehicle),
        Route("POST", "/records/vehicles/{id}/remove", people_pages.remove_vehicle, edit),
        Route("GET", "/records/equipment", estate_pages.equipment_list, see),
        *_form("/records/equipment/new", estate_pages.equipment_form),
        Route("GET", "/records/equipment/{id}", estate_pages.one_equipment, see),
        *_form("/records/equipment/{id}/edit", estate_pages.equipment_form),
        Route("GET", "/records/sites", estate_pages.site_list, see),
        *_form("/records/sites/new", estate_pages.site_form),
        *_form("/records/sites/{id}/edit", estate_pages.site_form),
        *_form("/records/buildings/new", estate_pages.building_form),
        *_form("/records/buildings/{id}/edit", estate_pages.building_form),
        Route("GET", "/records/import", import_pages.import_page, edit),
        Route("POST", "/records/import", import_pages.upload, edit, max_body=MOST_BYTES + 64 * 1024),
        Route("GET", "/records/import/template.xlsx", import_pages.template, edit),
        Route("GET", "/records/import/{id}", import_pages.look, edit),
        Route("POST", "/records/import/{id}", import_pages.confirm, edit),
        Route("POST", "/records/export", import_pages.export_all, Right.RECORDS_REVEAL),
    ]
