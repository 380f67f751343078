"""A screen that no longer hears the server says so; these tests stop the server, so they have one of their own."""

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

Visit = Callable[..., Any]


def test_silence_is_said_within_15_seconds_and_taken_back_when_news_comes(
    visit: Visit, house: Any, server: Any
) -> None:
    visitor = visit()
    page = visitor.page
    banner = page.locator("#stream-banner")
    house.gateway.read("em-102", "powerTotal", "W", "501")
    expect(page.locator("#overview-devices tr", has_text="1-102 电表").locator(".live").nth(1)).to_have_text("501")
    expect(banner).to_be_hidden()
    server.stop()
    stopped = time.monotonic()
    expect(banner).to_be_visible(timeout=15_000)
    assert time.monotonic() - stopped <= 15
    expect(banner).to_contain_text("没有收到服务器的消息")
    expect(banner).to_contain_text("网关仍在抄读")
    visitor.photograph("silence-1440-zh-light")
    server.start()
    house.gateway.read("em-102", "powerTotal", "W", "777")
    expect(banner).to_be_hidden(timeout=12_000)
    expect(page.locator("#overview-devices tr", has_text="1-102 电表").locator(".live").nth(1)).to_have_text("777")


def test_whoever_is_signed_out_elsewhere_is_told_by_the_open_page(visit: Visit, house: Any) -> None:
    visitor = visit()
    page = visitor.page
    expect(page.locator("#overview-devices")).to_be_visible()
    house.call(_end_sessions(house.db))
    banner = page.locator("#stream-banner")
    expect(banner.get_by_text("登录已失效")).to_be_visible(timeout=17_000)
    expect(page.locator("#overview-devices")).to_be_visible()
    banner.get_by_role("link").click()
    expect(page.locator("#login")).to_be_visible()


async def _end_sessions(db: Any) -> None:
    async with db.write() as conn:
        await conn.exec_driver_sql("UPDATE session SET ended_at = 1")
