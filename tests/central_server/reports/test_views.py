"""The reports' page and its table, made from bills and payments that the services made."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert

from central_server import schema
from central_server.billing.charge import add_charge
from central_server.billing.payment import Method, Taking, take_payment
from central_server.billing.period import Period, parse_period, to_ms
from central_server.billing.service import run_bills
from central_server.errors import NotFound
from central_server.rbac import Actor, Role, system
from central_server.reports.service import months_until, report

ISSUED = datetime(2026, 9, 2, 1, tzinfo=UTC)


@pytest.fixture
async def paid(centre: Any) -> Any:
    """Two bills of 100.00 due in September, one paid by WeChat Pay in September, half of the other in cash in October."""
    async with centre.db.write() as connection:
        await connection.execute(insert(schema.building).values(site_id=1, code="1", name="1"))
        for number in (1, 2):
            await connection.execute(insert(schema.unit).values(building_id=1, code=f"1-10{number}"))
            await add_charge(
                connection,
                key=f"order:{number}",
                site_id=1,
                unit_id=number,
                kind="repair",
                description={"key": "repair", "order": str(number)},
                amount_fen=10000,
                period="2026-08",
                trace={},
            )
    await run_bills(centre.db, parse_period("2026-08"), tariffs={}, now=ISSUED, actor=system("test"))
    for bill, amount, method, month in ((1, "100", Method.WECHAT, 9), (2, "50", Method.CASH, 10)):
        at = to_ms(datetime(2026, month, 20, tzinfo=UTC))
        taking = Taking(amount=amount, method=method, once=f"form-{bill:04d}")
        await take_payment(centre.db, system("test"), f"B-2026-08-000{bill}", taking, at)
    return centre


async def figure(centre: Any, key: str, month: str, **more: Any) -> Any:
    found = await report(centre.db, system("test"), [parse_period(month)], **more)
    each = found.rows[key][0]
    return str(each.value), each.part, each.whole


async def test_money_counts_in_the_month_it_came_and_bills_in_the_month_they_are_due(paid: Any) -> None:
    assert await figure(paid, "collection_rate", "2026-09") == ("75.0", 15000, 20000)
    assert await figure(paid, "collection_rate", "2026-10") == ("None", 0, 0)
    assert await figure(paid, "online_rate", "2026-09") == ("100.0", 10000, 10000)
    assert await figure(paid, "online_rate", "2026-10") == ("0.0", 0, 5000)


async def test_a_manager_of_another_site_sees_none_of_it(paid: Any) -> None:
    stranger = Actor("m", "m", Role.MANAGER, site_id=99)
    found = await report(paid.db, stranger, [Period(2026, 9)])
    assert (dict(found.sites), found.rows["collection_rate"][0].whole) == ({}, 0)
    with pytest.raises(NotFound):
        await report(paid.db, stranger, [Period(2026, 9)], "lake")


def test_months_go_back_over_the_new_year() -> None:
    assert [str(each) for each in months_until(Period(2026, 2), 3)] == ["2025-12", "2026-01", "2026-02"]


async def test_the_page_says_the_figure_and_what_it_is_made_of(paid: Any) -> None:
    session = await paid.signed_in("m-1", role=Role.MANAGER)
    text = (await paid.ask("GET", "/reports?month=2026-09", token=session.token)).text
    for said in ("75.0 %", "¥ 200.00 中的 ¥ 150.00", "收缴率", "当月到期的账单中"):
        assert said in text
    assert (await paid.ask("GET", "/reports?month=soon", token=session.token)).status == 400
    assert (await paid.ask("GET", "/reports?site=sea", token=session.token)).status == 404


async def test_the_same_figures_come_as_a_table(paid: Any) -> None:
    session = await paid.signed_in("m-1", role=Role.MANAGER)
    answer = await paid.ask("GET", "/reports.csv?month=2026-09&site=lake", token=session.token)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="gatehouse-2026-09.csv"'
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("﻿"))))
    assert ["collection_rate", "2026-09", "75.0", "percent", "15000", "20000"] in rows
    assert ["online_rate", "2026-08", "", "percent", "0", "0"] in rows
