"""The pages: planned at the desk, walked with a phone, seen by whoever may."""

import io
import re
import time
from html import unescape

import aiohttp
import pytest
from PIL import Image
from sqlalchemy import select

from central_server import schema
from central_server.inspection import views
from central_server.rbac import Right, Role
from scripts.roles import Visitor
from tests.central_server.conftest import Answer, Centre
from tests.central_server.matrix import visitor


def photo() -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), "grey").save(picture, "JPEG")
    return picture.getvalue()


async def post(centre: Centre, session: Visitor, path: str, **fields: str) -> Answer:
    return await centre.ask("POST", path, token=session.token, data={"csrf": session.csrf, **fields})


async def planned(centre: Centre) -> tuple[Visitor, Visitor]:
    """Plan a round over two points through the pages; give a manager's and an inspector's session."""
    manager, walker = await visitor(centre.db, Role.MANAGER), await visitor(centre.db, Role.INSPECTOR)
    for code, name in (("B1-PUMP", "水泵房"), ("1F-LOBBY", "大堂")):
        made = await post(centre, manager, "/inspection/checkpoints", code=code, name=name)
        assert made.status == 303, made.text
    item = {"kind": "number", "title": "出水压力", "unit": "MPa", "low": "0.2", "high": "0.6", "required": "1"}
    assert (await post(centre, manager, "/inspection/checkpoints/1/items", **item)).status == 303
    assert (await post(centre, manager, "/inspection/routes", name="夜巡", **{"p-1": "2", "p-2": "1"})).status == 303
    plan = {"route": "1", "name": "每日巡检", "every_days": "1", "from_on": "2026-01-01", "windows": "00:00-24:00"}
    assert (await post(centre, manager, "/inspection/plans", **plan)).status == 303
    return manager, walker


def test_every_address_of_inspection_asks_for_a_right_of_inspection() -> None:
    for route in views.routes():
        assert isinstance(route.policy, Right), route.path
        assert route.policy.startswith("inspection."), route.path
        is_change = route.method == "POST"
        assert not (is_change and route.policy is Right.INSPECTION_SEE), route.path


async def test_a_round_is_planned_at_the_desk_and_walked_with_the_phone(centre: Centre) -> None:
    manager, walker = await planned(centre)
    page = await centre.ask("GET", "/rounds", token=walker.token)
    assert "每日巡检" in page.text
    points = (await centre.rows("task_point"))[:2]
    assert [point.checkpoint_id for point in points] == [2, 1]
    form = await centre.ask("GET", f"/rounds/1/{points[1].id}", token=walker.token)
    assert "出水压力" in form.text
    body = aiohttp.FormData({"csrf": walker.csrf, "v-1": "0.9", "note": "漏水", "client_id": "phone-check-1"})
    body.add_field("photos", photo(), filename="a.jpg", content_type="image/jpeg")
    sent = await centre.ask("POST", f"/rounds/1/{points[1].id}", token=walker.token, data=body)
    assert (sent.status, sent.headers["Location"]) == (303, f"/rounds/1#p-{points[0].id}")
    seen = await centre.ask("GET", "/inspection/tasks/1", token=manager.token)
    assert "漏水" in seen.text
    (ref,) = set(re.findall(r"/photos/(\w+)", seen.text))
    headers = {"Cookie": f"gatehouse_session={manager.token}"}
    async with centre.client.get(f"{centre.url}/photos/{ref}", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "image/jpeg")
    assert len(await centre.rows("work_order")) == 1
    assert "出水压力" in (await centre.ask("GET", "/inspection", token=manager.token)).text


async def test_what_was_typed_stays_where_something_is_wrong(centre: Centre) -> None:
    manager, walker = await planned(centre)
    point = next(row for row in await centre.rows("task_point") if row.checkpoint_id == 1)
    refused = await post(
        centre, walker, f"/rounds/1/{point.id}", note="看不清", client_id="phone-check-2", **{"v-1": "x"}
    )
    assert refused.status == 422
    assert 'href="#f-v-1"' in refused.text
    assert "看不清" in refused.text
    assert "phone-check-2" in refused.text
    plan = {"route": "1", "name": "夜里", "from_on": "2026-01-01", "windows": "8 to 10"}
    refused = await post(centre, manager, "/inspection/plans", **plan)
    assert refused.status == 422
    assert "8 to 10" in unescape(refused.text)


async def test_a_scanned_label_leads_to_its_point_and_proves_that_somebody_was_there(centre: Centre) -> None:
    manager, walker = await planned(centre)
    labels = await centre.ask("GET", "/inspection/labels", token=manager.token)
    assert labels.text.count("<figure>") == 2
    secret = (await centre.rows("checkpoint"))[1].secret
    led = await centre.ask("GET", f"/rounds/at/{secret}", token=walker.token)
    assert led.status == 303
    form = await centre.ask("GET", led.headers["Location"], token=walker.token)
    assert f'name="presence" value="{secret}"' in form.text
    await post(centre, walker, led.headers["Location"].partition("?")[0], presence=secret)
    point = next(row for row in await centre.rows("task_point") if row.checkpoint_id == 2)
    assert (point.state, point.is_scanned) == ("done", True)
    assert (await post(centre, manager, "/inspection/checkpoints/2/label")).status == 303
    assert (await centre.ask("GET", f"/rounds/at/{secret}", token=walker.token)).status == 404


@pytest.mark.parametrize("path", ["/rounds/99", "/rounds/1/99", "/rounds/x", "/inspection/tasks/99999999999999999999"])
async def test_what_is_not_there_is_not_found(centre: Centre, path: str) -> None:
    manager, walker = await planned(centre)
    token = manager.token if path.startswith("/inspection") else walker.token
    assert (await centre.ask("GET", path, token=token)).status == 404


async def test_a_manager_of_another_site_finds_nothing_of_it(centre: Centre) -> None:
    await planned(centre)
    async with centre.db.write() as connection:
        await connection.execute(schema.site.insert().values(code="hill", name="山上", zone="Asia/Shanghai"))
        hill = await connection.scalar(select(schema.site.c.id).where(schema.site.c.code == "hill"))
    stranger = await visitor(centre.db, Role.MANAGER, site_id=hill)
    for path in ("tasks/1", "checkpoints/1", "routes/1", "plans/1"):
        assert (await centre.ask("GET", f"/inspection/{path}", token=stranger.token)).status == 404, path
    for path in ("", "/tasks", "/checkpoints", "/routes", "/plans", "/labels"):
        page = await centre.ask("GET", f"/inspection{path}", token=stranger.token)
        assert page.status == 200
        assert "每日巡检" not in page.text
        assert "水泵房" not in page.text
    excused = await post(centre, stranger, "/inspection/tasks/1/excuse", reason="not mine")
    assert excused.status == 404


async def test_a_hundred_rounds_and_their_points_are_listed_at_once(centre: Centre) -> None:
    manager, _ = await planned(centre)
    now = int(time.time() * 1000)
    async with centre.db.write() as connection:
        rows = [
            {
                "plan_id": 1,
                "site_id": 1,
                "slot": f"s{n}",
                "starts_at": now - n * 1000,
                "ends_at": now + n,
                "state": "done",
            }
            for n in range(120)
        ]
        await connection.execute(schema.inspection_task.insert(), [row | {"created_at": now} for row in rows])
    page = await centre.ask("GET", "/inspection/tasks?page=3", token=manager.token)
    assert page.text.count("data-row") in range(20, 24)
