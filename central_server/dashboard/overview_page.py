"""The overview: one card a building, what changed in the last hour, gateways and their lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from aiohttp import web

from central_server.dashboard import queries, usage, words
from central_server.dashboard.cards import Card, Cell, list_cards
from central_server.dashboard.feed import last_hour
from central_server.dashboard.page import page, show_for
from central_server.dashboard.show import Show
from central_server.dashboard.spark import Spark, spark
from central_server.db import Database
from central_server.devices import service as devices
from central_server.devices.clock_fault import ClockFault, clock_fault
from central_server.devices.store import GatewayRow
from central_server.errors import Forbidden, NotFound
from central_server.rbac import LANDING, Actor, Right
from central_server.records import service as records
from central_server.records.store import BuildingRow, SiteRow
from central_server.web import DB, actor_of

_DAY_MS = usage.DAY_MS


@dataclass(frozen=True, slots=True)
class LiftCard:
    """A lift as a shaft with its car; ``low`` and ``high`` are the floors it was seen at today."""

    card: Card
    floor: Cell
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class MeterUse:
    """Today's use of one kind of meter in a building."""

    kind: str
    unit: str
    total: Decimal | None
    digits: int
    spark: Spark


@dataclass(frozen=True, slots=True)
class BuildingCard:
    """One building, or what stands in none, with its devices."""

    name: str
    units: int
    meters: Sequence[Card]
    doors: Sequence[Card]
    lifts: Sequence[LiftCard]
    uses: Sequence[MeterUse]
    priority: int

    @property
    def meters_wrong(self) -> list[Card]:
        return [card for card in self.meters if not card.is_well and card.state != "silent"]

    @property
    def meters_silent(self) -> int:
        """Count the meters of which nothing is known because their gateway is silent: one cause, said once."""
        return sum(card.state == "silent" for card in self.meters)


async def overview(request: web.Request) -> web.StreamResponse:
    """Show one site at a glance."""
    db, actor = request.app[DB], actor_of(request)
    if not actor.may(Right.OVERVIEW_SEE):
        raise _elsewhere(actor)
    sites = [site for site in await records.list_sites(db) if actor.site_id in (None, site.id)]
    gateways = await devices.list_gateways(db, actor)
    if not sites:
        return await page(request, "overview_empty.html", show_for(request))
    site = _chosen(sites, request.query.get("site"))
    show = show_for(request, site.zone)
    mine = [row for row in gateways if row.site_id == site.id]
    here = {row.id for row in mine}
    cards = [card for card in await list_cards(db, show, actor) if card.view.gateway.id in here]
    buildings = await _buildings(db, site, cards, show)
    return await page(
        request,
        "overview.html",
        show,
        site=site,
        sites=sites,
        buildings=buildings,
        building_count=sum(row.site_id == site.id for row in await records.list_buildings(db)),
        units=sum(each.units for each in buildings),
        cards=sorted(cards, key=lambda card: (card.is_well, _ORDER.get(card.kind, 9), card.id)),
        gateways=[_gateway(row, show.now) for row in mine],
        notes=await last_hour(db, site.id, here, cards, show, actor),
    )


def _elsewhere(actor: Actor) -> Exception:
    """Lead to where the actor's day begins; the overview is not everybody's."""
    if actor.role in LANDING:
        return web.HTTPSeeOther(LANDING[actor.role])
    return Forbidden("no_right", "Your account has no right to this. Ask an administrator if it should.")


_ORDER = {kind: position for position, kind in enumerate(("lift", "door", "electricity", "water"))}


def _chosen(sites: Sequence[SiteRow], code: str | None) -> SiteRow:
    for site in sites:
        if code is None or site.code == code:
            return site
    raise NotFound("no_site_page", "There is no such site.")


async def _buildings(db: Database, site: SiteRow, cards: Sequence[Card], show: Show) -> list[BuildingCard]:
    rows = [row for row in await records.list_buildings(db) if row.site_id == site.id]
    async with db.read() as conn:
        placed = await queries.places_of_doors(conn, site.id)
    of: dict[int | None, list[Card]] = {}
    for card in cards:
        # With one building there is no doubt where a lift stands; with several the records must say.
        alone = rows[0].id if len(rows) == 1 else None
        key = card.place.building_id if card.place else placed.get(card.id, alone)
        of.setdefault(key, []).append(card)
    found = [await _building(db, row, of.get(row.id, []), show) for row in rows]
    if of.get(None):
        elsewhere = BuildingRow(0, site.id, "", show.language.gettext("Not assigned to a building"), 0)
        found.append(await _building(db, elsewhere, of[None], show))
    return found


async def _building(db: Database, row: BuildingRow, cards: Sequence[Card], show: Show) -> BuildingCard:
    meters = [card for card in cards if card.kind in words.REGISTERS]
    return BuildingCard(
        name=row.name,
        units=row.units,
        meters=meters,
        doors=[card for card in cards if card.kind == "door"],
        lifts=[lift for card in cards if card.kind == "lift" and (lift := await _lift(db, card, show))],
        uses=[await _use(db, kind, [card for card in meters if card.kind == kind], show) for kind in words.REGISTERS],
        priority=min((card.priority for card in cards if card.priority), default=0),
    )


async def _lift(db: Database, card: Card, show: Show) -> LiftCard | None:
    floor = card.cells.get("currentFloor")
    if floor is None:
        return None
    async with db.read() as conn:
        ends = await queries.span_of(conn, floor.series_id, show.now - _DAY_MS)
    low, high = ends or (Decimal(1), Decimal(1))
    return LiftCard(card, floor, int(low), max(int(high), int(low) + 1))


async def _use(db: Database, kind: str, cards: Sequence[Card], show: Show) -> MeterUse:
    """Sum today's use of a building's meters, hour by hour, beside yesterday's."""
    registers = [(card, cell) for card in cards if (cell := card.register) is not None]
    today = usage.hour_marks(usage.local(show.now, show.zone))
    yesterday = [mark - _DAY_MS for mark in today]
    keys = [cell.series_id for _, cell in registers]
    async with db.read() as conn:
        factors = await queries.multipliers(conn, show.now)
        reads = await queries.registers_at(conn, keys, sorted({*yesterday, *today}))
        first = await queries.first_reads(conn, keys, yesterday[0])
        marks = sorted({*yesterday, *today})
        is_young = all(each.at > show.now - 2 * usage.HOUR_MS for each in first.values())
        if is_young:  # hours would show one bar for the first two of them
            marks = usage.even_marks(show.now, 120_000, 30)
            reads = await queries.registers_at(conn, keys, marks)
            first = await queries.first_reads(conn, keys, marks[0])
    columns = [
        _scaled(usage.uses(marks, reads[cell.series_id], first.get(cell.series_id)), factors.get(_meter(card)))
        for card, cell in registers
    ]
    summed = usage.sum_up(columns) if columns else []
    if is_young:
        return MeterUse(kind, _UNIT[kind], usage.total(summed), _DIGITS[kind], spark(summed, [], is_minutes=True))
    before, now = summed[: len(today) - 1], summed[len(summed) - len(today) + 1 :]
    return MeterUse(kind, _UNIT[kind], usage.total(now), _DIGITS[kind], spark(now, before))


_UNIT = {"electricity": "kWh", "water": "m³"}
_DIGITS = {"electricity": 1, "water": 2}


def _meter(card: Card) -> tuple[str, str]:
    return card.view.device.edge_id, card.view.device.code


def _scaled(parts: Sequence[usage.Use], factor: Decimal | None) -> list[usage.Use]:
    if factor is None or factor == 1:
        return list(parts)
    return [usage.Use(None if each.value is None else each.value * factor, each.is_estimate) for each in parts]


@dataclass(frozen=True, slots=True)
class BusView:
    """A line as its gateway last told of it."""

    id: str
    is_up: bool
    utilisation: float | None
    error: str


@dataclass(frozen=True, slots=True)
class GatewayView:
    """A gateway with its lines; ``pending`` counts what it still has to deliver."""

    row: GatewayRow
    is_silent: bool
    pending: int
    buses: Sequence[BusView]
    clock: ClockFault | None


def _gateway(row: GatewayRow, now: int) -> GatewayView:
    lanes: Mapping[str, Mapping[str, object]] = row.status.get("lanes", {})
    buses = [
        BusView(
            str(bus.get("id", "")),
            bus.get("state") == "up",
            bus.get("utilisation") if isinstance(bus.get("utilisation"), int | float) else None,
            str(bus.get("error") or ""),
        )
        for bus in row.status.get("buses", [])
    ]
    pending = sum(count for lane in lanes.values() if isinstance(count := lane.get("pending"), int))
    return GatewayView(row, devices.is_silent(row, now), pending, buses, clock_fault(row.status))
