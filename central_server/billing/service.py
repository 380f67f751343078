"""Billing's use cases: run a period, list bills, show one. The only door for other slices."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.billing import issued, reading_store, store, words
from central_server.billing.model import Tariff
from central_server.billing.period import Period, to_iso, to_ms
from central_server.billing.plan import (
    Line,
    Park,
    Point,
    Span,
    Window,
    carried_read,
    check_reads,
    line,
    noted_read,
    series_of,
    shared_meters,
    spans,
    used_before,
    version_for,
    went_back,
)
from central_server.billing.run import Bill, Parked, RunResult, SiteRun
from central_server.billing.store import Site, Unit
from central_server.billing.tariff import nearest
from central_server.billing.trace import Meter, Read
from central_server.billing.view import BillPage, BillSummary, BillView, Wanted
from central_server.db import Database
from central_server.errors import Busy, Conflict, UsageError
from central_server.rbac import Actor

_ATTEMPTS = 5
EVERY_BILL = Wanted()


async def run_bills(
    db: Database,
    period: Period,
    *,
    tariffs: Mapping[str, Tariff],
    now: datetime,
    site: str | None = None,
    through: int | None = None,
    is_dry_run: bool = False,
    expect: str | None = None,
    actor: Actor,
) -> RunResult:
    """Issue the bills of a period, all of them in one transaction or none.

    Planning reads one snapshot without holding up ingest; issuing compares that no line has been
    written since and plans anew if one has. A point billed through the window's end is left alone.

    Shape: ``expect`` is the output hash of a dry run that a person has looked at; other bills are not issued.
    Units: ``through`` in ms since the epoch. Raises: Conflict, Busy; UsageError for an unknown site.
    """
    for _ in range(_ATTEMPTS):
        async with db.read() as conn:
            seen = await store.newest_line(conn)
            sites = await _sites(conn, actor, site)
            result = await _plan(conn, period, tariffs, sites, through, to_ms(now), is_dry_run)
        if expect is not None and await asyncio.to_thread(_named, result) != expect:
            raise Conflict(
                "billing_moved",
                "Meanwhile something has changed what would be issued. Look at it again, then issue it.",
            )
        if is_dry_run or not result.bills:
            return result
        try:
            async with db.write() as conn:
                if await store.newest_line(conn) == seen:
                    await store.issue(conn, result, to_ms(now), actor)
                    return result
        except IntegrityError:
            # A database that lets two write at once says so here; anything else is a fault to show.
            if not await _has_moved(db, seen):
                raise
    raise Busy("billing_busy", "Other runs keep issuing bills; wait until they are done and run again.")


def _named(result: RunResult) -> str:
    return result.output_hash


async def _has_moved(db: Database, seen: int) -> bool:
    async with db.read() as conn:
        return await store.newest_line(conn) != seen


async def site_names(conn: AsyncConnection, actor: Actor) -> dict[str, str]:
    """Give the names of the sites that the actor sees, by code."""
    return await store.site_names(conn, actor)


async def list_bills(
    conn: AsyncConnection, actor: Actor, wanted: Wanted = EVERY_BILL, *, limit: int = 50, offset: int = 0
) -> BillPage:
    """Give a page of the bills that the actor sees, newest first; what is overdue, the longest due first."""
    return await issued.bill_page(conn, actor, wanted, limit, offset)


async def bills_of_units(conn: AsyncConnection, unit_ids: Sequence[int]) -> list[BillSummary]:
    """Give the bills of units for whoever may see those, newest first."""
    return await issued.bills_of_units(conn, unit_ids)


async def get_bill(conn: AsyncConnection, actor: Actor, number: str) -> BillView | None:
    """Give a bill with its lines and their evidence, None for an unknown number or another's site."""
    return await issued.bill_view(conn, actor, number)


async def _sites(conn: AsyncConnection, actor: Actor, code: str | None) -> list[Site]:
    if sites := await store.sites(conn, actor, code):
        return sites
    if code is None:
        raise UsageError("billing_no_site", "There is no site; import records first.")
    raise UsageError("billing_unknown_site", "There is no site '{site}'.", site=code)


async def _plan(
    conn: AsyncConnection,
    period: Period,
    tariffs: Mapping[str, Tariff],
    sites: Sequence[Site],
    through: int | None,
    now: int,
    is_dry_run: bool,
) -> RunResult:
    windows = [_window(site, period, through, now) for site in sites]
    number = await store.bill_count(conn, period)
    runs: list[SiteRun] = []
    for site, window in zip(sites, windows, strict=True):
        runs.append(await _plan_site(conn, site, window, tariffs, number))
        number += len(runs[-1].bills)
    return RunResult(str(period), is_dry_run, tuple(runs))


def _window(site: Site, period: Period, through: int | None, now: int) -> Window:
    zone = ZoneInfo(site.zone)
    starts_at, ends_at = period.starts_at(zone), period.ends_at(zone)
    if through is None:
        if now < ends_at:
            raise Conflict(
                "billing_period_not_over",
                "{period} is not over at site '{site}' until {ends}. Use --through INSTANT for an interim bill.",
                period=period,
                site=site.code,
                ends=to_iso(ends_at),
            )
        return Window(period, starts_at, ends_at)
    if through > now:
        raise Conflict(
            "billing_through_in_future",
            "{through} has not come yet; a bill closes on a reading that was made.",
            through=to_iso(through),
        )
    if through <= starts_at:
        raise Conflict(
            "billing_through_before_period",
            "{through} is before {period} begins at site '{site}' ({starts}).",
            through=to_iso(through),
            period=period,
            site=site.code,
            starts=to_iso(starts_at),
        )
    return Window(period, starts_at, min(through, ends_at))


async def _plan_site(
    conn: AsyncConnection, site: Site, window: Window, tariffs: Mapping[str, Tariff], number: int
) -> SiteRun:
    units = await store.units(conn, site, window)
    shared = shared_meters([point for unit in units for point in unit.points])
    bills: list[Bill] = []
    parked: list[Parked] = []
    already = 0
    for unit in units:
        lines: list[Line] = []
        for point in unit.points:
            if point.billed and point.billed.through_at >= window.through_at:
                already += 1
                continue
            try:
                lines.extend(await _plan_point(conn, point, window, tariffs, shared))
            except Park as why:
                parked.append(Parked(point.code, unit.code, why))
        if lines or unit.charges:
            number += 1
            bills.append(_bill(unit, lines, window, number))
    waiting = await store.waiting_batches(conn, site)
    return SiteRun(site.id, site.code, window, tuple(bills), tuple(parked), already, waiting)


def _bill(unit: Unit, lines: list[Line], window: Window, number: int) -> Bill:
    named = f"B-{window.period}-{number:04d}", unit.id, unit.code, unit.owner
    return Bill(*named, tuple(lines), unit.charges, window)


async def _plan_point(
    conn: AsyncConnection, point: Point, window: Window, tariffs: Mapping[str, Tariff], shared: set[Meter]
) -> list[Line]:
    """Price all spans of a point, or none of them. Raises: Park."""
    tariff = _tariff(point, tariffs)
    version = version_for(tariff, window.period)
    lines: list[Line] = []
    before, meter_before = (point.billed.closing, point.billed.meter) if point.billed else (None, None)
    for span in spans(point, window.through_at):
        if span.installed.meter in shared:
            raise Park("shared_meter", words.SHARED_METER, meter=str(span.installed.meter))
        reads = await _reads(conn, span, tariff, carried_read(span, before, meter_before))
        if reads is None:
            continue
        lines.append(line(point, tariff, window, span, reads, used_before(point, version, window.period, lines)))
        before, meter_before = reads[1], span.installed.meter
    return lines


async def _reads(conn: AsyncConnection, span: Span, tariff: Tariff, carried: Read | None) -> tuple[Read, Read] | None:
    meter, series_id = span.installed.meter, series_of(span.installed, tariff)
    from_at = span.installed.from_at
    closing = await reading_store.last_good(conn, series_id, from_at, span.until)
    opening = carried or noted_read(span) or await reading_store.first_good(conn, series_id, from_at, span.until)
    reads = check_reads(span, carried, opening, closing)
    if reads is None:
        return None
    # One read beyond the closing one: a spike there would otherwise be billed before it is seen to fall.
    beyond = await reading_store.first_good(conn, series_id, reads[1].at + 1, span.installed.to_at)
    if step := await reading_store.step_back(conn, series_id, reads[0], (beyond or reads[1]).at):
        raise went_back(meter, *step)
    return reads


def _tariff(point: Point, tariffs: Mapping[str, Tariff]) -> Tariff:
    if found := tariffs.get(point.tariff_code):
        return found
    if near := nearest(point.tariff_code, tariffs):
        raise Park("unknown_tariff", words.UNKNOWN_TARIFF_NEAR, tariff=point.tariff_code, near=near)
    known = ", ".join(sorted(tariffs)) or "none"
    raise Park("unknown_tariff", words.UNKNOWN_TARIFF, tariff=point.tariff_code, known=known)
