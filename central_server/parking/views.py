"""Parking's pages: the list of places, one place, a new one, and the fees of a month."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import cut, fit, page_number
from central_server.dashboard.show import Show
from central_server.errors import NotFound
from central_server.form import EMPTY, Invalid, Problem, Typed, parse, read_form
from central_server.mask import name_mask
from central_server.parking import service, words
from central_server.parking.model import EndLease, Fees, Kind, NewLease, NewPlace, NewPrice
from central_server.parking.service import this_month
from central_server.parking.store import Wanted
from central_server.rbac import Right
from central_server.web import DB, Route, actor_of

_PAGE = 50
_MOST_FEES = 200


async def place_list(request: web.Request) -> web.StreamResponse:
    """List places with who rents them this month."""
    number, actor, show = page_number(request.query.get("page", "1")), actor_of(request), show_for(request)
    on = show.local(show.now).date().isoformat()
    kind, state = request.query.get("kind", ""), request.query.get("state", "")
    async with request.app[DB].read() as connection:
        sites = await service.list_sites(connection, actor)
        search = request.query.get("q", "").strip()[:64]
        cars = await service.cars(connection, actor, search, on) if search else []
        wanted = Wanted(
            this_month(show.zone_name(), show.now),
            search,
            next((each.id for each in sites if each.code == request.query.get("site")), None),
            kind if kind in set(Kind) else "",
            state if state in words.STATES else "",
            [each.unit_id for each in cars if each.unit_id is not None],
        )
        total, items = await service.list_places(connection, actor, wanted, limit=_PAGE, offset=(number - 1) * _PAGE)
    is_filtered = any((wanted.search, wanted.site_id, wanted.kind, wanted.state))
    return await page(
        request,
        "parking/list.html",
        show,
        paged=fit(items, total, number, _PAGE),
        wanted=wanted,
        is_filtered=is_filtered,
        sites=sites,
        cars=cars,
        mask=name_mask(actor),
        parking_words=words,
    )


async def new_place(request: web.Request) -> web.StreamResponse:
    """Ask for a new place."""
    return await _new_place(request, EMPTY)


async def add_place(request: web.Request) -> web.StreamResponse:
    """Write down a place, or say what is wrong and keep what was typed."""
    typed, actor = await read_form(request), actor_of(request)
    try:
        wanted = parse(NewPlace, typed)
        async with request.app[DB].read() as connection:
            sites = {each.id for each in await service.list_sites(connection, actor)}
        site_id = next(iter(sites)) if len(sites) == 1 else wanted.site
        if site_id not in sites or site_id is None:
            raise Invalid({"site": Problem("Choose one of the list.")})
        made = await service.add_place(request.app[DB], actor, wanted, site_id)
    except Invalid as refused:
        return await _new_place(request, typed, refused)
    raise web.HTTPSeeOther(f"/parking/{made}")


async def _new_place(request: web.Request, typed: Typed, refused: Invalid | None = None) -> web.StreamResponse:
    show = show_for(request)
    async with request.app[DB].read() as connection:
        sites = await service.list_sites(connection, actor_of(request))
    return await page(
        request,
        "parking/new.html",
        show,
        422 if refused else 200,
        typed=typed,
        problems=refused.problems if refused else {},
        sites=sites,
        kinds=[(key, show.language.gettext(text)) for key, text in words.KINDS.items()],
        month=this_month(show.zone_name(), show.now),
    )


async def one_place(request: web.Request) -> web.StreamResponse:
    """Show one place: who rents it, what it costs, what was charged."""
    return await _place_page(request, EMPTY)


Change = Callable[[web.Request, Typed], Awaitable[object]]


def _change(form: str, change: Change) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make a handler that changes a place; what is wrong is said beside the fields of one of its forms."""

    async def handler(request: web.Request) -> web.StreamResponse:
        typed = await read_form(request)
        try:
            await change(request, typed)
        except Invalid as refused:
            return await _place_page(request, typed, form, refused)
        raise web.HTTPSeeOther(f"/parking/{_key(request, 'id')}")

    return handler


async def _set_price(request: web.Request, typed: Typed) -> None:
    await service.set_price(request.app[DB], actor_of(request), _key(request, "id"), parse(NewPrice, typed))


async def _let(request: web.Request, typed: Typed) -> None:
    await service.let(request.app[DB], actor_of(request), _key(request, "id"), parse(NewLease, typed))


async def _end(request: web.Request, typed: Typed) -> None:
    last, lease = parse(EndLease, typed).to_period, _key(request, "lease")
    await service.end_lease(request.app[DB], actor_of(request), _key(request, "id"), lease, last)


async def _withdraw(request: web.Request, _typed: Typed) -> None:
    lease = _key(request, "lease")
    await service.withdraw_lease(request.app[DB], actor_of(request), _key(request, "id"), lease)


async def _place_page(
    request: web.Request, typed: Typed, form: str = "", refused: Invalid | None = None
) -> web.StreamResponse:
    actor = actor_of(request)
    async with request.app[DB].read() as connection:
        found = await service.get_place(connection, actor, _key(request, "id"))
        cars = await service.cars_of_units(connection, [lease.unit_id for lease in found.standing])
    problems = refused.problems if refused else {}
    lease = request.match_info.get("lease", "")
    return await page(
        request,
        "parking/place.html",
        show_for(request, found.row.zone),
        422 if refused else 200,
        place=found,
        cars=cars,
        price=next((each for each in reversed(found.prices) if each.from_period <= found.period), None),
        # One page, several forms: what was typed and refused belongs to one of them only.
        typed_of=lambda name: typed if name == form + lease else EMPTY,
        problems_of=lambda name: problems if name == form + lease else {},
        problems=problems,
        mask=name_mask(actor),
        parking_words=words,
    )


async def fees_page(request: web.Request) -> web.StreamResponse:
    """Show the fees of a month: what was made, what would be, and what has no price."""
    show = show_for(request)
    typed = Typed({"period": request.query.get("period") or this_month(show.zone_name(), show.now)})
    try:
        period = parse(Fees, typed).period
    except Invalid as refused:
        return await _fees_page(request, show, typed, refused=refused)
    return await _fees_page(request, show, typed, period)


async def make_fees(request: web.Request) -> web.StreamResponse:
    """Make the fees of a month; those that were made stay as they are."""
    typed = await read_form(request)
    try:
        period = parse(Fees, typed).period
        await service.make_fees(request.app[DB], actor_of(request), period)
    except Invalid as refused:
        return await _fees_page(request, show_for(request), typed, refused=refused)
    raise web.HTTPSeeOther(f"/parking/fees?period={period}")


async def _fees_page(
    request: web.Request, show: Show, typed: Typed, period: str = "", refused: Invalid | None = None
) -> web.StreamResponse:
    async with request.app[DB].read() as connection:
        fees = await service.fees_of(connection, actor_of(request), period) if period else []
    waiting = [fee for fee in fees if fee.price is not None and not fee.is_made]
    return await page(
        request,
        "parking/fees.html",
        show,
        422 if refused else 200,
        typed=typed,
        problems=refused.problems if refused else {},
        period=period,
        fees=cut(fees, page_number(request.query.get("page", "1")), _MOST_FEES),
        due=waiting,
        due_fen=sum(fee.price.month_fen for fee in waiting if fee.price),
        made=[fee for fee in fees if fee.is_made],
        unpriced=[fee for fee in fees if fee.price is None],
    )


def _key(request: web.Request, name: str) -> int:
    text = request.match_info[name]
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise NotFound("not_found", "There is nothing at this address.")
    return int(text)


def routes() -> list[Route]:
    """Give parking's routes with who may use them."""
    return [
        Route("GET", "/parking", place_list, Right.PARKING_SEE),
        Route("GET", "/parking/new", new_place, Right.PARKING_EDIT),
        Route("POST", "/parking/new", add_place, Right.PARKING_EDIT),
        Route("GET", "/parking/fees", fees_page, Right.PARKING_SEE),
        Route("POST", "/parking/fees", make_fees, Right.PARKING_EDIT),
        Route("GET", "/parking/{id}", one_place, Right.PARKING_SEE),
        Route("POST", "/parking/{id}/price", _change("price", _set_price), Right.PARKING_EDIT),
        Route("POST", "/parking/{id}/leases", _change("let", _let), Right.PARKING_EDIT),
        Route("POST", "/parking/{id}/leases/{lease}/end", _change("end", _end), Right.PARKING_EDIT),
        Route("POST", "/parking/{id}/leases/{lease}/withdraw", _change("end", _withdraw), Right.PARKING_EDIT),
    ]
