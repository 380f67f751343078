"""The clerk's pages: issue a month's bills, take money, give it back, look at a day."""

import asyncio
import secrets
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from urllib.parse import quote
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import BaseModel, StringConstraints

from central_server.billing import payment as counter
from central_server.billing import service as billing
from central_server.billing.payment import Reversal, Taking
from central_server.billing.period import parse_period, to_ms
from central_server.billing.run import RunResult
from central_server.billing.tariff import load_tariffs
from central_server.billing.view import BillView, Wanted
from central_server.billing.words import BILL_STATES, METHODS
from central_server.clock import now_ms
from central_server.dashboard.page import page, show_for
from central_server.dashboard.show import Show
from central_server.errors import Busy, Conflict, NotFound
from central_server.form import EMPTY, Invalid, Problem, Typed, parse, read_form
from central_server.rbac import Actor, Right
from central_server.web import DB, Route, actor_of
from protocols.toml import SettingsError

_MOST_FOUND = 50
_MOST_PARKED = 200


class Month(BaseModel):
    """Which month to bill, of which site; all of the actor's sites without one."""

    period: Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]
    site: str | None = None


class Issue(Month):
    """A month as it was looked at; ``expect`` names exactly those bills."""

    expect: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


async def run_page(request: web.Request) -> web.StreamResponse:
    """Show what a month's run would issue, and what it would leave out."""
    if "period" not in request.query:
        show = show_for(request)
        last_month = show.local(show.now).date().replace(day=1) - timedelta(days=1)
        return await _run_page(request, Typed({"period": f"{last_month:%Y-%m}"}))
    typed = Typed({name: value.strip() for name, value in request.query.items()})
    try:
        result = await _run(request, parse(Month, typed))
    except Invalid as refused:
        return await _run_page(request, typed, refused=refused)
    return await _run_page(request, typed, result)


async def issue(request: web.Request) -> web.StreamResponse:
    """Issue exactly the bills that were looked at."""
    typed = await read_form(request)
    try:
        wanted = parse(Issue, typed)
        await _run(request, wanted, expect=wanted.expect)
    except Invalid as refused:
        return await _run_page(request, typed, refused=refused)
    raise web.HTTPSeeOther(f"/bills?period={wanted.period}")


async def _run(request: web.Request, month: Month, expect: str | None = None) -> RunResult:
    try:
        # Plain files, but on a slow card; the loop must not wait for them.
        tariffs = await asyncio.to_thread(load_tariffs)
    except SettingsError as error:
        raise Invalid({"": Problem("The tariffs cannot be used: {fault}", {"fault": str(error)})}) from None
    actor = actor_of(request)
    sites = await _sites(request, actor)
    if month.site is not None and month.site not in sites:
        raise Invalid({"site": Problem("Choose one of the list.")})
    try:
        return await billing.run_bills(
            request.app[DB],
            parse_period(month.period),
            tariffs=tariffs,
            now=datetime.now(UTC),
            site=month.site,
            is_dry_run=expect is None,
            expect=expect,
            actor=actor,
        )
    except Conflict as refused:
        if refused.key == "billing_period_not_over":
            over = Problem("The month is not over yet at {site}.", {"site": sites[refused.fields["site"]]})
            raise Invalid({"period": over}) from None
        raise Invalid({"": Problem(refused.text, refused.fields)}) from None
    except Busy as refused:
        raise Invalid({"": Problem(refused.text, refused.fields)}) from None


async def _run_page(
    request: web.Request, typed: Typed, result: RunResult | None = None, refused: Invalid | None = None
) -> web.StreamResponse:
    show = show_for(request)
    parked = [(each, _why(each.why.text, each.why.fields, show)) for each in (result.parked if result else ())]
    return await page(
        request,
        "billing/run.html",
        show,
        status=422 if refused else 200,
        typed=typed,
        problems=refused.problems if refused else {},
        sites=await _sites(request, actor_of(request)),
        result=result,
        # Hashing thousands of bills takes its time; the loop goes on meanwhile.
        output_hash=await asyncio.to_thread(lambda: result.output_hash) if result else "",
        parked=parked[:_MOST_PARKED],
        parked_more=max(0, len(parked) - _MOST_PARKED),
    )


def _why(text: str, fields: dict[str, str | int], show: Show) -> str:
    """Say in the reader's language why something stays out; instants in the page's zone."""
    told = {name: show.minute(value) if isinstance(value, int) else value for name, value in fields.items()}
    return show.language.gettext(text).format(**told)


async def _sites(request: web.Request, actor: Actor) -> dict[str, str]:
    async with request.app[DB].read() as connection:
        return await billing.site_names(connection, actor)


async def pay_page(request: web.Request) -> web.StreamResponse:
    """Show the form that takes money for a bill."""
    return await _pay_page(request, await _bill(request), EMPTY)


async def pay(request: web.Request) -> web.StreamResponse:
    """Take money for a bill and show the receipt."""
    typed = await read_form(request)
    number = request.match_info["number"]
    try:
        taking = parse(Taking, typed)
        taken = await counter.take_payment(request.app[DB], actor_of(request), number, taking, now_ms())
    except Invalid as refused:
        return await _pay_page(request, await _bill(request), typed, refused)
    raise web.HTTPSeeOther(f"/payments/{quote(taken.reference)}")


async def _bill(request: web.Request) -> BillView:
    async with request.app[DB].read() as connection:
        found = await billing.get_bill(connection, actor_of(request), request.match_info["number"])
    if found is None:
        raise NotFound("no_bill", "There is no bill of this number.")
    return found


async def _pay_page(
    request: web.Request, bill: BillView, typed: Typed, refused: Invalid | None = None
) -> web.StreamResponse:
    show = show_for(request, bill.zone)
    return await page(
        request,
        "billing/pay.html",
        show,
        status=422 if refused else 200,
        typed=typed,
        problems=refused.problems if refused else {},
        bill=bill,
        state=bill.summary.state(show.local(show.now).date().isoformat()),
        states=BILL_STATES,
        methods=[(key, show.language.gettext(text)) for key, text in METHODS.items()],
        once=typed.get("once") or secrets.token_urlsafe(16),
    )


async def payment_list(request: web.Request) -> web.StreamResponse:
    """Find a bill to take money for, and list what a day took."""
    show, actor = show_for(request), actor_of(request)
    today = show.local(show.now).date()
    on, search = _day(request.query.get("on", ""), today), request.query.get("q", "").strip()
    wanted = Wanted(search=search, state="open", on=today.isoformat())
    async with request.app[DB].read() as connection:
        found = await billing.list_bills(connection, actor, wanted, limit=_MOST_FOUND) if search else None
        day = await counter.payments_between(
            connection, actor, _starts_at(on, show.zone), _starts_at(_after(on), show.zone)
        )
    return await page(
        request,
        "billing/payments.html",
        show,
        search=search,
        found=found,
        day=day,
        on=on.isoformat(),
        today=today.isoformat(),
        methods=METHODS,
        states=BILL_STATES,
    )


def _day(text: str, today: date) -> date:
    try:
        return min(date.fromisoformat(text), today) if text else today
    except ValueError:
        return today


def _after(on: date) -> date:
    return on + timedelta(days=1)


def _starts_at(on: date, zone: ZoneInfo) -> int:
    return to_ms(datetime(on.year, on.month, on.day, tzinfo=zone))


async def receipt(request: web.Request) -> web.StreamResponse:
    """Show one payment, to print as a receipt."""
    return await _receipt(request, EMPTY)


async def reverse(request: web.Request) -> web.StreamResponse:
    """Give a payment back and show the counter-entry."""
    typed = await read_form(request)
    reference = request.match_info["reference"]
    try:
        reversal = parse(Reversal, typed)
        made = await counter.reverse_payment(request.app[DB], actor_of(request), reference, reversal, now_ms())
    except Invalid as refused:
        return await _receipt(request, typed, refused)
    raise web.HTTPSeeOther(f"/payments/{quote(made.reference)}")


async def _receipt(request: web.Request, typed: Typed, refused: Invalid | None = None) -> web.StreamResponse:
    actor = actor_of(request)
    found = await counter.get_payment(request.app[DB], actor, request.match_info["reference"])
    async with request.app[DB].read() as connection:
        bill = await billing.get_bill(connection, actor, found.bill)
        names = await billing.site_names(connection, actor)
    return await page(
        request,
        "billing/receipt.html",
        show_for(request, found.zone),
        status=422 if refused else 200,
        typed=typed,
        problems=refused.problems if refused else {},
        payment=found,
        bill=bill,
        site_name=names.get(found.site, found.site),
        methods=METHODS,
    )


def routes() -> list[Route]:
    """Give the clerk's routes."""
    return [
        Route("GET", "/bills/run", run_page, Right.BILLS_ISSUE),
        Route("POST", "/bills/run", issue, Right.BILLS_ISSUE),
        Route("GET", "/bills/{number}/pay", pay_page, Right.PAYMENTS_TAKE),
        Route("POST", "/bills/{number}/pay", pay, Right.PAYMENTS_TAKE),
        Route("GET", "/payments", payment_list, Right.BILLS_SEE),
        Route("GET", "/payments/{reference}", receipt, Right.BILLS_SEE),
        Route("POST", "/payments/{reference}/reverse", reverse, Right.PAYMENTS_TAKE),
    ]
