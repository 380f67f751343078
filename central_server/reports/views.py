"""The reports' page, and the same figures as a table for other programs."""

import csv
import io
from collections.abc import Iterator
from datetime import timedelta

from aiohttp import web

from central_server.billing.period import Period, parse_period
from central_server.dashboard.page import page, show_for
from central_server.errors import BadRequest
from central_server.rbac import Right
from central_server.reports import words
from central_server.reports.model import MEASURES, by_category
from central_server.reports.service import Report, months_until, report
from central_server.web import DB, Route, actor_of
from central_server.workorders.words import CATEGORIES

_MONTHS = 6


async def overview(request: web.Request) -> web.StreamResponse:
    """Show the figures of a month beside those of the months before it."""
    month = chosen_month(request)
    whole = await report(request.app[DB], actor_of(request), months_until(month, _MONTHS))
    site = request.query.get("site") or None
    shown = await _shown(request, month, site) if site else whole
    return await page(
        request,
        "reports/overview.html",
        show_for(request),
        report=shown,
        month=str(month),
        site=site,
        sites=whole.sites,
        by_site=whole.by_site if len(whole.sites) > 1 and not site else {},
        categories=by_category(shown.facts),
        category_names=CATEGORIES,
        measures=MEASURES,
        names=words.NAMES,
        definitions=words.DEFINITIONS,
    )


async def export(request: web.Request) -> web.StreamResponse:
    """Give the same figures as CSV."""
    month = chosen_month(request)
    found = await _shown(request, month, request.query.get("site") or None)
    text = io.StringIO()
    csv.writer(text).writerows(rows_of(found))
    headers = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="gatehouse-{month}.csv"',
    }
    # The mark at the beginning lets spreadsheets read it as UTF-8.
    return web.Response(body=b"\xef\xbb\xbf" + text.getvalue().encode(), headers=headers)


def rows_of(found: Report) -> Iterator[tuple[str, ...]]:
    """Give one row a figure; names of measures and numbers only, so that no cell can be a formula."""
    yield "measure", "month", "value", "unit", "part", "whole"
    for measure in MEASURES:
        for month, figure in zip(found.months, found.rows[measure.key], strict=True):
            value = "" if figure.value is None else str(figure.value)
            yield measure.key, str(month), value, measure.unit, str(figure.part), str(figure.whole)


async def _shown(request: web.Request, month: Period, site: str | None) -> Report:
    return await report(request.app[DB], actor_of(request), months_until(month, _MONTHS), site)


def chosen_month(request: web.Request) -> Period:
    """Read the month; by default the last one that is over."""
    if text := request.query.get("month"):
        try:
            return parse_period(text)
        except ValueError:
            raise BadRequest("bad_month", "There is no such month.") from None
    show = show_for(request)
    return parse_period(f"{show.local(show.now).date().replace(day=1) - timedelta(days=1):%Y-%m}")


def routes() -> list[Route]:
    """Give the reports' routes."""
    return [
        Route("GET", "/reports", overview, Right.REPORTS_SEE),
        Route("GET", "/reports.csv", export, Right.REPORTS_SEE),
    ]
