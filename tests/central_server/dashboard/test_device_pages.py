"""The device list, one device, and its readings as a file."""

import csv
import io
import json
from typing import Any

import pytest

from central_server import schema
from central_server.clock import now_ms
from central_server.dashboard.device_pages import search


async def three(desk: Any) -> None:
    now = now_ms()
    (em,) = await desk.series("em-1", "electricity", ("energyImportTotal", "kWh"), name="1-101 meter")
    (wm,) = await desk.series("wm-1", "water", ("volumeTotal", "m3"), name="2-202 meter")
    await desk.series("lift-a", "lift", ("currentFloor", ""), name="Lift A")
    for minute in range(5):
        await desk.read(em, now - (5 - minute) * 60_000, f"{100 + minute}.50")
    await desk.read(wm, now, "7.125")


async def test_the_list_narrows_by_word_kind_and_state(desk: Any) -> None:
    await three(desk)
    await desk.alarm("wm-1", now_ms())

    async def names(query: str) -> list[str]:
        text = await desk.page(f"/devices{query}")
        return [name for name in ("1-101 meter", "2-202 meter", "Lift A") if name in text]

    assert await names("") == ["1-101 meter", "2-202 meter", "Lift A"]
    assert await names("?q=meter") == ["1-101 meter", "2-202 meter"]
    assert await names("?q=METER+line-1+101") == ["1-101 meter"]
    assert await names("?kind=lift") == ["Lift A"]
    assert await names("?state=wrong") == ["2-202 meter"]
    assert "No device fits" in await desk.page("/devices?q=nothing")


async def test_the_list_sorts_both_ways(desk: Any) -> None:
    await three(desk)
    up, down = await desk.page("/devices?sort=name"), await desk.page("/devices?sort=-name")
    assert up.index("1-101 meter") < up.index("Lift A")
    assert down.index("Lift A") < down.index("1-101 meter")
    assert 'aria-sort="descending"' in down


def test_every_word_of_a_search_must_be_found() -> None:
    assert search([], "x") == []


async def test_a_device_shows_its_values_its_line_and_its_alarm(desk: Any) -> None:
    await three(desk)
    await desk.alarm("em-1", now_ms())
    text = await desk.page("/devices/1")
    for said in ("104.50", "kWh", "line-1", "Device does not answer", "湖畔家园"):
        assert said in text
    assert 'data-live="1:energyImportTotal"' in text


async def test_the_history_gives_use_as_exact_text(desk: Any) -> None:
    await three(desk)
    status, text = await desk.get("/devices/1/history?range=hour")
    data = json.loads(text)
    assert (status, data["kind"], data["unit"]) == (200, "bars", "kWh")
    assert sum(float(each["value"]) for each in data["points"] if each["value"] is not None) == 4.0
    assert all(each["value"] is None or isinstance(each["value"], str) for each in data["points"])


@pytest.mark.parametrize("name", ["hour", "day", "week", "month", "century"])
async def test_every_range_answers(desk: Any, name: str) -> None:
    await three(desk)
    for device in (1, 2):
        assert (await desk.get(f"/devices/{device}/history?range={name}"))[0] == 200


async def test_a_point_the_device_does_not_have_is_not_found(desk: Any) -> None:
    await three(desk)
    assert (await desk.get("/devices/1/history?point=nothing"))[0] == 404
    assert (await desk.get("/devices/3/history"))[0] == 404


async def test_the_file_holds_every_reading_with_its_instant_and_no_formula(desk: Any) -> None:
    (series,) = await desk.series("=cmd()", "electricity", ("energyImportTotal", "kWh"))
    now = now_ms()
    for minute in range(3):
        await desk.read(series, now - (3 - minute) * 1000, f"{minute}.10")
    await desk.read(series, now, None, quality=1)
    async with desk.client.get("/devices/1/history.csv?range=week") as answer:
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="gw-1-')
        rows = list(csv.reader(io.StringIO((await answer.read()).decode("utf-8-sig"))))
    assert rows[0] == ["gateway", "device", "point", "taken_at", "value", "unit"]
    assert [row[4] for row in rows[1:]] == ["0.10", "1.10", "2.10", ""]
    assert rows[1][1] == "'=cmd()"
    assert rows[1][3].endswith("+08:00")


async def test_a_wrong_clock_is_told_at_the_value_the_chart_and_the_gateway(desk: Any) -> None:
    await three(desk)
    now = now_ms()
    span = {"gateway_id": 1, "boot": "b", "offset_ms": 1, "is_known": True}
    await desk.add("clock_stretch", **span, shift_ms=7_200_000, first_at=now - 90_000, last_at=now - 30_000)
    status = {"clock": {"ok": False, "state": "wrong", "shift_ms": -90_000}}
    async with desk.db.write() as conn:
        await conn.execute(schema.gateway.update().values(status=json.dumps(status)))
    read_then, read_after = await desk.page("/devices/1"), await desk.page("/devices/2")
    assert "time put right" in read_then
    assert "time put right" not in read_after
    for text in (read_then, read_after):
        assert "clock was 2 h 0 min behind. The times shown are put right." in text
        assert "clock 1 min ahead; times are put right" in text
    assert "clock 1 min ahead; times are put right" in await desk.page("/")
