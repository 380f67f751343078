"""Simulated modules behave like what is wired to them."""

import pytest

from drivers.profile import load_profile
from drivers.sim.io import Driven, Module
from drivers.sim.load import Load

TRAVEL_MS = 8_000


def test_a_valves_limit_switches_follow_the_order_after_its_travel() -> None:
    valve = Driven(load_profile("valve/relay-driven"), Load(1, 20), TRAVEL_MS)

    def told(at_ms: int) -> tuple[object, ...]:
        return tuple(valve.values(at_ms)[name] for name in ("valveState", "openLimit", "closedLimit"))

    assert told(0) == ("closed", "off", "on")
    valve.order("valveState", "open", 1_000)
    assert told(1_000) == told(8_999) == ("open", "off", "off")
    valve.order("valveState", "open", 5_000)  # the same again moves nothing
    assert told(9_000) == ("open", "on", "off")
    valve.set("closedLimit", "on")  # a stuck switch
    assert told(9_000) == ("open", "on", "on")


@pytest.mark.parametrize("name", ["io/moxa-iologik-e1210", "io/moxa-iologik-e1212"])
def test_counters_only_grow_and_inputs_stay_off_until_something_happens(name: str) -> None:
    module = Module(load_profile(name), Load(1, 60, burst_percent=100, group=30))
    before, after = module.values(0), module.values(3_600_000)
    counters = [point.name for point in load_profile(name).points if not point.states]
    assert counters
    for counter in counters:
        first, then = before[counter], after[counter]
        assert not isinstance(first, str)
        assert not isinstance(then, str)
        assert first < then
    assert all(before[point] == after[point] == "off" for point in module.inputs)
