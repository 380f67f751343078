"""A slice of ``scripts/chaos/stale``: late answers by the thousand, and none given to another question."""

import pytest

from scripts.chaos.stale import PROTOCOLS, simulate


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_late_answer_is_taken_for_the_next_ones(protocol: str, seed: int) -> None:
    told = simulate(protocol, 2_000, seed)
    assert told["wrong"] == []
    assert told["answered"] + told["silent"] == 2_000
    assert told["answered"] > 1_000
    assert told["stale_seen"] > 200, "the trap was set"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_without_the_quiet_after_a_timeout_the_trap_would_snap(protocol: str) -> None:
    assert simulate(protocol, 2_000, 0, guard_s=0.0)["wrong"]
