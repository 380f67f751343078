"""Bills on screen, from bills that the billing itself has issued."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from central_server.billing.period import parse_instant, parse_period
from central_server.billing.service import run_bills
from central_server.billing.tariff import load_tariffs
from central_server.dashboard.bill_pages import _parts
from central_server.dashboard.queries import events_of, first_reads, registers_at, span_of
from central_server.rbac import system
from tests.central_server.vault import VAULT


async def issue(desk: Any) -> str:
    """Bill 3,000 kWh of October, which crosses the first yearly tier of Beijing."""
    await desk.add("person", code="o-1", name="王芳", name_index=VAULT.blind("王芳", "name"))
    await desk.add("ownership", unit_id=1, owner_id=1, from_on="2020-01-01")
    (series,) = await desk.series("em-1", "electricity", ("energyImportTotal", "kWh"), name="1-101 meter")
    tariff = "beijing-electricity-residential"
    point = await desk.add("metering_point", unit_id=1, code="1-101-E", kind="electricity", tariff=tariff)
    start, end = parse_instant("2026-10-01T00:00:00+08:00"), parse_instant("2026-10-31T23:50:00+08:00")
    named = {"edge_id": "gw-1", "device_code": "em-1", "point": "energyImportTotal", "multiplier": "1"}
    await desk.add("installation", metering_point_id=point, from_at=start, **named)
    await desk.read(series, start, "100.00")
    await desk.read(series, end, "3100.00")
    now = datetime(2026, 11, 20, tzinfo=UTC)
    run = await run_bills(desk.db, parse_period("2026-10"), tariffs=load_tariffs(), now=now, actor=system("test"))
    return run.bills[0].number


async def test_a_bill_says_what_is_due_when_and_why(desk: Any) -> None:
    number = await issue(desk)
    text = await desk.page(f"/bills/{number}")
    # 2880 x 0.4883 + 120 x 0.5383 = 1470.90
    for said in ("¥ 1,470.90", "王芳", "100.00", "3,100.00", "0.4883", "0.5383", "1,406.3040", "Used this year before"):
        assert said in text


async def test_the_list_finds_bills_and_keeps_to_a_month(desk: Any) -> None:
    number = await issue(desk)
    assert number in await desk.page("/bills")
    assert number in await desk.page("/bills?q=%E7%8E%8B%E8%8A%B3")
    assert "No bill fits" in await desk.page("/bills?q=nobody")
    assert "No bill fits" in await desk.page("/bills?period=2026-09")
    assert "No bill fits" in await desk.page("/bills?period=sometime")


async def test_searching_a_bills_number_leads_to_it(desk: Any) -> None:
    number = await issue(desk)
    status, _ = await desk.get(f"/search?q={number}")
    assert status == 303
    assert "1-101 meter" in await desk.page("/search?q=1-101")


def test_tiers_stand_side_by_side_as_wide_as_they_were_used() -> None:
    class Line:
        trace = {"tiers": [{"quantity": "75"}, {"quantity": "25"}]}

    first, second = _parts(Line())  # type: ignore[arg-type]
    assert (first.x, second.x) == (0, 180)
    assert first.width == pytest.approx(179)


async def test_registers_are_looked_up_at_each_mark(desk: Any) -> None:
    (series,) = await desk.series("em-1", "electricity", ("energyImportTotal", "kWh"))
    for at, value, quality in ((100, "1.0", 0), (200, "2.0", 3), (300, "3.0", 0)):
        await desk.read(series, at, value, quality)
    async with desk.db.read() as conn:
        found = await registers_at(conn, [series], [50, 100, 250, 300])
        first = await first_reads(conn, [series], 150)
        span = await span_of(conn, series, 0)
        assert await registers_at(conn, [], [1]) == {}
        assert await events_of(conn, 1, "device:em-1", 5) == []
    assert [read and read.value for read in found[series]] == [None, Decimal("1.0"), Decimal("1.0"), Decimal("3.0")]
    assert first[series].value == 3
    assert span == (Decimal(1), Decimal(3))
