"""The figures come from work orders and rounds as their own slices tell of them."""

from typing import Any

from central_server.billing.period import Period, parse_instant
from central_server.rbac import Actor, Role, system
from central_server.reports.service import report

MINUTE, HOUR = 60_000, 3_600_000
# The last instant of October in Shanghai, which is still October in UTC as well as half of the evening before.
NIGHT = parse_instant("2026-10-31T23:59:59+08:00")
OCTOBER = [Period(2026, 9), Period(2026, 10), Period(2026, 11)]


async def order(lake: Any, category: str, finished_at: int, took: int, *, is_late: bool = False) -> None:
    created = finished_at - took
    values = {"site_id": 1, "source": "staff", "title": "t", "place": "p", "created_at": created, "created_by": "x"}
    values |= {"state": "closed", "version": 1, "category": category, "urgency": "normal", "changed_at": finished_at}
    due = finished_at - 1 if is_late else finished_at
    values |= {"respond_due_at": created + HOUR, "responded_at": created + 10 * MINUTE, "finish_due_at": due}
    await lake.add("work_order", finished_at=finished_at, **values)


async def test_orders_count_in_the_sites_own_month_by_category_and_by_promise(lake: Any) -> None:
    await order(lake, "water", NIGHT, 4 * HOUR)
    await order(lake, "water", NIGHT - HOUR, 2 * HOUR, is_late=True)
    await order(lake, "lift", NIGHT + 1000, HOUR)
    found = await report(lake.db, system("test"), OCTOBER)
    assert [each.value for each in found.rows["finish_median"]] == [None, 2 * HOUR, HOUR]
    assert [each.value for each in found.rows["respond_p90"]] == [None, 10 * MINUTE, 10 * MINUTE]
    assert [str(each.value) for each in found.rows["sla_kept"]] == ["None", "50.0", "100.0"]


async def test_rounds_count_in_the_month_their_window_ended(lake: Any) -> None:
    route = await lake.add("inspection_route", site_id=1, name="r", created_at=0)
    plan = {
        "site_id": 1,
        "route_id": route,
        "name": "p",
        "every_days": 1,
        "from_on": "2026-10-01",
        "windows": "08:00-09:00",
    }
    plan_id = await lake.add("inspection_plan", is_statutory=False, created_at=0, made_to_at=0, **plan)
    for slot, (state, ends_at) in enumerate((("done", 0), ("late", 0), ("missed", 0), ("excused", 0), ("done", 1000))):
        task = {"plan_id": plan_id, "slot": str(slot), "starts_at": NIGHT - HOUR, "ends_at": NIGHT + ends_at}
        await lake.add("inspection_task", site_id=1, created_at=0, state=state, **task)
    found = await report(lake.db, system("test"), OCTOBER)
    assert [(each.part, each.whole) for each in found.rows["inspection_done"]] == [(0, 0), (2, 3), (1, 1)]


async def test_of_two_sites_each_has_its_own_and_a_manager_of_one_sees_one(lake: Any) -> None:
    await order(lake, "water", NIGHT, 4 * HOUR)
    await lake.add("site", code="hill", name="Hill", zone="Asia/Shanghai")
    found = await report(lake.db, system("test"), OCTOBER[1:2])
    assert [found.by_site[code]["finish_median"].whole for code in ("hill", "lake")] == [0, 1]
    manager = Actor("m", "m", Role.MANAGER, site_id=2)
    assert (await report(lake.db, manager, OCTOBER[1:2])).rows["finish_median"][0].whole == 0
