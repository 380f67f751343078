"""Devices as pages show them."""

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from central_server.clock import now_ms
from central_server.dashboard.cards import cell, list_cards, stale_ms
from central_server.dashboard.i18n import languages
from central_server.dashboard.show import Show
from central_server.rbac import system
from central_server.telemetry.service import Value


def show(code: str = "en") -> Show:
    return Show(languages()[code], ZoneInfo("Asia/Shanghai"), now_ms())


def value(point: str, text: str | None, unit: str = "", quality: int = 0) -> Value:
    return Value(1, 7, point, unit, 0, None if text is None else Decimal(text), quality)


def test_a_register_keeps_all_digits_and_a_power_only_those_that_help() -> None:
    assert cell(value("energyImportTotal", "20417.35", "kWh"), "electricity", show()).text == "20,417.35"
    assert cell(value("powerTotal", "899.6", "W"), "electricity", show()).text == "900"


def test_the_code_of_a_state_is_shown_as_its_word() -> None:
    assert cell(value("doorState", "1"), "door", show()).text == "open"
    assert cell(value("doorState", "1"), "door", show("zh")).text == "开"
    assert cell(value("doorState", "1.0"), "door", show()).text == "open"
    assert cell(value("doorState", "9"), "door", show()).text == "9"


def test_no_value_is_a_dash_and_a_point_without_a_name_keeps_its_own() -> None:
    found = cell(value("coolantFlow", None, quality=2), "pump", show())
    assert (found.text, found.name, found.is_good) == ("–", "coolantFlow", False)


@pytest.mark.parametrize(
    ("state", "expected"),
    [({}, 180_000), ({"period_s": 2}, 30_000), ({"period_s": 60.5}, 181_500), ({"period_s": "x"}, 180_000)],
)
def test_a_value_is_old_after_three_polls_but_not_before_half_a_minute(state: dict[str, Any], expected: int) -> None:
    assert stale_ms(state) == expected


async def test_a_lasting_alarm_colours_its_device_and_a_cleared_one_does_not(desk: Any) -> None:
    await desk.series("em-1", "electricity", ("energyImportTotal", "kWh"))
    await desk.series("em-2", "electricity", ("energyImportTotal", "kWh"))
    await desk.alarm("em-1", 1)
    await desk.alarm("em-2", 1, cleared_at=2)
    found = {card.view.device.code: card.priority for card in await list_cards(desk.db, show(), system("test"))}
    assert found == {"em-1": 2, "em-2": 0}
