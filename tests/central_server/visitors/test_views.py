"""What a resident asks for on the phone stands at the gate at once, and the guard's answer comes back."""

import re

import pytest

from central_server.rbac import Right, Role
from central_server.visitors.views import routes
from tests.central_server.conftest import Centre
from tests.central_server.neighbours import Neighbours, move_in
from tests.central_server.portal.test_views import phone


@pytest.fixture
async def neighbours(centre: Centre) -> Neighbours:
    return await move_in(centre.db)


async def test_a_visitor_goes_from_the_phone_to_the_gate_and_back(centre: Centre, neighbours: Neighbours) -> None:
    wang = await phone(centre, "wang", person_id=neighbours.wang)
    guard = await phone(centre, "gate", Role.GUARD, site_id=1)
    soon = re.search(r'name="comes_at" value="([^"]+)"', await wang.page("/home/visitors/new"))
    assert soon
    fields = {"name": "陈晨", "comes_at": soon[1], "hours": "4", "once": "0123456789abcdef"}
    assert (await wang.post("/home/visitors/new", **fields)).status == 303
    asked = await guard.page("/visitors")
    assert "陈晨" in asked
    assert "王*" in asked
    assert "王芳" not in asked
    path = re.search(r'action="(/visitors/\d+)/approve"', asked)
    assert path
    refused = await guard.post(f"{path[1]}/refuse", version="1", reason="x")
    assert (refused.status, "至少" in refused.text) == (422, True)
    assert (await guard.post(f"{path[1]}/approve", version="1")).status == 303
    assert (await guard.post(f"{path[1]}/approve", version="1")).status == 409
    assert "可以来访" in await wang.page("/home/visitors")
    assert (await wang.post(f"/home{path[1]}/cancel", version="2")).status == 303
    assert "陈晨" not in re.sub(r'(?s)<section class="card" id="over".*', "", await guard.page("/visitors"))


async def test_who_only_looks_sees_neither_names_nor_buttons(centre: Centre, neighbours: Neighbours) -> None:
    wang = await phone(centre, "wang", person_id=neighbours.wang)
    auditor = await phone(centre, "auditor", Role.AUDITOR)
    soon = re.search(r'name="comes_at" value="([^"]+)"', await wang.page("/home/visitors/new"))
    assert soon
    await wang.post("/home/visitors/new", name="陈晨", comes_at=soon[1], hours="4", once="0123456789abcdef")
    text = await auditor.page("/visitors")
    assert "陈*" in text
    assert "陈晨" not in text
    assert "/approve" not in text


def test_only_the_guard_decides() -> None:
    rights = {route.method: route.policy for route in routes() if not route.path.endswith("refuse")}
    assert rights == {"GET": Right.VISITORS_SEE, "POST": Right.VISITORS_DECIDE}
