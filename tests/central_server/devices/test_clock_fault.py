"""A gateway's own word on its clock, whatever it looks like."""

from typing import Any

import pytest

from central_server.devices.clock_fault import ClockFault, clock_fault


@pytest.mark.parametrize(
    ("clock", "told"),
    [
        ({"state": "wrong", "shift_ms": 90_000}, ClockFault(90_000)),
        ({"state": "unknown", "shift_ms": None}, ClockFault(None)),
        ({"state": "wrong", "shift_ms": "x"}, ClockFault(None)),
        ({"state": "confirmed", "shift_ms": 0}, None),
        ({"ok": True, "offset_ms": 3}, None),
        ("late", None),
        (None, None),
    ],
)
def test_only_a_clock_that_its_gateway_calls_wrong_is_a_fault(clock: Any, told: ClockFault | None) -> None:
    assert clock_fault({"clock": clock}) == told
