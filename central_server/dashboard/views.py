"""The pages' routes."""

from aiohttp import web

from central_server.dashboard import alarm_pages, assets, bill_pages, device_pages, session_pages, stream
from central_server.dashboard.i18n import languages
from central_server.dashboard.overview_page import overview
from central_server.dashboard.page import error_page
from central_server.dashboard.search_page import search
from central_server.rbac import Right
from central_server.web import ERROR_PAGE, Policy, Route


def set_up(app: web.Application) -> None:
    """Let the server answer errors with our page; a broken catalogue or asset stops the start, not a request."""
    languages()
    assets.assets()
    app[ERROR_PAGE] = error_page


def routes() -> list[Route]:
    """Give every page's route with who may use it."""
    return [
        Route("GET", "/static/{name:.+}", assets.serve, Policy.PUBLIC),
        Route("GET", "/sign-in", session_pages.sign_in_page, Policy.PUBLIC),
        Route("POST", "/sign-in", session_pages.sign_in, Policy.PUBLIC),
        Route("POST", "/sign-out", session_pages.sign_out, Policy.SIGNED_IN),
        Route("POST", "/language", session_pages.set_language, Policy.PUBLIC),
        Route("POST", "/theme", session_pages.set_theme, Policy.PUBLIC),
        Route("GET", "/", overview, Policy.SIGNED_IN),
        Route("GET", "/live", stream.live, Policy.SIGNED_IN),
        Route("GET", "/search", search, Right.OVERVIEW_SEE),
        Route("GET", "/alarms", alarm_pages.console, Right.ALARMS_SEE),
        Route("GET", "/alarms/{id}", alarm_pages.one_alarm, Right.ALARMS_SEE),
        Route("POST", "/alarms/{id}/acknowledge", alarm_pages.acknowledge, Right.ALARMS_ACKNOWLEDGE),
        Route("POST", "/alarms/{id}/comment", alarm_pages.comment, Right.ALARMS_ACKNOWLEDGE),
        Route("POST", "/alarms/{id}/end", alarm_pages.end, Right.ALARMS_ACKNOWLEDGE),
        Route("GET", "/devices", device_pages.device_list, Right.DEVICES_SEE),
        Route("GET", "/devices/{id}", device_pages.device, Right.DEVICES_SEE),
        Route("GET", "/devices/{id}/history", device_pages.history, Right.DEVICES_SEE),
        Route("GET", "/devices/{id}/history.csv", device_pages.export, Right.DEVICES_SEE),
        Route("GET", "/bills", bill_pages.bill_list, Right.BILLS_SEE),
        Route("GET", "/bills/{number}", bill_pages.bill, Right.BILLS_SEE),
    ]
