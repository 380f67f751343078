"""A round as it is walked: each check counted once, judged by when it was done, each failure one work order."""

import time
from typing import Any

import pytest

from central_server import schema
from central_server.errors import Conflict, NotFound
from central_server.form import Invalid
from central_server.inspection import rounds, service
from central_server.inspection.entry import ItemEntry
from central_server.inspection.model import Given
from central_server.rbac import Actor, Role
from tests.central_server.inspection.conftest import HOUR, MINUTE, House


def now() -> int:
    return int(time.time() * 1000)


async def test_a_round_is_done_when_every_point_is(house: House) -> None:
    view = await house.task()
    assert (await house.check(view, 1)).task.state == "open"
    assert (await house.check(view, 2)).task.state == "done"


async def test_a_check_that_is_sent_twice_is_counted_once(house: House) -> None:
    view = await house.task()
    failing = {house.pressure: Given("0.9")}
    for _ in range(3):
        await house.check(view, 1, client_id="phone-1-check-1", given=failing)
    assert len(await house.rows("check_answer")) == 1
    assert len(await house.rows("work_order")) == 1


async def test_of_two_inspectors_at_one_point_the_second_is_told(house: House) -> None:
    view = await house.task()
    await house.check(view, 1)
    with pytest.raises(Conflict, match="made already"):
        await house.check(view, 1)


async def test_a_failed_item_opens_one_order_and_the_next_failure_is_a_word_in_it(house: House) -> None:
    for value in ("0.9", "1.1"):
        view = await house.check(await house.task(), 1, given={house.pressure: Given(value)}, note="漏水")
    (order,) = await house.rows("work_order")
    assert [answer.order_id for answer in view.answers[view.points[0].id]] == [order.id]
    assert {row.order_id for row in await house.rows("check_answer")} == {order.id}


async def test_a_missing_answer_leaves_everything_as_it_was(house: House) -> None:
    view = await house.task()
    with pytest.raises(Invalid) as refused:
        await house.check(view, 1, given={})
    assert set(refused.value.problems) == {f"v-{house.pressure}"}
    assert (await house.view(view.task.id)).points[0].state == "open"


async def test_what_is_not_made_is_missed_with_an_alarm_and_made_late_clears_it(house: House) -> None:
    view = await house.task(ends=-MINUTE)
    await house.check(await house.task(), 1)
    await house.keep()
    assert (await house.view(view.task.id)).task.state == "missed"
    (alarm,) = await house.rows("alarm")
    assert (alarm.condition, alarm.cleared_at) == ("round_missed", None)
    await house.check(view, 1)
    view = await house.check(view, 2)
    assert view.task.state == "late"
    (alarm,) = await house.rows("alarm")
    assert alarm.cleared_at is not None


async def test_a_check_done_in_time_in_the_basement_and_sent_later_is_in_time(house: House) -> None:
    view = await house.task(ends=-MINUTE)
    await house.keep()
    at = now() + 7 * HOUR  # the phone's clock is wrong, its count is not
    for position in (1, 2):
        view = await house.check(view, position, done_at=at - 10 * MINUTE, sent_at=at)
    assert view.task.state == "done"
    assert [point.state for point in view.points] == ["done", "done"]
    assert abs((view.points[0].skew_ms or 0) - 7 * HOUR) < MINUTE


async def test_nobody_checks_before_the_round_begins_or_long_after_it(house: House) -> None:
    early = await house.task(starts=HOUR, ends=2 * HOUR)
    with pytest.raises(Invalid):
        await house.check(early, 1)
    late = await house.task(starts=-30 * HOUR, ends=-25 * HOUR)
    await house.keep()
    with pytest.raises(Conflict, match="too late"):
        await house.check(late, 1)
    statutory = await house.task(starts=-30 * HOUR, ends=-25 * HOUR, statutory=True)
    assert (await house.check(statutory, 1)).points[0].state == "late"


async def test_a_phone_that_was_offline_answers_the_questions_it_was_asked(house: House) -> None:
    view, asked_at = await house.task(), now()
    time.sleep(0.002)
    await service.retire_item(house.db, house.manager, house.pump, house.pressure)
    await service.add_item(house.db, house.manager, house.pump, ItemEntry(kind="text", title="水位", required=True))
    view = await house.check(view, 1, asked_at=asked_at)
    assert [answer.item.title for answer in view.answers[view.points[0].id]] == ["出水压力"]


async def test_an_inspector_sees_no_round_of_another_site_or_another_person(house: House) -> None:
    view = await house.task(inspector=house.inspector.account_id)
    async with house.db.write() as connection:
        await connection.execute(schema.inspection_task.update().values(account_id=house.inspector.account_id))
    async with house.db.read() as connection:
        assert (await rounds.get_round(connection, house.inspector, view.task.id)).task.id == view.task.id
        for stranger in (
            Actor("other", "", Role.INSPECTOR, account_id=99),
            Actor("far", "", Role.INSPECTOR, account_id=house.inspector.account_id, site_id=99),
        ):
            with pytest.raises(NotFound):
                await rounds.get_round(connection, stranger, view.task.id)


async def _meter(house: House, edge_id: str) -> int:
    async def add(table: str, **values: Any) -> int:
        async with house.db.write() as connection:
            found = schema.metadata.tables[table]
            key = (await connection.execute(found.insert().values(**values))).inserted_primary_key
            assert key
            return int(key[0])

    building = await add("building", site_id=1, code="1", name="1 号楼")
    unit = await add("unit", building_id=building, code="1-101")
    point = await add("metering_point", unit_id=unit, code="1-101-W", kind="water", tariff="w")
    values = {"metering_point_id": point, "edge_id": edge_id, "device_code": "w-101", "point": "waterTotal"}
    await add("installation", **values, multiplier="1", from_at=0)
    entry = ItemEntry(kind="meter", title="水表", meter="1-101-W", required=True)
    return await service.add_item(house.db, house.manager, house.lobby, entry)


async def test_a_meter_read_on_a_round_is_a_good_reading_of_that_meter(house: House) -> None:
    item = await _meter(house, "manual-1")
    for value in ("120.5", "121"):
        await house.check(await house.task(), 2, given={house.door: Given("ok"), item: Given(value)})
    readings = await house.rows("reading")
    assert [(row.mantissa, row.exponent, row.quality) for row in readings] == [(1205, -1, 0), (121, 0, 0)]
    assert len({row.series_id for row in readings}) == 1
    (series,) = await house.rows("series")
    assert (series.point, series.unit) == ("waterTotal", "m3")
    (gateway,) = await house.rows("gateway")
    assert (gateway.edge_id, gateway.revoked_at is not None) == ("manual-1", True)
    assert [row.error for row in await house.rows("batch")] == [None, None]


async def test_a_meter_that_seems_to_run_backwards_is_looked_at_again_and_then_reported_not_billed(
    house: House,
) -> None:
    item = await _meter(house, "manual-1")
    await house.check(await house.task(), 2, given={house.door: Given("ok"), item: Given("120.5")})
    view = await house.task()
    with pytest.raises(Invalid) as refused:
        await house.check(view, 2, given={house.door: Given("ok"), item: Given("12.5")})
    assert set(refused.value.problems) == {f"v-{item}"}
    await house.check(view, 2, given={house.door: Given("ok"), item: Given("12.5", is_odd=True)})
    assert len(await house.rows("reading")) == 1
    assert len(await house.rows("work_order")) == 1


async def test_a_read_of_an_unknown_gateways_meter_says_so(house: House) -> None:
    item = await _meter(house, "gw-nobody")
    with pytest.raises(Invalid, match="another look"):
        await house.check(await house.task(), 2, given={house.door: Given("ok"), item: Given("1")})
