"""The overview."""

import json
from typing import Any

from sqlalchemy import update

from central_server import schema
from central_server.clock import now_ms


async def test_one_building_takes_the_lifts_and_doors_of_its_gateway(desk: Any) -> None:
    (floor,) = await desk.series("lift-a", "lift", ("currentFloor", ""), name="Lift A")
    (door,) = await desk.series("door-1", "door", ("doorState", ""), name="Main door")
    await desk.read(floor, now_ms(), "9")
    await desk.read(door, now_ms(), "1")
    text = await desk.page("/")
    assert 'data-car="1:currentFloor"' in text
    assert "Main door" in text
    assert "Not assigned to a building" not in text


async def test_with_two_buildings_what_the_records_do_not_place_stands_apart(desk: Any) -> None:
    await desk.add("building", site_id=1, code="2", name="2 号楼")
    await desk.series("lift-a", "lift", ("currentFloor", ""))
    assert "Not assigned to a building" in await desk.page("/")


async def test_a_meter_that_does_not_answer_is_named_on_its_buildings_card(desk: Any) -> None:
    await desk.series("em-1", "electricity", ("energyImportTotal", "kWh"), name="1-101 meter")
    await desk.series("em-2", "electricity", ("energyImportTotal", "kWh"), name="1-102 meter")
    await desk.alarm("em-2", now_ms())
    text = await desk.page("/")
    assert "1 of 2 answer" in text


async def test_use_counts_the_factor_of_the_installation(desk: Any) -> None:
    (series,) = await desk.series("em-1", "electricity", ("energyImportTotal", "kWh"))
    point = await desk.add("metering_point", unit_id=1, code="1-101-E", kind="electricity", tariff="t")
    named = {"edge_id": "gw-1", "device_code": "em-1", "point": "energyImportTotal", "multiplier": "40", "from_at": 0}
    await desk.add("installation", metering_point_id=point, **named)
    await desk.read(series, now_ms() - 600_000, "10.0")
    await desk.read(series, now_ms() - 1000, "11.5")
    assert "<b>60.0</b>" in await desk.page("/")


async def test_a_silent_gateway_is_said_where_its_lines_stand(desk: Any) -> None:
    status = {
        "buses": [{"id": "line-1", "state": "down", "error": "no such port"}],
        "lanes": {"billing": {"pending": 7}},
    }
    async with desk.db.write() as conn:
        await conn.execute(update(schema.gateway).values(status=json.dumps(status)))
    text = await desk.page("/")
    assert "7 to deliver" in text
    assert "no such port" in text
    async with desk.db.write() as conn:
        await conn.execute(update(schema.gateway).values(last_seen_at=now_ms() - 60_000))
    assert "silent" in await desk.page("/")


async def test_a_status_of_odd_shapes_does_not_break_the_page(desk: Any) -> None:
    odd = {"buses": [{}, {"id": 5, "utilisation": "x"}], "lanes": {"billing": {}}, "devices": [{"id": "em-1"}]}
    await desk.series("em-1", "electricity", ("energyImportTotal", "kWh"))
    async with desk.db.write() as conn:
        await conn.execute(update(schema.gateway).values(status=json.dumps(odd)))
    for path in ("/", "/devices", "/devices/1"):
        await desk.page(path)


async def test_the_last_hour_tells_what_came_and_what_went(desk: Any) -> None:
    now = now_ms()
    await desk.alarm("em-1", now - 600_000, cleared_at=now - 300_000)
    await desk.alarm("em-2", now - 7_200_000)
    totals = {
        "created_at": now - 1000,
        "created_by": "x",
        "input_hash": "",
        "output_hash": "",
        "totals": '{"bills": 2}',
    }
    await desk.add("bill_run", site_id=1, period="2026-10", through_at=1, **totals)
    text = await desk.page("/")
    feed = text[text.index('id="feed"') : text.index('id="gateways"')]
    assert "Over: Device does not answer" in feed
    assert "2 bills for October 2026 issued" in feed
    assert "em-2" not in feed


async def test_each_site_has_its_own_overview(desk: Any) -> None:
    await desk.add("site", code="hill", name="山庄", zone="Asia/Shanghai")
    assert "<h1>山庄</h1>" in await desk.page("/?site=hill")
    assert "<h1>湖畔家园</h1>" in await desk.page("/?site=lake")
    assert (await desk.get("/?site=nowhere"))[0] == 404
