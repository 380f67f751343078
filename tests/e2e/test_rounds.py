"""A round walked where there is no reception: nothing is lost, nothing comes twice."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import insert, select

from central_server import auth, schema
from central_server.db import Database
from central_server.inspection import service
from central_server.inspection.entry import ItemEntry, PlanEntry, PointEntry, RouteEntry
from central_server.migrate import migrate
from central_server.rbac import Actor, Role, system
from tests.e2e.conftest import PASSWORD

_KEPT = """caches.open('gatehouse-rounds').then((kept) => kept.keys())
    .then((keys) => keys.filter((key) => /rounds.1.[0-9]+$/.test(key.url)).length)"""
_POINTS = 2


async def _planned(db: Database) -> None:
    await migrate(db)
    async with db.write() as connection:
        await connection.execute(insert(schema.site).values(code="lake", name="湖畔", zone="Asia/Shanghai"))
    await auth.add_account(db, "walker", "王建国", "zh", PASSWORD, Role.INSPECTOR, actor=system("test"))
    manager = Actor("boss", "经理", Role.MANAGER)
    points = []
    for code, name in (("B1-PUMP", "水泵房"), ("B1-POWER", "配电室")):
        made = await service.add_point(db, manager, PointEntry(code=code, name=name))
        entry = ItemEntry(kind="pass", title="无异常", required=True)
        await service.add_item(db, manager, made, entry)
        points.append(made)
    route = await service.add_route(db, manager, RouteEntry(name="地下"), points)
    plan = PlanEntry(route=route, name="地下巡检", from_on="2026-01-01", windows="00:00-24:00")
    await service.add_plan(db, manager, plan)


async def _rows(db: Database, table: Any) -> list[Any]:
    async with db.read() as connection:
        return list((await connection.execute(select(table).order_by(table.c.id))).all())


@pytest.fixture
def phone(server: Any, browser: Browser) -> Iterator[Page]:
    """An inspector's phone, signed in, with the rounds open."""
    server.call(_planned(server.db))
    server.start()
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{server.port}", viewport={"width": 390, "height": 844}, locale="zh-CN"
    )
    page = context.new_page()
    page.goto("/sign-in?next=/rounds")
    page.fill("[name=login]", "walker")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="地下巡检").first).to_be_visible()
    yield page
    context.close()


def wait_for_pages(phone: Page) -> None:
    """Wait until the phone has kept the round's points."""
    until = time.monotonic() + 15
    while phone.evaluate(_KEPT) < _POINTS:
        assert time.monotonic() < until, "the phone keeps no pages"
        phone.wait_for_timeout(100)


def test_a_round_is_walked_without_reception_and_arrives_once(phone: Page, server: Any, tmp_path: Path) -> None:
    wait_for_pages(phone)
    server.stop()
    phone.get_by_role("link", name="地下巡检").first.click()
    waiting = phone.locator("#waiting-checks")
    Image.effect_noise((600, 400), 60).save(tmp_path / "photo.jpg")
    for count, answer in enumerate(("异常", "正常"), 1):
        phone.locator("#next-point").click()
        phone.get_by_label(answer, exact=True).check()
        phone.set_input_files("#f-photos", tmp_path / "photo.jpg")
        phone.get_by_role("button", name="完成，提交").click()
        expect(waiting).to_contain_text(f"{count} 条检查等待发送")
    server.start()
    phone.evaluate("dispatchEvent(new Event('online'))")
    expect(waiting).to_be_hidden(timeout=20_000)
    points = server.call(_rows(server.db, schema.task_point))[:_POINTS]
    assert [point.state for point in points] == ["done", "done"]
    assert all(point.received_at - point.done_at > 0 for point in points)
    assert len(server.call(_rows(server.db, schema.check_answer))) == _POINTS
    assert len(server.call(_rows(server.db, schema.work_order))) == 1
    assert [photo.kind for photo in server.call(_rows(server.db, schema.photo))].count("check") == _POINTS
