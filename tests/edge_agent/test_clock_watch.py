"""People hear of a wrong clock, and not of one that is about to be set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edge_agent.clock import Span
from edge_agent.clock_watch import PATIENCE_S, ClockWatch, clock_json, last_span
from edge_agent.machine_clock import Clocks
from edge_agent.store import Store

GOOD, UNKNOWN = Span("b", 0, 0, 0), Span("b", 0, 0, None)


@pytest.mark.parametrize(
    ("span", "state", "is_ok"),
    [
        (GOOD, "unconfirmed", True),
        (Span("b", 0, 0, 0, is_proved=True), "confirmed", True),
        (Span("b", 0, 0, -60_000, is_proved=True), "wrong", False),
        (UNKNOWN, "unknown", False),
    ],
)
def test_the_status_says_how_far_the_clock_is_believed(span: Span, state: str, is_ok: bool) -> None:
    told = clock_json(span, 7)
    assert (told["state"], told["ok"], told["offset_ms"]) == (state, is_ok, 7)


async def test_an_alarm_comes_only_for_a_clock_that_stays_wrong_and_goes_when_it_is_set() -> None:
    told: list[tuple[bool, Mapping[str, Any]]] = []
    span, now = UNKNOWN, 0.0

    async def tell(condition: str, is_on: bool, detail: Mapping[str, Any]) -> None:
        assert condition == "clock_wrong"
        told.append((is_on, detail))

    watch = ClockWatch(lambda: span, tell, lambda: now)
    await watch.look()
    span, now = GOOD, PATIENCE_S - 1
    await watch.look()
    span, now = Span("b", 0, 0, 3_600_000), PATIENCE_S
    await watch.look()
    assert told == [(False, {})], "a machine that gets its time in its first two minutes is no news"
    now += PATIENCE_S
    await watch.look()
    span = GOOD
    await watch.look()
    assert told[1:] == [(True, {"behind_s": 3600}), (False, {})]


async def test_a_gateway_that_does_not_run_still_says_what_was_last_known(tmp_path: Path) -> None:
    path = tmp_path / "edge.db"
    async with await Store.open(path, "gw-1", look=lambda: Clocks("boot", 5_000, 1_000)):
        pass
    span = last_span(path)
    assert span is not None
    assert clock_json(span, None)["state"] == "unknown"
