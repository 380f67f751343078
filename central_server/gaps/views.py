"""The page of gaps, and the same as a table for other programs."""

import csv
import io
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from central_server.billing.period import Period, parse_period
from central_server.clock import now_ms
from central_server.dashboard.page import page, show_for
from central_server.dashboard.paging import fit, page_number
from central_server.errors import BadRequest
from central_server.gaps import words
from central_server.gaps.service import Gap, gaps_of, totals
from central_server.rbac import Right
from central_server.web import DB, Route, actor_of

_PAGE = 50


async def overview(request: web.Request) -> web.StreamResponse:
    """List a month's gaps with what they come to."""
    show, text = show_for(request), request.query.get("q", "").strip()[:64]
    month = _month(request, show.zone)
    now = now_ms()
    found = await gaps_of(request.app[DB], actor_of(request), *span_of(month, show.zone), now, text)
    number = page_number(request.query.get("page", "1"))
    return await page(
        request,
        "gaps/list.html",
        show,
        paged=fit(found[(number - 1) * _PAGE : number * _PAGE], len(found), number, _PAGE),
        totals=totals(found, now),
        causes=words.CAUSES,
        month=str(month),
        text=text,
        now=now,
    )


async def export(request: web.Request) -> web.StreamResponse:
    """Give the same as CSV."""
    show = show_for(request)
    month, now = _month(request, show.zone), now_ms()
    found = await gaps_of(request.app[DB], actor_of(request), *span_of(month, show.zone), now)
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(("gateway", "meter", "since", "until", "seconds", "cause"))
    rows.writerows(_row(gap, show.iso(gap.since), gap.until and show.iso(gap.until), now) for gap in found)
    headers = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="gaps-{month}.csv"',
    }
    return web.Response(body=b"\xef\xbb\xbf" + text.getvalue().encode(), headers=headers)


def _row(gap: Gap, since: str, until: str | int | None, now: int) -> tuple[str, ...]:
    return gap.edge_id, gap.code, since, str(until or ""), str(gap.lasted_ms(now) // 1000), gap.cause


def span_of(month: Period, zone: ZoneInfo) -> tuple[int, int]:
    """Give the ends of a month in a time zone. Units: milliseconds UTC."""
    after = (month.first_day + timedelta(days=32)).replace(day=1)
    return _midnight(month.first_day, zone), _midnight(after, zone)


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp() * 1000)


def _month(request: web.Request, zone: ZoneInfo) -> Period:
    try:
        return parse_period(request.query.get("month") or f"{datetime.now(zone):%Y-%m}")
    except ValueError:
        raise BadRequest("bad_month", "There is no such month.") from None


def routes() -> list[Route]:
    return [Route("GET", "/gaps", overview, Right.DEVICES_SEE), Route("GET", "/gaps.csv", export, Right.DEVICES_SEE)]
