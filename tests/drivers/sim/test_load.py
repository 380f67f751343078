"""The seeded load: exact, monotonic, and its rate is the register's slope."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.sim.load import DAY_MS, HOUR_MS, SHAPES, SLOT_MS, Load

_LOADS = [Load(1, 450), Load(7, 14, burst_percent=100, group=30), Load(3, 30_000, shape="building")]
_STEP_MS = 10 * HOUR_MS  # at one W or L/h


@pytest.mark.parametrize("load", _LOADS, ids=["home", "water", "building"])
@given(first=st.integers(0, 40 * DAY_MS), gap=st.integers(0, 3 * DAY_MS))
def test_a_register_never_runs_backwards(load: Load, first: int, gap: int) -> None:
    assert load.steps(0, first + gap) >= load.steps(0, first)
    assert load.rate(first) >= 0


@pytest.mark.parametrize("load", _LOADS, ids=["home", "water", "building"])
def test_a_register_moves_by_exactly_the_sum_of_its_rates(load: Load) -> None:
    start = 3 * DAY_MS + 7 * HOUR_MS
    end = start + 9 * HOUR_MS
    total = sum((load.rate(at) * SLOT_MS for at in range(start, end, SLOT_MS)), Decimal(0))
    assert load.steps(start, end) == int(total / _STEP_MS)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_day_has_the_mean(shape: str) -> None:
    load = Load(5, 1000, shape=shape)
    assert 2398 <= load.steps(DAY_MS, 2 * DAY_MS) <= 2400


def test_the_same_seed_gives_the_same_register_and_another_seed_does_not() -> None:
    at = 5 * HOUR_MS + 123_456
    assert Load(1, 450).steps(0, at) == Load(1, 450).steps(0, at)
    assert {Load(seed, 45_000).steps(0, at) for seed in range(5)} != {Load(1, 45_000).steps(0, at)}


def test_water_comes_in_bursts() -> None:
    load = _LOADS[1]
    rates = [load.rate(at) for at in range(0, DAY_MS, SLOT_MS)]
    assert sum(1 for rate in rates if rate > 0) < len(rates) / 10
