"""One leak from its report to its rating, by five people in their own browsers."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, expect
from sqlalchemy import select

from central_server import auth
from central_server.admin import codes
from central_server.billing.period import parse_period
from central_server.billing.service import run_bills
from central_server.billing.tariff import load_tariffs
from central_server.rbac import Actor, Role, system
from central_server.schema import account, person
from tests.e2e.conftest import OWNERS, PASSWORD, ZONE, now_ms

Visit = Callable[..., Any]
UNIT = next(iter(OWNERS))


def photo(path: Path) -> Path:
    file = io.BytesIO()
    Image.effect_noise((900, 700), 60).convert("RGB").save(file, "JPEG")
    path.write_bytes(file.getvalue())
    return path


async def _person(db: Any) -> int:
    async with db.read() as connection:
        found: int = await connection.scalar(select(person.c.id).where(person.c.code == f"o-{UNIT}"))
    return found


def resident(visit: Visit, house: Any, clerk: Actor, **more: Any) -> Page:
    """Sign the owner of a unit in by a code that the desk has handed over."""
    today = datetime.now(ZONE).date().isoformat()
    handed = house.call(codes.hand_over_code(house.db, clerk, house.call(_person(house.db)), today))
    page: Page = visit(390, signed_in=False, **more).open("/sign-in/code")
    page.fill("#who", handed.login)
    page.fill("#code", handed.code)
    page.click("button.primary")
    page.wait_for_url("**/home")
    return page


def colleague(visit: Visit, house: Any, login: str, width: int, **more: Any) -> Page:
    page: Page = visit(width, signed_in=False, **more).open("/sign-in")
    page.fill("#login", login)
    page.fill("#password", PASSWORD)
    page.click("button.primary")
    page.wait_for_url(lambda url: not url.endswith("/sign-in"))
    return page


def hire(house: Any, login: str, name: str, role: Role, language: str = "zh") -> Actor:
    key = house.call(auth.add_account(house.db, login, name, language, PASSWORD, role, actor=system("test")))
    return Actor(login, name, role, key)


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_a_leak_is_reported_repaired_billed_and_rated(visit: Visit, house: Any, tmp_path: Path) -> None:
    clerk = hire(house, "clerk-1", "林晓", Role.CLERK)
    hire(house, "desk-2", "调度 何平", Role.CONTROL_ROOM, "en")
    tech = hire(house, "tech-1", "维修 郭强", Role.TECHNICIAN)

    home = resident(visit, house, clerk)
    home.goto(f"{house.url}/home/faults/new")
    home.fill("#f-title", "厨房水槽下漏水")
    home.click("form.form button.primary")
    expect(home.locator("#problems")).to_be_visible()
    expect(home.locator("#f-title")).to_have_value("厨房水槽下漏水")
    home.select_option("#f-category", "water")
    home.set_input_files("#f-photos", photo(tmp_path / "leak.jpg"))
    home.click("form.form button.primary")
    expect(home.locator("h1")).to_have_text("厨房水槽下漏水")
    expect(home.locator(".photos img")).to_have_count(1)
    fault = home.url.split("?")[0]
    assert fits(home)

    desk = colleague(visit, house, "desk-2", 1440, language="en-GB")
    desk.goto(f"{house.url}/orders?view=board")
    card = desk.locator("article.card", has_text="厨房水槽下漏水")
    card.get_by_role("link", name="厨房水槽下漏水").click()
    expect(desk.locator(".photos img").first).to_have_js_property("complete", True)
    assert desk.locator(".photos img").first.evaluate("picture => picture.naturalWidth") > 0
    number = fault.rsplit("/", 1)[1]
    desk.goto(f"{house.url}/orders/{number}?do=triage")
    desk.locator("form.form button.primary").click()
    desk.goto(f"{house.url}/orders/{number}?do=assign")
    desk.select_option("#f-lead", str(tech.account_id))
    desk.locator("form.form button.primary").click()
    expect(desk.locator("#order-facts")).to_contain_text("郭强")

    phone = colleague(visit, house, "tech-1", 390)
    phone.goto(f"{house.url}/my-orders")
    phone.get_by_text("厨房水槽下漏水").click()
    for word in ("接单", "出发", "已到现场", "开始维修", "完成维修"):
        button = phone.locator("#next-step .primary")
        expect(button).to_have_text(word)
        assert fits(phone)
        button.click()
    phone.fill("#f-minutes", "40")
    phone.fill("#f-fee", "35.00")
    phone.fill("#f-note", "更换角阀")
    phone.set_input_files("#f-photos", photo(tmp_path / "done.jpg"))
    phone.locator("form.form button.primary").click()
    expect(phone.locator("#next-step")).to_be_visible()

    period = parse_period(f"{datetime.now(ZONE):%Y-%m}")
    through = now_ms()
    house.call(run_bills(house.db, period, tariffs=load_tariffs(), now=datetime.now(UTC), through=through, actor=clerk))
    desk_of_money = colleague(visit, house, "clerk-1", 1440)
    desk_of_money.goto(f"{house.url}/bills?q={UNIT}&period={datetime.now(ZONE):%Y-%m}")
    desk_of_money.locator("a.name", has_text=UNIT).first.click()
    expect(desk_of_money.locator("main")).to_contain_text("35.00")

    home.goto(f"{house.url}/home/bills")
    home.locator("a.row").first.click()
    line = home.locator("details.bill-line", has_text="35.00")
    line.locator("summary").click()
    expect(line.locator(".steps")).to_be_visible()
    assert fits(home)
    home.goto(fault)
    expect(home.locator(".photos img")).to_have_count(2)
    home.locator("#last-word button.primary").click()
    home.select_option("#f-stars", "5")
    home.get_by_role("button", name="提交评价").click()
    expect(home.locator("main")).to_contain_text("5")

    desk.goto(f"{house.url}/orders/{number}")
    expect(desk.locator("#order-facts")).to_contain_text("5 / 5")


def test_nobody_of_these_sees_what_is_not_theirs(visit: Visit, house: Any) -> None:
    async def everybody() -> set[str]:
        async with house.db.read() as connection:
            return {row.login for row in await connection.execute(select(account.c.login))}

    assert "tech-1" in house.call(everybody()), "the story before this one"
    phone = colleague(visit, house, "tech-1", 390)
    for path in ("/bills", "/records", "/accounts", "/orders", "/home"):
        answer = phone.goto(house.url + path)
        assert answer is not None
        assert answer.status == 403, path
        expect(phone.locator("main")).to_contain_text("没有此项权限")
