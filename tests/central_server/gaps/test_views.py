"""The page of gaps: empty, filled, narrowed, and as a table for other programs."""

import asyncio
from zoneinfo import ZoneInfo

from central_server.billing.period import parse_period
from central_server.gaps.views import span_of
from protocols.sync import Event, Lane
from tests.central_server.conftest import Centre, Gateway
from tests.central_server.lake import energy


async def test_a_month_without_gaps_says_so_and_one_with_a_gap_shows_its_cause(
    centre: Centre, gateway: Gateway
) -> None:
    boss = await centre.signed_in()
    start, _ = span_of(parse_period("2026-11"), ZoneInfo("Asia/Shanghai"))
    page = await centre.ask("GET", "/gaps?month=2026-11", token=boss.token)
    assert page.status == 200
    assert "本月没有缺口" in page.text
    body = {"since": start + 1000, "until": start + 7_201_000, "cause": "edge"}
    await gateway.send(Lane.BILLING, energy(start, "1"))
    await gateway.send(Lane.CONTROL, Event("gap", "device:em-1", start + 7_201_000, body))
    async with asyncio.timeout(10):
        while any(row.packed_at is None for row in await centre.rows("batch")):
            await asyncio.sleep(0.05)
    page = await centre.ask("GET", "/gaps?month=2026-11", token=boss.token)
    assert "em-1" in page.text
    assert "2 时 0 分" in page.text
    assert "没有符合" in (await centre.ask("GET", "/gaps?month=2026-11&q=other", token=boss.token)).text
    table = await centre.ask("GET", "/gaps.csv?month=2026-11", token=boss.token)
    assert "gw-1,em-1,2026-11-01T00:00:01+08:00,2026-11-01T02:00:01+08:00,7200,edge" in table.text
    assert (await centre.ask("GET", "/gaps?month=nonsense", token=boss.token)).status == 400
