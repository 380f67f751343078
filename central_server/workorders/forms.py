"""What the three sides of a work order's pages have in common: finding it, taking a step, saying why not."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web

from central_server.dashboard.show import Show
from central_server.errors import Conflict, NotFound
from central_server.form import EMPTY, Invalid, Typed, read_form
from central_server.photos.service import MAX_BODY
from central_server.rbac import Right
from central_server.web import DB, HUB, Route, actor_of
from central_server.workorders import service, words
from central_server.workorders.asked import WITH_PHOTOS, answered
from central_server.workorders.live import tell
from central_server.workorders.model import Step
from central_server.workorders.store import Order, Technician


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a form comes back: what was typed, what is wrong with it, and the status that says so."""

    step: str = ""
    typed: Typed = EMPTY
    problems: Invalid | None = None
    conflict: Conflict | None = None

    @property
    def status(self) -> int:
        return 422 if self.problems else self.conflict.status if self.conflict else 200

    @property
    def shown(self) -> dict[str, Any]:
        """Give what a template needs to show the form again."""
        return {
            "doing": self.step,
            "typed": self.typed,
            "problems": self.problems.problems if self.problems else {},
            "conflict": self.conflict,
        }


Find = Callable[[web.Request], Awaitable[Order]]
Again = Callable[[web.Request, Trouble], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the three sides: where its orders live, how one is found, and its page."""

    base: str
    right: Right
    find: Find
    again: Again

    def routes(self, steps: tuple[Step, ...]) -> list[Route]:
        """Give a route for each step this side takes."""
        return [
            Route(
                "POST",
                f"{self.base}/{{order_id}}/{step.value.replace('_', '-')}",
                partial(_take, self, step),
                self.right,
                max_body=MAX_BODY if step in WITH_PHOTOS else 1024 * 1024,
            )
            for step in steps
        ]


def order_id_of(request: web.Request) -> int:
    """Read an order's id from the address. Raises: NotFound."""
    text = request.match_info["order_id"]
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise NotFound("no_order", "There is no such work order.")
    return int(text)


async def _take(side: Side, step: Step, request: web.Request) -> web.StreamResponse:
    """Take a step that a form asks for; show the page again where it cannot be taken."""
    typed = await read_form(request)
    order = await side.find(request)
    try:
        version, said = await answered(step, typed, order.zone)
        # Who grabs wants the order whatever happened to it, as long as nobody has it.
        seen = None if step is Step.GRAB else version
        await service.take(request.app[DB], actor_of(request), order.id, step, seen, said)
    except Invalid as refused:
        return await side.again(request, Trouble(step.value, typed, problems=refused))
    except Conflict as refused:
        return await side.again(request, Trouble(typed=typed, conflict=refused))
    tell(request.app[HUB], order.site_id)
    raise web.HTTPSeeOther(f"{side.base}/{order.id}")


def context(show: Show, **more: Any) -> dict[str, Any]:
    """Give what every template of this slice is rendered with."""

    def options(table: Mapping[str, str]) -> list[tuple[str, str]]:
        return [(key, show.language.gettext(text)) for key, text in table.items()]

    def people(technicians: Iterable[Technician]) -> list[tuple[int, str]]:
        return [(each.id, f"{each.name} ({each.load})") for each in technicians]

    return {"w": words, "options": options, "people": people, **more}
