"""Plans keep themselves: made ahead once, missed within the minute, nothing skipped by downtime."""

import time

import pytest

from central_server.errors import Conflict
from central_server.inspection import keeping, service
from central_server.inspection.entry import PlanEntry
from central_server.inspection.jobs import EVERY_S
from tests.central_server.inspection.conftest import HOUR, House

DAY = 24 * HOUR


async def states(house: House) -> list[str]:
    return [row.state for row in await house.rows("inspection_task")]


async def test_a_new_plan_has_its_open_window_and_those_of_the_next_day_at_once(house: House) -> None:
    await house.plan("00:00-24:00")
    assert len(await states(house)) in (2, 3)


async def test_keeping_again_and_again_makes_nothing_twice(house: House) -> None:
    await house.plan("06:00-07:00\n18:00-19:00")
    before = len(await states(house))
    for _ in range(3):
        await house.keep()
    assert len(await states(house)) == before
    for hours in range(0, 51, 3):  # to two days later to the hour, whatever time it is now
        await house.keep(hours * HOUR)
    rows = await house.rows("inspection_task")
    assert len(rows) == len({row.starts_at for row in rows}) == before + 4


async def test_what_is_over_is_missed_within_a_minute(house: House) -> None:
    view = await house.task(ends=-1000)
    assert EVERY_S < 60
    assert await house.keep() == {1}
    assert [point.state for point in (await house.view(view.task.id)).points] == ["missed", "missed"]
    assert await house.keep() == frozenset()
    assert len(await house.rows("alarm")) == 1


async def test_after_ten_days_of_downtime_every_round_is_on_record_as_missed(house: House) -> None:
    await house.plan("06:00-07:00")
    await house.keep(10 * DAY)
    found = await states(house)
    assert found.count("missed") in (10, 11)
    assert found.count("open") in (1, 2)


async def test_a_statutory_round_that_was_missed_is_due_again_at_once_and_only_once(house: House) -> None:
    await house.plan("06:00-07:00", every_days=15, statutory=True)
    for _ in range(3):
        await house.keep(40 * DAY)
    rows = await house.rows("inspection_task")
    missed = [row for row in rows if row.state == "missed"]
    again = [row for row in rows if row.slot.startswith("again")]
    assert len(missed) in (2, 3)
    assert len(again) == 1
    assert again[0].state == "open"
    assert again[0].starts_at <= int(time.time() * 1000) + 40 * DAY < again[0].ends_at


async def test_a_changed_plan_keeps_what_was_walked_and_makes_the_rest_anew(house: House) -> None:
    key = await house.plan("00:00-24:00")
    await house.keep()
    now = int(time.time() * 1000)
    running = [row.id for row in await house.rows("inspection_task") if row.starts_at <= now]
    entry = PlanEntry(route=house.route, name="改", from_on="2026-01-01", windows="06:00-06:30")
    await service.change_plan(house.db, house.manager, key, entry)
    rows = await house.rows("inspection_task")
    assert [row.id for row in rows if row.starts_at <= now] == running
    assert {row.slot[-5:] for row in rows if row.starts_at > now} == {"06:00"}


async def test_an_ended_plan_makes_no_more_rounds(house: House) -> None:
    key = await house.plan("06:00-07:00")
    await service.end_plan(house.db, house.manager, key)
    await house.keep(5 * DAY)
    now = int(time.time() * 1000)
    assert [row for row in await house.rows("inspection_task") if row.starts_at > now] == []


async def test_an_excused_round_says_why_and_its_alarm_is_over(house: House) -> None:
    view = await house.task(ends=-1000)
    await house.keep()
    await keeping.excuse(house.db, house.manager, view.task.id, "停电检修", int(time.time() * 1000))
    found = await house.view(view.task.id)
    assert found.task.state == "excused"
    assert {point.note for point in found.points} == {"停电检修"}
    (alarm,) = await house.rows("alarm")
    assert alarm.cleared_at is not None
    with pytest.raises(Conflict):
        await keeping.excuse(house.db, house.manager, view.task.id, "停电检修", int(time.time() * 1000))


async def test_a_report_finds_the_rounds_that_ended_in_its_month(house: House) -> None:
    view = await house.task(ends=-1000)
    await house.keep()
    async with house.db.read() as connection:
        now = int(time.time() * 1000)
        found = await service.tasks_between(connection, house.manager, now - HOUR, now, site_id=1)
        assert [(task.id, task.state) for task in found] == [(view.task.id, "missed")]
        assert await service.tasks_between(connection, house.manager, now - HOUR, now, site_id=2) == []
