"""The lifts' pages: where the car is, what befell it, and nothing that moves it."""

from typing import Any

from central_server.app import routes
from central_server.clock import now_ms


async def lift(desk: Any, floor: str = "7") -> int:
    now = now_ms()
    keys = await desk.series("lift-1", "lift", ("currentFloor", ""), ("direction", ""), ("carMode", ""), name="1# lift")
    for key, value in zip(keys, (floor, "3", "1"), strict=True):
        await desk.read(key, now, value)
    return 1


async def test_a_lift_is_shown_in_its_shaft_with_direction_and_mode(desk: Any) -> None:
    key = await lift(desk)
    for path in ("/lifts", f"/lifts/{key}"):
        text = await desk.page(path)
        for said in ("1# lift", 'data-car="1:currentFloor"', "going up", "normal service"):
            assert said in text


async def test_an_open_alarm_of_a_lift_is_on_both_pages_and_one_that_is_over_in_its_history(desk: Any) -> None:
    key = await lift(desk)
    alarm = await desk.alarm("lift-1", now_ms(), condition="lift_entrapment", priority=1, site_id=1)
    await desk.alarm("lift-1", 1000, condition="lift_fault", cleared_at=421_000, detail='{"fault_code": 42}')
    assert f'href="/alarms/{alarm}"' in await desk.page("/lifts")
    text = await desk.page(f"/lifts/{key}")
    for said in ("Somebody may be shut in a lift", "code 42", "7 min"):
        assert said in text


async def test_a_meter_is_no_lift(desk: Any) -> None:
    await desk.series("em-1", "electricity", ("energyImportTotal", "kWh"))
    for path in ("/lifts/1", "/lifts/99", "/lifts/x"):
        assert (await desk.get(path))[0] == 404


def test_no_route_of_lifts_takes_anything_but_a_look() -> None:
    assert {route.method for route in routes() if route.path.startswith("/lifts")} == {"GET"}
