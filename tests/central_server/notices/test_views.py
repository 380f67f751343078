"""The office writes a notice, looks at it, publishes it, and sees it read."""

import pytest

from central_server.notices.views import routes
from central_server.rbac import Right, Role
from tests.central_server.conftest import Centre
from tests.central_server.neighbours import Neighbours, move_in
from tests.central_server.portal.test_views import phone


@pytest.fixture
async def neighbours(centre: Centre) -> Neighbours:
    return await move_in(centre.db)


async def test_a_notice_goes_from_the_desk_to_the_phone_and_its_reading_comes_back(
    centre: Centre, neighbours: Neighbours
) -> None:
    manager = await phone(centre, "manager", Role.MANAGER, site_id=1)
    wang = await phone(centre, "wang", person_id=neighbours.wang)
    assert "还没有写过公告" in await manager.page("/notices")
    written = {"title": "周三停水", "body": "请储水。\n\n<script>", "buildings": str(neighbours.building_1)}
    refused = await manager.post("/notices/new", **written, is_emergency="1")
    assert refused.status == 422
    for kept in ("请储水。", "&lt;script&gt;", 'name="is_emergency" value="1" checked', "紧急公告必须有截止日"):
        assert kept in refused.text, kept
    path = (await manager.post("/notices/new", **written)).headers["Location"]
    assert "周三停水" in await manager.page(f"{path}/edit")
    assert "周三停水" not in await wang.page("/home/notices")
    assert (await manager.post(f"{path}/publish", version="1")).status == 303
    assert (await manager.post(f"{path}/publish", version="1")).status == 409
    assert "王芳" in await manager.page(path)
    assert "&lt;script&gt;" in await wang.page(f"/home{path}")
    text = await manager.page(path)
    assert "收到公告的人都已读过" in text
    assert "王芳" not in text
    assert (await manager.post(f"{path}/withdraw", version="2")).status == 303
    await wang.page(f"/home{path}", status=404)


def test_only_who_writes_notices_sees_who_has_read_them() -> None:
    assert {route.policy for route in routes()} == {Right.NOTICES_WRITE}
