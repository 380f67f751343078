"""Over HTTP: what residents, the desk and technicians meet."""

import asyncio
import io
import re
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from PIL import Image

from central_server import auth
from central_server.rbac import Role
from central_server.workorders import service
from central_server.workorders.model import State, Step
from tests.central_server.conftest import Centre
from tests.central_server.workorders.conftest import Estate, once

TITLE = "厨房水槽下漏水"


@dataclass
class Browser:
    """Somebody signed in, who follows what forms say."""

    centre: Centre
    session: auth.Session
    csrf: str

    async def get(self, path: str, status: int = 200) -> str:
        answer = await self.centre.ask("GET", path, token=self.session.token)
        assert answer.status == status, answer.text
        return answer.text

    async def post(self, path: str, files: tuple[bytes, ...] = (), **fields: Any) -> tuple[int, str, str]:
        """Give the status, the address one is sent to, and the page."""
        form = aiohttp.FormData({"csrf": self.csrf} | {name: str(value) for name, value in fields.items()})
        for at, body in enumerate(files):
            form.add_field("photos", body, filename=f"{at}.jpg", content_type="image/jpeg")
        answer = await self.centre.ask("POST", path, token=self.session.token, data=form)
        return answer.status, answer.headers.get("Location", ""), answer.text


async def browser(centre: Centre, login: str, role: Role, person_id: int | None = None) -> Browser:
    session = await centre.signed_in(login, role, person_id=person_id)
    view = await auth.session_for(centre.db, session.token)
    assert view is not None
    return Browser(centre, session, view.csrf)


def photo() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (320, 240), "steelblue").save(made, "JPEG")
    return made.getvalue()


def version(page: str) -> str:
    found = re.search(r'name="version" value="(\d+)"', page)
    assert found
    return found[1]


@pytest.fixture
async def resident(centre: Centre, estate: Estate) -> Browser:
    return await browser(centre, "resident-1", Role.RESIDENT, estate.owner.person_id)


@pytest.fixture
async def desk(centre: Centre, estate: Estate) -> Browser:
    return await browser(centre, "desk-9", Role.MANAGER)


@pytest.fixture
async def technician(centre: Centre, estate: Estate) -> Browser:
    return await browser(centre, "worker-1", Role.TECHNICIAN)


async def report(resident: Browser, **more: Any) -> str:
    fields = {"title": TITLE, "category": "water", "once": once()} | more
    status, where, page = await resident.post("/home/faults/new", **fields)
    assert status == 303, page
    return where


async def test_a_leak_goes_from_the_residents_photo_to_their_stars(
    resident: Browser, desk: Browser, technician: Browser
) -> None:
    status, mine, page = await resident.post(
        "/home/faults/new", (photo(),), title=TITLE, category="water", place="厨房", once=once()
    )
    assert status == 303, page
    order_id = mine.rpartition("/")[2]
    assert "/photos/" in await resident.get(mine)

    assert TITLE in await desk.get("/orders")
    board = await desk.get("/orders?view=board")
    lead = re.search(r'data-drop="(\d+)">(?:(?!</span>).)*worker-1|data-drop="(\d+)"', board)
    assert lead
    moved = await desk.post(f"/orders/{order_id}/move", version=1, to="pool")
    assert moved[:2] == (303, "/orders?view=board")

    assert TITLE in await technician.get("/my-orders")
    for step in ("grab", "depart", "arrive", "start"):
        seen = version(await technician.get(f"/my-orders/{order_id}"))
        status, where, page = await technician.post(f"/my-orders/{order_id}/{step}", version=seen)
        assert (status, where) == (303, f"/my-orders/{order_id}"), page
    assert "/photos/" in await technician.get(f"/my-orders/{order_id}")
    seen = version(await technician.get(f"/my-orders/{order_id}?do=finish"))
    status, _, page = await technician.post(
        f"/my-orders/{order_id}/finish", (photo(),), version=seen, note="换了角阀", minutes=40, fee="146.50"
    )
    assert status == 303, page

    page = await resident.get(mine)
    assert "146.50" in page
    assert page.count("<img src=") == 2
    assert (await resident.post(f"{mine}/confirm", version=version(page)))[0] == 303
    assert (await resident.post(f"{mine}/rate", stars=5, note="很快"))[0] == 303
    assert "5 / 5" in await desk.get(f"/orders/{order_id}")


async def test_of_fifty_who_press_take_at_once_one_has_the_order(estate: Estate, centre: Centre, desk: Browser) -> None:
    order = await estate.order()
    await service.dispatch(estate.db, estate.desk, order.id, Step.POOL, order.facts.version)
    workers = [await browser(centre, f"worker-{at}", Role.TECHNICIAN) for at in range(5)]
    presses = [worker.post(f"/my-orders/{order.id}/grab", version=3) for worker in workers for _ in range(10)]
    answers = await asyncio.gather(*presses)
    assert sorted(status for status, _, _ in answers) == [303] + [409] * 49
    after = await estate.now(order)
    assert after.facts.state is State.ACCEPTED
    assert after.lead is not None
    assert all("手快一步" in page for status, _, page in answers if status == 409)


async def test_a_form_with_faults_comes_back_with_them_beside_the_fields_and_nothing_lost(resident: Browser) -> None:
    status, _, page = await resident.post("/home/faults/new", title="x", place="厨房", phone="abc", once=once())
    assert status == 422
    assert page.count("wrong") >= 3
    assert 'value="厨房"' in page
    status, _, page = await resident.post(
        "/home/faults/new", (b"not a photo",), title=TITLE, category="water", once=once()
    )
    assert (status, "0.jpg" in page) == (422, True)


async def test_a_form_sent_twice_makes_one_order(resident: Browser) -> None:
    key = once()
    assert await report(resident, once=key) == await report(resident, once=key)


async def test_who_reports_the_same_a_third_time_is_led_to_the_report(resident: Browser) -> None:
    for _ in range(2):
        await report(resident)
    status, _, page = await resident.post("/home/faults/new", title=TITLE, category="water", once=once())
    assert (status, "催办" in page) == (422, True)


async def test_an_eleventh_report_of_a_day_is_for_the_telephone(resident: Browser) -> None:
    for at in range(10):
        await report(resident, title=f"第 {at} 处")
    assert (await resident.post("/home/faults/new", title="再一处", category="door", once=once()))[0] == 422


async def test_nobody_sees_or_touches_the_report_of_a_neighbour(
    centre: Centre, estate: Estate, resident: Browser
) -> None:
    mine = await report(resident)
    neighbour = await browser(centre, "neighbour-1", Role.RESIDENT, estate.neighbour.person_id)
    await neighbour.get(mine, 404)
    assert (await neighbour.post(f"{mine}/cancel", version=1))[0] == 404
    assert TITLE not in await neighbour.get("/home/faults")


async def test_the_staff_of_another_site_do_not_find_an_order(
    centre: Centre, estate: Estate, resident: Browser
) -> None:
    order_id = (await report(resident)).rpartition("/")[2]
    async with centre.db.write() as connection:
        from sqlalchemy import insert

        from central_server.schema import site

        await connection.execute(insert(site).values(code="hill", name="山下", zone="Asia/Shanghai"))
    session = await centre.signed_in("far", Role.MANAGER, site_id=2)
    view = await auth.session_for(centre.db, session.token)
    assert view is not None
    far = Browser(centre, session, view.csrf)
    await far.get(f"/orders/{order_id}", 404)
    assert TITLE not in await far.get("/orders")
    assert (await far.post(f"/orders/{order_id}/move", version=1, to="pool"))[0] == 404


async def test_who_moves_a_card_that_somebody_else_has_moved_is_told(desk: Browser, resident: Browser) -> None:
    order_id = (await report(resident)).rpartition("/")[2]
    assert (await desk.post(f"/orders/{order_id}/move", version=1, to="pool"))[0] == 303
    status, _, page = await desk.post(f"/orders/{order_id}/move", version=1, to="pool")
    assert (status, "其他人" in page) == (409, True)


async def test_the_desk_writes_a_call_down_and_the_caller_finds_it_at_home(desk: Browser, resident: Browser) -> None:
    status, where, page = await desk.post(
        "/orders/new",
        title="门铃不响",
        where="b1",
        unit="1-101",
        category="door",
        urgency="urgent",
        name="业主1",
        phone="138 0000 1231",
        once=once(),
    )
    assert status == 303, page
    assert "门铃不响" in await resident.get("/home/faults")
    assert "门铃不响" in await desk.get("/orders?q=13800001231")
    assert "门铃不响" in await desk.get("/orders?q=" + where.rpartition("/")[2])
    assert "门铃不响" not in await desk.get("/orders?q=13800001232")


async def test_who_sees_no_orders_can_still_report_and_is_told_the_number(centre: Centre, estate: Estate) -> None:
    guard = await browser(centre, "guard-1", Role.GUARD)
    status, where, _ = await guard.post(
        "/orders/new", title="大门灯不亮", where="s1", category="power", urgency="normal", once=once()
    )
    assert status == 303
    assert "W-" in await guard.get(where)


async def test_a_contact_is_masked_for_whoever_calls_nobody(
    centre: Centre, estate: Estate, desk: Browser, resident: Browser
) -> None:
    order_id = (await report(resident, phone="13800001231")).rpartition("/")[2]
    auditor = await browser(centre, "auditor-1", Role.AUDITOR)
    assert "13800001231" in await desk.get(f"/orders/{order_id}")
    assert "13800001231" not in await auditor.get(f"/orders/{order_id}")
