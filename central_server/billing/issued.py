"""The SQL of issued bills: lists, and one with its lines."""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.billing.reference import number_of
from central_server.billing.trace import Read
from central_server.billing.view import BillPage, BillSummary, BillView, LineView, Wanted
from central_server.crypto import blind
from central_server.db import sum_of
from central_server.rbac import Actor
from central_server.schema import (
    bill,
    bill_line,
    bill_run,
    building,
    metering_point,
    ownership,
    payment,
    person,
    site,
    unit,
)

_JOINED = (
    bill.join(bill_run, bill.c.run_id == bill_run.c.id)
    .join(unit, bill.c.unit_id == unit.c.id)
    .join(building, unit.c.building_id == building.c.id)
    .join(site, building.c.site_id == site.c.id)
)
_PAID = select(sum_of(payment.c.amount_fen)).where(payment.c.bill_id == bill.c.id).correlate(bill).scalar_subquery()
_NEWEST = (bill.c.period.desc(), bill.c.issued_at.desc(), bill.c.number.desc())
_OLDEST_DUE = (bill.c.due_on, bill.c.number)


async def bill_page(conn: AsyncConnection, actor: Actor, wanted: Wanted, limit: int, offset: int) -> BillPage:
    """Give matching bills, newest first (overdue ones the longest due first), and how many match in all."""
    fits = [actor.sees_site(site.c.id), *_conditions(conn, wanted)]
    counted = select(func.count(), sum_of(bill.c.total_fen - _PAID)).select_from(_JOINED)
    if not wanted.state:  # what is paid costs a look at every bill; only where somebody asks for it
        counted = select(func.count(), literal(0)).select_from(_JOINED)
    total, owed = (await conn.execute(counted.where(*fits))).one()
    order = _OLDEST_DUE if wanted.state == "overdue" else _NEWEST
    query = _summaries().where(*fits).order_by(*order).limit(limit).offset(offset)
    return BillPage(int(total), tuple(_summary(row) for row in await conn.execute(query)), int(owed))


async def bills_of_units(conn: AsyncConnection, unit_ids: Sequence[int]) -> list[BillSummary]:
    """Give the bills of some units, newest first."""
    query = _summaries().where(bill.c.unit_id.in_(unit_ids)).order_by(*_NEWEST)
    return [_summary(row) for row in await conn.execute(query)]


def _conditions(conn: AsyncConnection, wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.period:
        yield bill.c.period == wanted.period
    if wanted.unit_id is not None:
        yield bill.c.unit_id == wanted.unit_id
    if wanted.state:
        yield bill.c.total_fen > _PAID
    if wanted.state == "overdue":
        yield bill.c.due_on < wanted.on
    if number := number_of(wanted.search):
        yield bill.c.number == number
        return
    for word in wanted.search.split():
        columns = (bill.c.number, unit.c.code)
        fits = [column.icontains(word, autoescape=True) for column in columns]
        yield or_(*fits, bill.c.unit_id.in_(_units_of(conn, word)))


async def bill_view(conn: AsyncConnection, actor: Actor, number: str) -> BillView | None:
    """Give a bill with its lines in order, None for an unknown number or another's site."""
    query = _summaries().where(bill.c.number == number, actor.sees_site(site.c.id))
    row = (await conn.execute(query)).first()
    if row is None:
        return None
    query = (
        select(bill_line, metering_point.c.code.label("point"))
        .outerjoin(metering_point, metering_point.c.id == bill_line.c.metering_point_id)
        .where(bill_line.c.bill_id == row.id)
        .order_by(bill_line.c.position)
    )
    lines = tuple(_line(each) for each in await conn.execute(query))
    return BillView(_summary(row), row.building, row.zone, lines, row.input_hash, row.output_hash)


def _units_of(conn: AsyncConnection, name: str) -> Select[Any]:
    """Find units by an owner's whole name; a sealed name cannot be searched by a part of it."""
    query = select(ownership.c.unit_id).join(person, person.c.id == ownership.c.owner_id)
    return query.where(person.c.name_index == blind(conn, name, "name"))


def _summaries() -> Select[Any]:
    return select(
        bill.c.id,
        bill.c.unit_id,
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
        _PAID.label("paid_fen"),
    ).select_from(_JOINED)


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
        opening=Read.from_json(trace["opening"]) if "opening" in trace else None,
        closing=Read.from_json(trace["closing"]) if "closing" in trace else None,
        trace=trace,
        source_key=row.source_key,
    )
