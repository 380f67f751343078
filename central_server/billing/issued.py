"""The SQL of issued bills: lists, and one with its lines."""

import json
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.billing.trace import Read
from central_server.billing.view import BillPage, BillSummary, BillView, LineView
from central_server.schema import bill, bill_line, bill_run, building, metering_point, site, unit


async def bill_page(conn: AsyncConnection, search: str, period: str | None, limit: int, offset: int) -> BillPage:
    """Give matching bills, newest first, and how many match in all."""
    query = _summaries()
    if period:
        query = query.where(bill.c.period == period)
    for word in search.split():
        columns = (bill.c.number, unit.c.code, bill.c.owner_name)
        query = query.where(or_(*(column.icontains(word, autoescape=True) for column in columns)))
    total = int(await conn.scalar(select(func.count()).select_from(query.subquery())) or 0)
    newest = (
        query.order_by(bill.c.period.desc(), bill.c.issued_at.desc(), bill.c.number.desc()).limit(limit).offset(offset)
    )
    return BillPage(total, tuple(_summary(row) for row in await conn.execute(newest)))


async def bill_view(conn: AsyncConnection, number: str) -> BillView | None:
    """Give a bill with its lines in order, None for an unknown number."""
    row = (await conn.execute(_summaries().where(bill.c.number == number))).first()
    if row is None:
        return None
    query = (
        select(bill_line, metering_point.c.code.label("point"))
        .join(metering_point, metering_point.c.id == bill_line.c.metering_point_id)
        .where(bill_line.c.bill_id == row.id)
        .order_by(bill_line.c.position)
    )
    lines = tuple(_line(each) for each in await conn.execute(query))
    return BillView(_summary(row), row.building, row.zone, lines, row.input_hash, row.output_hash)


def _summaries() -> Select[Any]:
    return select(
        bill.c.id,
        bill.c.number,
        bill.c.period,
        site.c.code.label("site"),
        site.c.zone,
        building.c.name.label("building"),
        unit.c.code.label("unit"),
        bill.c.owner_name.label("owner"),
        bill.c.from_at,
        bill.c.through_at,
        bill.c.due_on,
        bill.c.issued_at,
        bill.c.total_fen,
        bill_run.c.input_hash,
        bill_run.c.output_hash,
    ).select_from(
        bill.join(bill_run, bill.c.run_id == bill_run.c.id)
        .join(unit, bill.c.unit_id == unit.c.id)
        .join(building, unit.c.building_id == building.c.id)
        .join(site, building.c.site_id == site.c.id)
    )


def _summary(row: Row[Any]) -> BillSummary:
    return BillSummary(**{name: getattr(row, name) for name in BillSummary._fields})


def _line(row: Row[Any]) -> LineView:
    trace = json.loads(row.trace)
    return LineView(
        position=row.position,
        point=row.point,
        description_key=row.description_key,
        kind=row.kind,
        quantity=Decimal(row.quantity),
        unit=row.unit,
        unit_price=None if row.unit_price is None else Decimal(row.unit_price),
        amount_fen=row.amount_fen,
        opening=Read.from_json(trace["opening"]),
        closing=Read.from_json(trace["closing"]),
        trace=trace,
    )
