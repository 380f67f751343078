"""The office lets a place and charges its fee on pages that say beside the field what is wrong."""

import re

import pytest

from central_server.crypto import blind
from central_server.parking.views import routes
from central_server.rbac import Right, Role
from tests.central_server.conftest import Centre
from tests.central_server.neighbours import Neighbours, add, move_in
from tests.central_server.portal.test_views import Phone, phone


@pytest.fixture
async def neighbours(centre: Centre) -> Neighbours:
    return await move_in(centre.db)


@pytest.fixture
async def clerk(centre: Centre, neighbours: Neighbours) -> Phone:
    return await phone(centre, "clerk", Role.CLERK, site_id=1)


async def a_place(clerk: Phone, code: str = "B1-023") -> str:
    """Add a place; give its page's path."""
    answer = await clerk.post("/parking/new", code=code, kind="fixed", spaces="1", price="300", price_from="2025-01")
    assert answer.status == 303, answer.text
    return str(answer.headers["Location"])


async def test_a_place_is_added_let_and_charged_and_its_page_says_so(clerk: Phone) -> None:
    assert "还没有车位" in await clerk.page("/parking")
    path = await a_place(clerk)
    answer = await clerk.post(f"{path}/leases", unit="1-101", person="王芳", from_period="2025-09")
    assert answer.status == 303, answer.text
    assert "计收 1 笔费用" in await clerk.page("/parking/fees?period=2025-10")
    assert (await clerk.post("/parking/fees", period="2025-10")).status == 303
    assert "已全部计收" in await clerk.page("/parking/fees?period=2025-10")
    text = await clerk.page(path)
    for said in ("1-101", "王芳", "2025年10月", "等待出账"):
        assert said in text, said
    far = await clerk.post("/parking/fees", period="2098-01")
    assert (far.status, "最多计收到下个月" in far.text) == (422, True)
    assert "1-101" in await clerk.page("/parking?q=1-101&state=let")
    assert "没有符合的车位" in await clerk.page("/parking?state=free")


async def test_a_wrong_lease_is_said_beside_its_field_and_what_was_typed_stays(clerk: Phone) -> None:
    path = await a_place(clerk)
    answer = await clerk.post(f"{path}/leases", unit="<9>", from_period="2025-09")
    assert answer.status == 422
    assert "本小区没有房屋 &lt;9&gt;" in answer.text
    assert 'value="&lt;9&gt;"' in answer.text
    assert len(re.findall('aria-invalid="true"', answer.text)) == 1
    answer = await clerk.post("/parking/new", code="B1-023", kind="boat", price="3.005", price_from="2025-13")
    assert {name for name in ("kind", "price", "price_from") if f'href="#f-{name}"' in answer.text} == {
        "kind",
        "price",
        "price_from",
    }
    answer = await clerk.post("/parking/new", code="B1-023", kind="fixed", price="300", price_from="2025-01")
    assert "本小区已有车位 B1-023" in answer.text


async def test_a_guard_finds_whose_car_it_is_and_changes_nothing(
    centre: Centre, clerk: Phone, neighbours: Neighbours
) -> None:
    path = await a_place(clerk)
    await clerk.post(f"{path}/leases", unit="1-101", from_period="2025-01")
    from_records = {"person_id": neighbours.wang, "unit_id": neighbours.unit_101, "kind": "car", "created_at": 0}
    async with centre.db.read() as connection:
        index = blind(connection, "京A12345", "plate")
    await add(centre.db, "vehicle", **from_records, plate="京A12345", plate_index=index)
    guard = await phone(centre, "gate", Role.GUARD, site_id=1)
    text = await guard.page("/parking?q=京a12345")
    for said in ("京A12345", "1-101", "王*", "B1-023"):
        assert said in text, said
    assert "王芳" not in text
    assert (await guard.post(f"{path}/leases", unit="1-101", from_period="2025-01")).status == 403
    stranger = await phone(centre, "far", Role.GUARD, site_id=neighbours.hill)
    assert "1-101" not in await stranger.page("/parking?q=京A12345")
    await stranger.page(path, status=404)


def test_what_changes_something_asks_for_the_right_to_it() -> None:
    assert {route.policy for route in routes() if route.method == "POST"} == {Right.PARKING_EDIT}
