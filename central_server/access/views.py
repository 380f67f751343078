"""The routes of doors, each with who may use it."""

from central_server.access import card_pages, pages, setup_pages
from central_server.rbac import Right
from central_server.web import Handler, Route


def _form(path: str, show: Handler, save: Handler) -> tuple[Route, Route]:
    return Route("GET", path, show, Right.DOORS_EDIT), Route("POST", path, save, Right.DOORS_EDIT)


def routes() -> list[Route]:
    return [
        Route("GET", "/doors", pages.who_entered, Right.DOORS_SEE),
        Route("GET", "/doors/people/{id}", pages.one_person, Right.DOORS_SEE),
        Route("GET", "/doors/cards", card_pages.card_list, Right.DOORS_SEE),
        *_form("/doors/cards/new", card_pages.new_card, card_pages.add_card),
        Route("GET", "/doors/cards/{id}", card_pages.one_card, Right.DOORS_SEE),
        Route("POST", "/doors/cards/{id}", card_pages.change_card, Right.DOORS_EDIT),
        Route("POST", "/doors/cards/{id}/revoke", card_pages.revoke_card, Right.DOORS_EDIT),
        Route("GET", "/doors/setup", setup_pages.overview, Right.DOORS_SEE),
        *_form("/doors/setup/doors/{id}", setup_pages.door_page, setup_pages.save_door),
        *_form("/doors/setup/groups/new", setup_pages.group_page, setup_pages.save_group),
        *_form("/doors/setup/groups/{id}", setup_pages.group_page, setup_pages.save_group),
        *_form("/doors/setup/schedules/new", setup_pages.schedule_page, setup_pages.save_schedule),
        *_form("/doors/setup/schedules/{id}", setup_pages.schedule_page, setup_pages.save_schedule),
        *_form("/doors/setup/trust/{id}", setup_pages.trust_page, setup_pages.save_trust),
    ]
