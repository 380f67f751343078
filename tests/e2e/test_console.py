"""A guard's work in a real browser: a lift alarm by keyboard and by ear, the doors, the lifts."""

from collections.abc import Callable
from typing import Any, Literal

import pytest
from playwright.sync_api import expect

from protocols.access import DECISION
from protocols.sync import Event, Lane
from tests.e2e.conftest import now_ms
from tests.e2e.test_pages import AXE

Visit = Callable[..., Any]


def entrap(house: Any, state: str, raised_at: int) -> None:
    subject, condition = "device:lift-a", "lift_entrapment"
    body = {
        "alarm_id": f"gw-1/{subject}/{condition}/{raised_at}",
        "condition": condition,
        "state": state,
        "priority": 1,
    }
    house.gateway.send(Lane.SAFETY, Event("alarm", subject, now_ms(), {**body, "detail": {"floor": 7}}))


def test_a_lift_alarm_is_heard_acknowledged_noted_and_ended_by_keyboard(visit: Visit, house: Any) -> None:
    page = visit().open("/alarms")
    sound = page.locator("#alarm-sound")
    expect(sound).to_contain_text("声音已关")
    page.keyboard.press("m")
    expect(sound).to_contain_text("声音已开")
    raised = now_ms()
    entrap(house, "raised", raised)
    first = page.locator("#alarm-rows li").first
    expect(first).to_contain_text("电梯疑似困人", timeout=6000)
    # By calls from outside: the page's policy does not let it evaluate a text itself.
    house.wait("the alarm to ring", lambda: page.evaluate("Number(document.documentElement.dataset.rang) >= 1"), 5)
    first.locator("a").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#detail")).to_contain_text("切勿扒门")
    page.keyboard.press("a")
    expect(first).to_contain_text("确认", timeout=6000)
    entrap(house, "cleared", raised)
    expect(page.locator("#detail")).to_contain_text("原因消失", timeout=6000)
    expect(first).to_contain_text("须由人工结束")
    page.keyboard.press("c")
    page.keyboard.type("两人已救出，状况良好")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text("两人已救出", timeout=6000)
    page.goto(f"{house.url}/alarms")
    expect(page.locator("#alarm-rows")).not_to_contain_text("电梯疑似困人")


def test_a_card_and_a_lift_are_seen_as_it_happens(visit: Visit, house: Any) -> None:
    page = visit().open("/doors")
    page.evaluate("window.isSamePage = true")
    body = {"decision_id": "gw-1/door-1/77", "door": "door-1", "granted": False, "reason": "unknown_card"}
    card = {"card": {"bits": 26, "number": "2000abc"}}
    house.gateway.send(Lane.SAFETY, Event(DECISION, "door:door-1", now_ms(), body | card))
    row = page.locator("#entered tbody tr").first
    expect(row).to_contain_text("未知卡", timeout=6000)
    assert page.evaluate("window.isSamePage") is True
    row.get_by_role("link").click()
    expect(page.locator("#f-number")).to_have_value("2000abc")
    page.goto(f"{house.url}/lifts")
    house.gateway.read("lift-a", "currentFloor", "", "4")
    expect(page.locator(".lift-floor b").first).to_have_text("4", timeout=6000)
    low = float(page.locator("rect.car").first.get_attribute("y") or 0)
    house.gateway.read("lift-a", "currentFloor", "", "9")
    height = "Number(document.querySelector('rect.car').getAttribute('y'))"
    house.wait("the car to rise", lambda: page.evaluate(height) < low)


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed; scripts/assets fetches it")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_doors_and_lifts(
    visit: Visit, house: Any, scheme: Literal["light", "dark"]
) -> None:
    visitor = visit(scheme=scheme, bypass_csp=True)
    places = ("/doors", "/doors/cards", "/doors/cards/new", "/doors/setup", "/doors/setup/schedules/new", "/lifts")
    found = []
    for path in (*places, "/doors/setup/groups/new", "/alarms?state=all"):
        page = visitor.open(path)
        page.add_script_tag(path=AXE)
        result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        found += [(path, each["id"]) for each in result["violations"] if each["impact"] in ("serious", "critical")]
    assert found == []
