"""The clerk's pages: what is shown, what is refused beside the field, and what happened in the end."""

import re
from dataclasses import dataclass
from typing import Any

import pytest

from central_server.billing.charge import add_charge
from central_server.billing.views import routes
from central_server.rbac import Right, Role
from central_server.schema import building, metering_point, site, unit


@dataclass
class Browser:
    """Somebody signed in."""

    centre: Any
    token: str
    csrf: str

    async def get(self, path: str) -> Any:
        return await self.centre.ask("GET", path, token=self.token)

    async def post(self, path: str, **fields: str) -> Any:
        return await self.centre.ask("POST", path, token=self.token, data={"csrf": self.csrf} | fields)


async def browser(centre: Any, login: str, role: Role, **more: Any) -> Browser:
    session = await centre.signed_in(login, role=role, **more)
    return Browser(centre, session.token, session.view.csrf)


@pytest.fixture
async def clerk(centre: Any) -> Browser:
    """A clerk of a site with unit 1-101, which owes a repair of October."""
    async with centre.db.write() as connection:
        await connection.execute(building.insert().values(site_id=1, code="1", name="1号楼"))
        await connection.execute(unit.insert().values(building_id=1, code="1-101"))
        await add_charge(
            connection,
            key="order:7",
            site_id=1,
            unit_id=1,
            kind="repair",
            description={"key": "repair", "order": "7"},
            amount_fen=8000,
            period="2026-10",
            trace={"steps": [{"key": "labour", "amount_fen": 5000}, {"key": "fee", "amount_fen": 3000}]},
        )
    return await browser(centre, "clerk-1", Role.CLERK)


def hidden(text: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    assert found, text
    return found[1]


async def issued(clerk: Browser) -> str:
    """Issue October as a clerk does and give the number of its bill."""
    looked = await clerk.get("/bills/run?period=2026-10&site=")
    assert "¥ 80.00" in looked.text
    done = await clerk.post("/bills/run", period="2026-10", site="", expect=hidden(looked.text, "expect"))
    assert (done.status, done.headers["Location"]) == (303, "/bills?period=2026-10")
    return str((await clerk.centre.rows("bill"))[0].number)


async def test_a_month_is_looked_at_and_then_issued_exactly_so(clerk: Browser) -> None:
    number = await issued(clerk)
    assert number in (await clerk.get("/bills?period=2026-10")).text
    assert "没有要出的账单" in (await clerk.get("/bills/run?period=2026-10")).text


async def test_what_is_left_out_is_named_with_its_reason_in_the_readers_language(clerk: Browser) -> None:
    point = {"unit_id": 1, "code": "1-101-E", "kind": "electricity", "tariff": "flat-electricity"}
    async with clerk.centre.db.write() as connection:
        await connection.execute(metering_point.insert().values(**point))
    text = (await clerk.get("/bills/run?period=2026-10")).text
    assert "1-101-E" in text
    assert "没有装表，请在档案中登记装表" in text


def test_every_page_of_the_clerk_names_a_right() -> None:
    assert {type(route.policy) for route in routes()} == {Right}


async def test_what_has_changed_since_it_was_looked_at_is_not_issued(clerk: Browser) -> None:
    refused = await clerk.post("/bills/run", period="2026-10", site="", expect="0" * 64)
    assert (refused.status, "请再看一遍" in refused.text) == (422, True)
    assert await clerk.centre.rows("bill") == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("period=soon", "n-period"),
        ("period=2099-01", "湖畔 的这个月还没有结束"),
        ("period=2026-10&site=sea", "请从列表中选择"),
    ],
)
async def test_a_month_that_cannot_be_billed_says_so_beside_the_field(clerk: Browser, query: str, said: str) -> None:
    answer = await clerk.get(f"/bills/run?{query}")
    assert answer.status == 422
    assert said in answer.text


async def test_money_is_taken_receipted_and_given_back(clerk: Browser) -> None:
    number = await issued(clerk)
    form = await clerk.get(f"/bills/{number}/pay")
    assert 'value="80.00"' in form.text
    once = hidden(form.text, "once")
    paid = await clerk.post(f"/bills/{number}/pay", amount="50.00", method="wechat", once=once)
    assert paid.status == 303
    receipt = await clerk.get(paid.headers["Location"])
    assert "¥ 50.00" in receipt.text
    assert "¥ 30.00" in receipt.text
    again = await clerk.post(f"/bills/{number}/pay", amount="50.00", method="wechat", once=once)
    assert again.headers["Location"] == paid.headers["Location"]
    back = await clerk.post(f"{paid.headers['Location']}/reverse", reason="收错了房号")
    assert "收错了房号" in (await clerk.get(back.headers["Location"])).text
    assert [row.amount_fen for row in await clerk.centre.rows("payment")] == [5000, -5000]
    day = (await clerk.get("/payments")).text
    assert "¥ 0.00" in day


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("80.01", "最多欠 ¥ 80.00"),
        ("0", "0"),
        ("1.005", "2"),
        ("lots", "12.50"),
        ("", "请填写"),
        ("NaN", "不能"),
        ("1e9", "10000000"),
    ],
)
async def test_an_amount_that_cannot_be_taken_is_refused_beside_the_field_and_kept(
    clerk: Browser, amount: str, said: str
) -> None:
    number = await issued(clerk)
    refused = await clerk.post(f"/bills/{number}/pay", amount=amount, method="card", once="form-0001")
    assert refused.status == 422
    note = re.search(r'id="n-amount">(.*?)</div>', refused.text)
    assert note
    assert said in note[1]
    assert f'name="amount" value="{amount}"' in refused.text
    assert '<option value="card" selected>' in refused.text
    assert await clerk.centre.rows("payment") == []


async def test_giving_money_back_wants_a_reason(clerk: Browser) -> None:
    number = await issued(clerk)
    paid = await clerk.post(f"/bills/{number}/pay", amount="80.00", method="cash", once="form-0001")
    refused = await clerk.post(f"{paid.headers['Location']}/reverse", reason="")
    assert (refused.status, "n-reason" in refused.text) == (422, True)


async def test_a_bill_is_found_by_what_the_payer_says(clerk: Browser) -> None:
    number = await issued(clerk)
    for search in ("2610-0001-2", "2610 0001 2", number, "1-101"):
        assert f"/bills/{number}/pay" in (await clerk.get(f"/payments?q={search}")).text, search
    assert f"/bills/{number}/pay" not in (await clerk.get("/payments?q=2610-0001-3")).text


async def test_the_bill_says_why_a_repair_costs_what_it_does(clerk: Browser) -> None:
    text = (await clerk.get(f"/bills/{await issued(clerk)}")).text
    for said in ("维修，工单 7", "人工", "50.00", "30.00", "order:7", "2610-0001-2"):
        assert said in text


async def test_a_manager_reads_and_takes_nothing(clerk: Browser) -> None:
    number = await issued(clerk)
    manager = await browser(clerk.centre, "manager-1", Role.MANAGER)
    assert (await manager.get("/payments")).status == 200
    assert "/pay" not in (await manager.get(f"/bills/{number}")).text.replace("/payments", "")
    refused = await manager.post(f"/bills/{number}/pay", amount="1", method="cash", once="form-0001")
    assert refused.status == 403


async def test_a_clerk_of_another_site_finds_nothing(clerk: Browser) -> None:
    number = await issued(clerk)
    async with clerk.centre.db.write() as connection:
        await connection.execute(site.insert().values(code="hill", name="山上", zone="Asia/Shanghai"))
    other = await browser(clerk.centre, "clerk-2", Role.CLERK, site_id=2)
    assert number not in (await other.get("/bills")).text
    for path in (f"/bills/{number}", f"/bills/{number}/pay"):
        assert (await other.get(path)).status == 404
