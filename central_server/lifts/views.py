"""Lifts as they are now, in their shafts, and what befell each of them; nothing here can move one."""

from dataclasses import dataclass
from decimal import Decimal

from aiohttp import web

from central_server.alarms import service as alarms
from central_server.alarms.store import AlarmRow
from central_server.dashboard import queries
from central_server.dashboard.cards import Card, Cell, list_cards, one_card
from central_server.dashboard.feed import condition_name
from central_server.dashboard.page import page, show_for
from central_server.dashboard.show import Show
from central_server.db import Database
from central_server.errors import NotFound
from central_server.rbac import Right
from central_server.web import DB, Route, actor_of

CONDITIONS = frozenset(("lift_entrapment", "lift_fault", "lift_fire_mode", "device_offline"))
_SEEN_MS = 7 * 86_400_000
_POINTS = ("direction", "doorState", "carMode")


@dataclass(frozen=True, slots=True)
class LiftView:
    """A lift in its shaft; ``low`` and ``high`` are the floors it was seen at in the last week."""

    card: Card
    floor: Cell | None
    low: int
    high: int
    cells: tuple[Cell, ...]
    alarms: tuple[AlarmRow, ...]

    @property
    def at(self) -> int:
        """The floor to draw the car at."""
        value = self.floor.value if self.floor else None
        return self.low if value is None else min(max(int(value), self.low), self.high)

    @property
    def open_alarms(self) -> list[AlarmRow]:
        return [row for row in self.alarms if row.cleared_at is None]


async def lift_list(request: web.Request) -> web.StreamResponse:
    """Show every lift of the actor's site, those in need first."""
    db, show = request.app[DB], show_for(request)
    cards = [card for card in await list_cards(db, show, actor_of(request)) if card.kind == "lift"]
    views = [await _view(db, card, show) for card in cards]
    views.sort(key=lambda it: (it.card.priority or 9, it.card.is_well, it.card.name))
    return await page(
        request, "lifts/list.html", show, lifts=views, name=lambda row: condition_name(row.condition, show)
    )


async def one_lift(request: web.Request) -> web.StreamResponse:
    """Show one lift with its history of faults."""
    text = request.match_info["id"]
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise NotFound("no_device", "There is no such device.")
    db, show = request.app[DB], show_for(request)
    card = await one_card(db, int(text), show, actor_of(request))
    if card.kind != "lift":
        raise NotFound("no_device", "There is no such device.")
    lift = await _view(db, card, show)
    return await page(request, "lifts/lift.html", show, lift=lift, name=lambda row: condition_name(row.condition, show))


async def _view(db: Database, card: Card, show: Show) -> LiftView:
    floor = card.cells.get("currentFloor")
    ends = None
    if floor is not None:
        async with db.read() as connection:
            ends = await queries.span_of(connection, floor.series_id, show.now - _SEEN_MS)
    low, high = ends or (Decimal(1), Decimal(1))
    told = await alarms.of_subject(db, card.view.gateway.id, f"device:{card.view.device.code}", CONDITIONS)
    cells = tuple(card.cells[point] for point in _POINTS if point in card.cells)
    return LiftView(card, floor, int(low), max(int(high), int(low) + 1), cells, tuple(told))


def routes() -> list[Route]:
    return [
        Route("GET", "/lifts", lift_list, Right.LIFTS_SEE),
        Route("GET", "/lifts/{id}", one_lift, Right.LIFTS_SEE),
    ]
