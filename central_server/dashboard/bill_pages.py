"""Bills: the list, and one with why it amounts to what it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web

from central_server.billing import service as billing
from central_server.billing.payment import payments_of_bill
from central_server.billing.payment_store import Payment
from central_server.billing.view import BillView, LineView, Wanted
from central_server.billing.words import BILL_STATES, CHARGES, METHODS, STEPS, said
from central_server.dashboard import queries, words
from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import fit, page_number
from central_server.dashboard.show import Show
from central_server.errors import NotFound
from central_server.web import DB, actor_of

STATES = ("open", "overdue")
_PAGE = 50
_BAR = 240


@dataclass(frozen=True, slots=True)
class TierPart:
    """A tier's share of the bar. Units: of _BAR in all."""

    x: float
    width: float
    tone: str


@dataclass(frozen=True, slots=True)
class LinePage:
    """A bill line with what its page shows beside it; ``steps`` are a charge's own: what, and how much in fen."""

    line: LineView
    name: str
    parts: tuple[TierPart, ...]
    steps: tuple[tuple[str, int | None], ...] = ()


async def bill_list(request: web.Request) -> web.StreamResponse:
    """List bills, newest first."""
    number = page_number(request.query.get("page", "1"))
    show, actor = show_for(request), actor_of(request)
    state = request.query.get("state", "")
    wanted = Wanted(
        search=request.query.get("q", ""),
        period=request.query.get("period") or None,
        state=state if state in STATES else "",
        on=show.local(show.now).date().isoformat(),
    )
    async with request.app[DB].read() as conn:
        found = await billing.list_bills(conn, actor, wanted, limit=_PAGE, offset=(number - 1) * _PAGE)
        every = await billing.list_bills(conn, actor, limit=1)
    return await page(
        request,
        "bills.html",
        show,
        paged=fit(found.items, found.total, number, _PAGE),
        has_any=every.total > 0,
        wanted=wanted,
        states=BILL_STATES,
        owed_fen=found.owed_fen,
        valid_period=_month(wanted.period, show),
    )


def _month(period: str | None, show: Show) -> str | None:
    try:
        return show.month(period) if period else None
    except ValueError:
        return period


async def bill(request: web.Request) -> web.StreamResponse:
    """Show one bill."""
    async with request.app[DB].read() as conn:
        found = await billing.get_bill(conn, actor_of(request), request.match_info["number"])
        if found is None:
            raise NotFound("no_bill", "There is no bill of this number.")
        site = await queries.site_of(conn, found.summary.site)
        payments = await payments_of_bill(conn, found.summary.id)
    show = show_for(request, found.zone)
    return await page(request, "bill.html", show, site=site, **bill_parts(found, payments, show))


def bill_parts(found: BillView, payments: Sequence[Payment], show: Show) -> dict[str, Any]:
    """Give what billing/_lines.html and billing/_due.html show of a bill, to staff and to residents alike."""
    return {
        "bill": found,
        "lines": [_line(line, show) for line in found.lines],
        "payments": payments,
        "methods": METHODS,
        "state": found.summary.state(show.local(show.now).date().isoformat()),
        "states": BILL_STATES,
        "last_day": _last_day(found, show),
        "reads": sum(bool(read and read.batch) for line in found.lines for read in (line.opening, line.closing)),
    }


def _line(line: LineView, show: Show) -> LinePage:
    if line.source_key is not None:
        steps = line.trace["evidence"].get("steps", ())
        told = tuple((said(each, STEPS, show.language), each.get("amount_fen")) for each in steps)
        return LinePage(line, said(line.trace["description"], CHARGES, show.language), (), told)
    known = words.LINES.get(line.description_key)
    return LinePage(line, show.language.gettext(known) if known else line.description_key, _parts(line))


def _parts(line: LineView) -> tuple[TierPart, ...]:
    """Lay the tiers side by side, as wide as they were used."""
    quantities = [Decimal(tier["quantity"]) for tier in line.trace.get("tiers", ())]
    whole = sum(quantities, Decimal(0))
    if len(quantities) < 2 or not whole:
        return ()
    found: list[TierPart] = []
    x = 0.0
    for position, quantity in enumerate(quantities):
        width = float(quantity / whole) * _BAR
        found.append(TierPart(round(x, 2), round(max(width - 1, 0), 2), "abc"[min(position, 2)]))
        x += width
    return tuple(found)


def _last_day(found: BillView, show: Show) -> int:
    """Give an instant on the last day billed: a period that ends at midnight ends with the day before."""
    end: datetime = show.local(found.summary.through_at)
    is_midnight = (end.hour, end.minute, end.second) == (0, 0, 0)
    return round(((end - timedelta(seconds=1)) if is_midnight else end).timestamp() * 1000)
