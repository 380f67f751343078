"""Who went through which door: the guard's page, live, and one person's history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from aiohttp import web

from central_server.access import decisions, rule_store, service, store, words
from central_server.access.decisions import DecisionRow, Wanted
from central_server.access.store import DoorRow
from central_server.dashboard.cards import list_cards
from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import Paged, fit, page_number
from central_server.dashboard.show import Show
from central_server.db import Database
from central_server.devices import service as devices
from central_server.devices.service import is_silent
from central_server.devices.store import GatewayRow
from central_server.errors import NotFound
from central_server.mask import name_mask
from central_server.rbac import Actor, Right
from central_server.records import people
from central_server.web import DB, actor_of
from protocols.errors import ProtocolError
from protocols.wiegand import decode_card

PAGE = 50


@dataclass(frozen=True, slots=True)
class RulesState:
    """The rules at a gateway: ours, its own, and how old; ``state`` is a key of words.RULES."""

    edge_id: str
    version: int
    has: int | None
    issued_at: int
    confirmed_at: int | None
    state: str
    decisions: int | None


async def who_entered(request: web.Request) -> web.StreamResponse:
    """Show the newest decisions, narrowed by door, person and day."""
    db, actor = request.app[DB], actor_of(request)
    zone = await _zone(db, actor)
    show = show_for(request, zone)
    wanted = _wanted(request, show)
    async with db.read() as connection:
        doors = await store.doors(connection, actor)
        shown = await _page_of(connection, actor, wanted, page_number(request.query.get("page", "1")))
    cards = {card.id: card for card in await list_cards(db, show, actor) if card.kind == "door"}
    return await page(
        request,
        "access/doors.html",
        show,
        shown=shown,
        doors=doors,
        cards=cards,
        rules=await rules_states(db, actor, doors, show.now),
        wanted=wanted,
        **context(actor),
    )


async def one_person(request: web.Request) -> web.StreamResponse:
    """Show where somebody went, and their cards."""
    db, actor, person_id = request.app[DB], actor_of(request), key(request)
    async with db.read() as connection:
        found = await people.get_person(connection, actor, person_id)
        held = await service.cards_of(connection, actor, person_id)
        wanted = Wanted(person_id=person_id)
        shown = await _page_of(connection, actor, wanted, page_number(request.query.get("page", "1")))
    show = show_for(request, held[0].zone if held else None)
    return await page(request, "access/person.html", show, person=found, held=held, shown=shown, **context(actor))


async def _page_of(connection: Any, actor: Actor, wanted: Wanted, number: int) -> Paged[DecisionRow]:
    total = await decisions.how_many(connection, actor, wanted)
    number = min(number, max(1, -(-total // PAGE)))
    rows = await decisions.listed(connection, actor, wanted, limit=PAGE, offset=(number - 1) * PAGE)
    return fit(rows, total, number, PAGE)


def context(actor: Actor) -> dict[str, Any]:
    """Give what every page of doors prints with."""
    is_editor = actor.may(Right.DOORS_EDIT)

    def card_no(bits: int, number: str) -> str:
        """A card's number can be copied onto another card: only whoever gives cards sees it whole."""
        return printed(bits, number) if is_editor else f"…{number[-3:]}"

    return {"access_words": words, "mask": name_mask(actor), "card_no": card_no}


def printed(bits: int, number: str) -> str:
    """Give a card's number as it is printed on it where its format says how, else in hex."""
    try:
        card = decode_card(bits, int(number, 16))
    except ProtocolError:
        return number
    return number if card.card is None else f"{card.facility}/{card.card}"


def key(request: web.Request) -> int:
    """Read the number in the address. Raises: NotFound."""
    text = request.match_info["id"]
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise NotFound("not_found", "There is nothing at this address.")
    return int(text)


def _wanted(request: web.Request, show: Show) -> Wanted:
    """Read the filters; what makes no sense narrows nothing."""
    query = request.query
    door, on = query.get("door", ""), _day(query.get("on", ""))
    start = None if on is None else _midnight(on, show)
    end = None if on is None else _midnight(on + timedelta(days=1), show)
    return Wanted(
        device_id=int(door) if door.isascii() and door.isdecimal() and len(door) <= 15 else None,
        who=query.get("who", "").strip()[:100],
        is_refused=query.get("only") == "refused",
        from_at=start,
        to_at=end,
    )


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if date(2000, 1, 1) <= found < date(2200, 1, 1) else None


def _midnight(on: date, show: Show) -> int:
    return int(datetime(on.year, on.month, on.day, tzinfo=show.zone).timestamp() * 1000)


async def _zone(db: Database, actor: Actor) -> str | None:
    """Give the one zone of the actor's sites; the centre's own where there are several."""
    async with db.read() as connection:
        zones = {site.zone for site in await store.sites(connection, actor)}
    return zones.pop() if len(zones) == 1 else None


async def rules_states(db: Database, actor: Actor, doors: Sequence[DoorRow], now: int) -> list[RulesState]:
    """Compare what each gateway with doors decides by with what it should."""
    gateways = {row.id: row for row in await devices.list_gateways(db, actor)}
    ids = sorted({door.gateway_id for door in doors})
    async with db.read() as connection:
        ours = await rule_store.versions(connection, ids)
    return [_state(gateways[each], ours[each], now) for each in ids if each in ours and each in gateways]


def _state(gateway: GatewayRow, ours: tuple[int, int], now: int) -> RulesState:
    said = gateway.status.get("access")
    said = said if isinstance(said, dict) else {}
    has, age = said.get("rules_version"), said.get("rules_age_s")
    if is_silent(gateway, now):
        state = "silent"
    else:
        state = "none" if has is None else "current" if has == ours[0] else "behind"
    heard_at = gateway.last_seen_at or 0
    confirmed_at = heard_at - int(age * 1000) if isinstance(age, int | float) else None
    return RulesState(gateway.edge_id, ours[0], has, ours[1], confirmed_at, state, said.get("decisions"))
