"""Every route of work orders: the desk's, the technicians', the residents'."""

from central_server.web import Route
from central_server.workorders import desk_views, fault_views, work_views


def routes() -> list[Route]:
    return [*desk_views.routes(), *work_views.routes(), *fault_views.routes()]
