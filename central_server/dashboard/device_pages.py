"""Devices: the list, one device with its chart, and its readings as a file."""

from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from central_server.alarms import service as alarms
from central_server.clock import now_ms
from central_server.commands import store as command_store
from central_server.commands.model import orderables
from central_server.commands.page_words import command_context, may_order
from central_server.dashboard import csv_file, queries, words
from central_server.dashboard.cards import Card, Cell, list_cards, one_card
from central_server.dashboard.chart import RANGES, chart, window
from central_server.dashboard.feed import condition_name
from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import cut, page_number
from central_server.devices.clock_fault import clock_fault
from central_server.errors import NotFound
from central_server.records.store import SiteRow
from central_server.telemetry import clock_stretch
from central_server.telemetry import service as telemetry
from central_server.telemetry.clock_stretch import ClockStretch
from central_server.web import DB, actor_of
from protocols.quantity import Quality

_PAGE = 50
_NEW_MS = 3 * 3600 * 1000
_EVENTS = 12
_COMMANDS = 5

_SORTS: dict[str, Callable[[Card], Any]] = {
    "name": lambda card: card.name,
    "place": lambda card: (card.place is None, card.place.unit if card.place else ""),
    "line": lambda card: (card.view.device.edge_id, card.view.device.bus, card.view.device.address),
    "state": lambda card: (card.is_well, card.priority or 9, card.state),
    "age": lambda card: card.at or 0,
}


async def device_list(request: web.Request) -> web.StreamResponse:
    """List devices, filtered and sorted as the address says."""
    show = show_for(request)
    every = await list_cards(request.app[DB], show, actor_of(request))
    kind, state = request.query.get("kind"), request.query.get("state")
    found = search(every, request.query.get("q", ""))
    kinds = {code: sum(card.kind == code for card in found) for code in words.KINDS}
    wrong = sum(not card.is_well for card in found)
    if kind:
        found = [card for card in found if card.kind == kind]
    if state == "wrong":
        found = [card for card in found if not card.is_well]
    sort = request.query.get("sort", "name")
    key = sort.removeprefix("-")
    found = sorted(found, key=_SORTS.get(key, _SORTS["name"]), reverse=sort.startswith("-"))
    return await page(
        request,
        "devices.html",
        show,
        paged=cut(found, page_number(request.query.get("page", "1")), _PAGE),
        total=len(every),
        kinds=kinds,
        wrong=wrong,
        sort=sort,
    )


def search(cards: Sequence[Card], text: str) -> list[Card]:
    """Keep the devices in which every word is found somewhere."""
    wanted = [word.casefold() for word in text.split()]
    return [card for card in cards if all(word in _haystack(card) for word in wanted)]


def _haystack(card: Card) -> str:
    row = card.view.device
    place = (card.place.unit, card.place.metering_point) if card.place else ()
    return " ".join((card.name, row.code, row.address, row.bus, row.profile, row.edge_id, *place)).casefold()


async def device(request: web.Request) -> web.StreamResponse:
    """Show one device: values, line, chart, what happened to it."""
    db = request.app[DB]
    card, site = await _card(request)
    show = show_for(request, site.zone)
    chosen = _point(card, request.query.get("point"))
    subject = f"device:{card.view.device.code}"
    span = window(_range(request, card), show)
    earliest = min([span.start, *(each.at for each in card.cells.values())])
    async with db.read() as conn:
        stretches = await clock_stretch.between(conn, card.view.gateway.id, earliest, show.now + _NEW_MS)
        events = await queries.events_of(conn, card.view.gateway.id, subject, _EVENTS)
        commands = await command_store.listed(conn, actor_of(request), device_id=card.id, limit=_COMMANDS)
    recent = (await alarms.list_alarms(db, actor=actor_of(request), is_active=False)).alarms
    lasting = [
        row
        for row in recent
        if row.gateway_id == card.view.gateway.id and row.subject == subject and row.cleared_at is None
    ]
    return await page(
        request,
        "device.html",
        show,
        site=site,
        card=card,
        chosen=chosen,
        range=_range(request, card),
        ranges=RANGES,
        events=events,
        clock=clock_fault(card.view.gateway.status),
        stretches=[each for each in stretches if each.last_at >= span.start],
        restamped=_restamped(card, stretches),
        lasting=lasting,
        condition_name=lambda condition: condition_name(condition, show),
        orderables=[each for each in orderables(card.view.state) if may_order(each, actor_of(request))],
        commands=commands,
        **command_context(show),
    )


def _restamped(card: Card, stretches: Sequence[ClockStretch]) -> dict[str, bool]:
    """Give the values that were read while the gateway's clock was wrong, and whether their time is known."""
    return {
        each.point: stretch.shift_ms is not None
        for each in card.cells.values()
        for stretch in stretches
        if stretch.first_at <= each.at <= stretch.last_at and each.quality != Quality.FROZEN
    }


async def history(request: web.Request) -> web.StreamResponse:
    """Give a chart's data."""
    card, site = await _card(request)
    show = show_for(request, site.zone)
    point = _point(card, request.query.get("point"))
    if point is None:
        raise NotFound("no_point", "This device has no such point.")
    return web.json_response(await chart(request.app[DB], card, point, _range(request, card), show))


async def export(request: web.Request) -> web.StreamResponse:
    """Write every reading of the chosen stretch as CSV, row by row."""
    card, site = await _card(request)
    show = show_for(request, site.zone)
    point = _point(card, request.query.get("point"))
    if point is None:
        raise NotFound("no_point", "This device has no such point.")
    span = window(_range(request, card), show)
    name = f"{card.view.device.edge_id}-{card.view.device.code}-{point.point}-{_range(request, card)}.csv"
    response = await csv_file.begin(request, name, ("gateway", "device", "point", "taken_at", "value", "unit"))
    head = (card.view.device.edge_id, card.view.device.code, point.point)
    chunk: list[tuple[str, ...]] = []
    async for reading in telemetry.every_reading(request.app[DB], point.series_id, span.start, span.end):
        value = "" if reading.value is None else format(reading.value, "f")
        chunk.append((*map(csv_file.harmless, head), show.iso(reading.at), value, point.unit))
        if len(chunk) >= 1000:
            await response.write(csv_file.rows(chunk))
            chunk = []
    await response.write(csv_file.rows(chunk))
    return response


async def _card(request: web.Request) -> tuple[Card, SiteRow]:
    text = request.match_info["id"]
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise NotFound("no_device", "There is no such device.")
    db = request.app[DB]
    card = await one_card(db, int(text), show_for(request), actor_of(request))
    async with db.read() as conn:
        return card, await queries.site_of(conn, card.view.gateway.site_code)


def _point(card: Card, wanted: str | None) -> Cell | None:
    """Choose the point to draw: the one named, else what the device is about."""
    if wanted is not None:
        if wanted not in card.cells:
            raise NotFound("no_point", "This device has no such point.")
        return card.cells[wanted]
    cells = [*card.headline, *card.cells.values()]
    # How fast it runs says more at a glance than how far it came.
    first = [each for each in cells if each.point == "powerTotal"]
    return next(iter(first or cells), None)


def _range(request: web.Request, card: Card) -> str:
    """Give the stretch asked for; a device that is new here shows its first hours, which a day would hide."""
    is_new = now_ms() - card.view.device.first_seen_at < _NEW_MS
    usual = "hour" if is_new else "day"
    name = request.query.get("range", usual)
    return name if name in RANGES else usual
