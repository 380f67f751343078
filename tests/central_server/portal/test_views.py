"""A resident's phone shows their own things, and never a neighbour's."""

from dataclasses import dataclass
from typing import Any

import pytest

from central_server.billing.canonical import canonical_json
from central_server.notices import service as notices
from central_server.notices.model import Draft
from central_server.portal.views import routes
from central_server.rbac import Right, Role
from tests.central_server.conftest import Centre
from tests.central_server.neighbours import Neighbours, add, move_in, staff

OCTOBER, NOVEMBER = 1_790_784_000_000, 1_793_462_400_000  # the first of each, at midnight in Shanghai


@dataclass
class Phone:
    """Somebody at a browser."""

    centre: Centre
    token: str
    csrf: str

    async def page(self, path: str, status: int = 200) -> str:
        answer = await self.centre.ask("GET", path, token=self.token)
        assert answer.status == status, answer.text
        return answer.text

    async def post(self, path: str, **fields: str) -> Any:
        return await self.centre.ask("POST", path, token=self.token, data={"csrf": self.csrf, **fields})


async def phone(centre: Centre, login: str, role: Role = Role.RESIDENT, **more: Any) -> Phone:
    session = await centre.signed_in(login, role, **more)
    return Phone(centre, session.token, session.view.csrf)


@pytest.fixture
async def neighbours(centre: Centre) -> Neighbours:
    return await move_in(centre.db)


async def a_bill(centre: Centre, unit_id: int, number: str, fen: int = 30_050, from_at: int = OCTOBER) -> None:
    """Write a bill of one parking fee."""
    run = {"site_id": 1, "period": "2026-10", "through_at": NOVEMBER, "created_at": NOVEMBER, "created_by": "finance"}
    run_id = await add(centre.db, "bill_run", **run, input_hash="a" * 64, output_hash="b" * 64, totals="{}")
    times = {"from_at": from_at, "through_at": from_at + 31 * 86_400_000, "due_on": "2026-11-20", "issued_at": NOVEMBER}
    bill = {"run_id": run_id, "unit_id": unit_id, "number": number, "period": "2026-10", "owner_name": "王芳"}
    bill_id = await add(centre.db, "bill", **bill, **times, total_fen=fen)
    step = {"key": "monthly_price", "since": "2026-01", "amount_fen": fen}
    trace = {"description": {"key": "parking", "place": "B1-023"}, "period": "2026-10", "evidence": {"steps": [step]}}
    line = {"bill_id": bill_id, "position": 1, "description_key": "parking", "kind": "parking", "quantity": "1"}
    source = {"source_key": f"parking:{number}:2026-10", "trace": canonical_json(trace)}
    await add(centre.db, "bill_line", **line, **source, unit="", unit_price=None, amount_fen=fen)


async def test_the_home_page_says_what_is_due_what_is_new_and_who_comes(centre: Centre, neighbours: Neighbours) -> None:
    await a_bill(centre, neighbours.unit_101, "B-2026-10-0001")
    manager = staff(Role.MANAGER, 1)
    key = await notices.draft(centre.db, manager, Draft(title="周三停水", body="请提前储水。"))
    await notices.publish(centre.db, manager, key, 1)
    wang = await phone(centre, "wang", person_id=neighbours.wang)
    text = await wang.page("/home")
    for said in ("300.50", "2610-0001-", "周三停水", "1 条未读", "没有登记访客"):
        assert said in text, said
    assert "请提前储水" in await wang.page(f"/home/notices/{key}")
    assert "未读" not in await wang.page("/home")
    await wang.post("/home/visitors/new", name="陈晨", comes_at="2026-11-30T18:00", hours="4", once="0123456789abcdef")


async def test_a_bill_shows_why_and_what_to_say_at_the_counter(centre: Centre, neighbours: Neighbours) -> None:
    await a_bill(centre, neighbours.unit_101, "B-2026-10-0001")
    text = await (await phone(centre, "wang", person_id=neighbours.wang)).page("/home/bills/B-2026-10-0001")
    for said in ("B1-023", "300.50", "2026-01", "2610-0001-"):
        assert said in text, said


async def test_a_neighbours_bill_and_one_from_before_ones_time_are_not_there(
    centre: Centre, neighbours: Neighbours
) -> None:
    await a_bill(centre, neighbours.unit_101, "B-2026-10-0001")
    await a_bill(centre, neighbours.unit_101, "B-2019-10-0001", from_at=0)  # before Wang bought the unit
    wang = await phone(centre, "wang", person_id=neighbours.wang)
    li = await phone(centre, "li", person_id=neighbours.li)
    assert "B-2026-10-0001" in await wang.page("/home/bills")
    await li.page("/home/bills/B-2026-10-0001", status=404)
    await wang.page("/home/bills/B-2019-10-0001", status=404)
    assert "B-2026" not in await li.page("/home/bills")


async def test_a_tenant_reads_a_bill_without_the_owners_name(centre: Centre, neighbours: Neighbours) -> None:
    await a_bill(centre, neighbours.unit_201, "B-2026-10-0002")
    text = await (await phone(centre, "li", person_id=neighbours.li)).page("/home/bills/B-2026-10-0002")
    assert "2-201" in text
    assert "王芳" not in text


async def test_a_form_keeps_what_was_typed_and_says_what_is_wrong_beside_it(
    centre: Centre, neighbours: Neighbours
) -> None:
    wang = await phone(centre, "wang", person_id=neighbours.wang)
    fields = {"name": "<b>陈晨</b>", "comes_at": "2020-01-01T10:00", "phone": "abc", "hours": "4", "once": "1" * 16}
    answer = await wang.post("/home/visitors/new", **fields)
    assert answer.status == 422
    assert "&lt;b&gt;陈晨&lt;/b&gt;" in answer.text
    assert 'id="n-phone"' in answer.text
    answer = await wang.post("/home/visitors/new", **(fields | {"phone": "13800138000"}))
    assert "这个时间已过" in answer.text


async def test_what_is_known_of_me_can_be_read_taken_along_and_agreed_to(
    centre: Centre, neighbours: Neighbours
) -> None:
    wang = await phone(centre, "wang", person_id=neighbours.wang)
    assert "您的信息如何使用" in await wang.page("/home")
    for _ in range(2):
        assert (await wang.post("/home/me/agree", agree="1")).status == 303
    assert len(await centre.rows("consent")) == 1
    assert "您的信息如何使用" not in await wang.page("/home")
    answer = await centre.ask("GET", "/home/me.json", token=wang.token)
    assert (answer.json["name"], answer.json["units"][0]["unit"]) == ("王芳", "1-101")
    await wang.post("/home/me/agree", agree="0")
    assert "您的信息如何使用" in await wang.page("/home")


async def test_an_account_of_nobody_gets_a_page_that_says_so(centre: Centre, neighbours: Neighbours) -> None:
    nobody = await phone(centre, "nobody")
    assert "档案中没有您的房屋" in await nobody.page("/home")
    for path in ("/home/bills", "/home/notices", "/home/visitors", "/home/visitors/new"):
        await nobody.page(path)
    await nobody.page("/home/me", status=404)


def test_every_one_of_these_pages_is_for_residents_only() -> None:
    assert {route.policy for route in routes()} == {Right.HOME}
