"""A leak in the basement, from the module's input to the alarm that waits for the centre."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.base import PointValue
from edge_agent.config import Device
from edge_agent.io_watch import IoKeeper
from protocols.quantity import Quality, Quantity
from tests.edge_agent.test_io_map import load

BOTH = """
[device.input.input1]
means = "leak"
[device.input.input2]
means = "leak"
[device.input.input3]
means = "smoke"
after_s = 0.2
"""


class Heard:
    """Takes alarms as the recorder does, and notes each call's outcome."""

    def __init__(self) -> None:
        self.now: dict[str, tuple[bool, list[str]]] = {}

    async def alarm(self, subject: str, condition: str, *, is_on: bool, detail: Any) -> None:
        assert subject == "device:io-1"
        self.now[condition] = (is_on, list(detail["inputs"]))


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return load(tmp_path, BOTH).devices[0]


def told(**codes: int | None) -> Sequence[PointValue]:
    return [
        PointValue(
            name,
            Quantity(
                None if code is None else Decimal(code), "", Quality.GOOD if code is not None else Quality.NOT_AVAILABLE
            ),
            datetime.now(UTC),
            b"",
        )
        for name, code in codes.items()
    ]


async def test_either_sensor_raises_the_leak_and_both_have_to_be_dry(device: Device) -> None:
    heard = Heard()
    keeper = IoKeeper(device, heard)  # type: ignore[arg-type]
    await keeper.seen(told(leak=0, leak2=1, smoke=0))
    assert heard.now["water_leak"] == (True, ["input2"])
    await keeper.seen(told(leak=1, leak2=0, smoke=0))
    assert heard.now["water_leak"] == (True, ["input1"])
    await keeper.seen(told(leak=0, leak2=0, smoke=0))
    assert heard.now["water_leak"] == (False, [])


async def test_a_module_that_does_not_say_leaves_the_alarm(device: Device) -> None:
    heard = Heard()
    keeper = IoKeeper(device, heard)  # type: ignore[arg-type]
    await keeper.seen(told(leak=1, leak2=0, smoke=0))
    heard.now.clear()
    await keeper.seen(told(leak=None, leak2=0, smoke=0))
    await keeper.seen(told(smoke=0))
    assert heard.now == {}


async def test_a_flicker_shorter_than_its_time_raises_nothing(device: Device) -> None:
    heard = Heard()
    keeper = IoKeeper(device, heard)  # type: ignore[arg-type]
    await keeper.seen(told(leak=0, leak2=0, smoke=1))
    assert heard.now["smoke"] == (False, [])
    await keeper.seen(told(leak=0, leak2=0, smoke=0))
    await asyncio.sleep(0.25)
    await keeper.seen(told(leak=0, leak2=0, smoke=1))
    assert heard.now["smoke"] == (False, [])
    await asyncio.sleep(0.25)
    await keeper.seen(told(leak=0, leak2=0, smoke=1))
    assert heard.now["smoke"] == (True, ["input3"])
