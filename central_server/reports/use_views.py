"""The page of what meters used in a month, and the same as a table for other programs."""

from collections.abc import Iterable, Iterator

from aiohttp import web

from central_server.billing.money import plain
from central_server.billing.period import Period
from central_server.dashboard import csv_file
from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import cut, page_number
from central_server.dashboard.show import Show
from central_server.errors import NotFound
from central_server.rbac import Right
from central_server.reports import source
from central_server.reports.use import REGISTERS, MeterUse, meters_of, totals
from central_server.reports.views import chosen_month
from central_server.reports.words import KINDS
from central_server.web import DB, Route, actor_of

_PAGE = 50
_HEAD = ("site", "building", "unit", "kind", "meter", "opening_at", "opening", "closing_at", "closing")


async def overview(request: web.Request) -> web.StreamResponse:
    """List a site's meters with what they used in a month, and what it comes to in each building."""
    sites, site, month, every = await _found(request)
    text, is_unknown = request.query.get("q", "").strip()[:64], request.query.get("only") == "unknown"
    shown = [each for each in search(every, text) if not is_unknown or each.use is None]
    return await page(
        request,
        "reports/use.html",
        show_for(request, site.zone if site else None),
        site=site,
        sites=sites,
        month=str(month),
        text=text,
        totals=totals(every),
        paged=cut(shown, page_number(request.query.get("page", "1")), _PAGE),
        count=len(every),
        unknown=sum(each.use is None for each in every),
        is_unknown=is_unknown,
        kinds=KINDS,
        units={kind: measure for kind, (_, measure) in REGISTERS.items()},
    )


async def export(request: web.Request) -> web.StreamResponse:
    """Give the same as CSV."""
    _, site, month, every = await _found(request)
    show = show_for(request, site.zone if site else None)
    response = await csv_file.begin(request, f"use-{month}.csv", (*_HEAD, "multiplier", "use", "unit_of_use"))
    await response.write(csv_file.rows(list(rows_of(site.code if site else "", every, show))))
    return response


def rows_of(site: str, meters: Iterable[MeterUse], show: Show) -> Iterator[tuple[str, ...]]:
    """Give one row a meter; instants in the site's time, decimals exact, nothing where there is no figure."""
    for each in meters:
        marks = [
            text
            for mark in each.ends
            for text in (("", "") if mark is None else (show.iso(mark.at), format(mark.value, "f")))
        ]
        names = (site, each.building, each.unit, each.kind, each.meter)
        use = "" if each.use is None else plain(each.use)
        yield (*map(csv_file.harmless, names), *marks, plain(each.multiplier), use, REGISTERS[each.kind][1])


def search(meters: Iterable[MeterUse], text: str) -> list[MeterUse]:
    """Keep the meters in whose names every word is found."""
    wanted = text.casefold().split()
    return [
        each
        for each in meters
        if all(word in f"{each.building} {each.unit} {each.meter}".casefold() for word in wanted)
    ]


async def _found(request: web.Request) -> tuple[list[source.Site], source.Site | None, Period, list[MeterUse]]:
    """Read the site and the month that are asked for, and the meters; no site where the actor sees none."""
    month, show = chosen_month(request), show_for(request)
    async with request.app[DB].read() as connection:
        sites = await source.sites(connection, actor_of(request))
        code = request.query.get("site")
        site = next((each for each in sites if code in (None, "", each.code)), None)
        if site is None and code:
            raise NotFound("no_site", "There is no such site.")
        return sites, site, month, await meters_of(connection, site, month, show.now) if site else []


def routes() -> list[Route]:
    """Give the routes of use."""
    return [
        Route("GET", "/reports/use", overview, Right.REPORTS_SEE),
        Route("GET", "/reports/use.csv", export, Right.REPORTS_SEE),
    ]
