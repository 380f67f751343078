"""Everything that is accepted arrives once, whatever goes wrong: a slice of the campaign in ``scripts/chaos/simulate``."""

from collections import Counter

import pytest

from central_server.sync import intake
from edge_agent import recovery, shedding, store
from edge_agent.answer import Acked, Unreachable
from edge_agent.sync import Uplink
from scripts.chaos.simulate import simulate

SLICES = [range(start, start + 50) for start in range(0, 300, 50)]
KINDS = {
    "lost",
    "lost_in_partition",
    "duplicated",
    "reordered",
    "changed",
    "answer_lost",
    "busy",
    "kill_edge",
    "power_cut_torn",
    "clock_jump",
    "disk_full",
    "disk_refused",
    "folder_put_back",
    "database_put_back",
    "new_epoch",
    "set_aside_edge",
    "set_aside_centre",
}


@pytest.mark.parametrize("seeds", SLICES, ids=lambda seeds: f"from-{seeds.start}")
def test_nothing_is_lost_doubled_or_out_of_order(seeds: range) -> None:
    faults: Counter[str] = Counter()
    for seed in seeds:
        broken, accepted, met = simulate(seed)
        assert broken is None, f"scripts/chaos/simulate --seed {seed}: {broken}"
        assert accepted > 0
        faults += met
    assert set(faults) >= KINDS, "every kind of trouble has been met"


def test_a_seed_replays_to_the_last_fault() -> None:
    assert simulate(11) == simulate(11)
    assert simulate(11) != simulate(12)


def test_the_checker_sees_what_is_counted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    right = intake.decide

    def twice(*known: object) -> object:
        found = right(*known)  # type: ignore[arg-type]
        return intake.Taken(known[0].first_seq, found.is_new_store) if isinstance(found, intake.Taken) else found  # type: ignore[attr-defined]

    monkeypatch.setattr(intake, "decide", twice)
    assert any(simulate(seed)[0] for seed in range(10))


def test_the_checker_sees_what_is_deleted_before_the_centre_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Uplink.batch_answered

    def hasty(self: Uplink, first: int, last: int, lane: object, state: object, answer: object, *rest: object) -> None:
        if isinstance(answer, Unreachable):
            answer = Acked(last)
        right(self, first, last, lane, state, answer, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Uplink, "batch_answered", hasty)
    assert any(simulate(seed)[0] for seed in range(10))


def test_the_checker_sees_a_disk_that_was_put_back_and_goes_on_as_if_nothing_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recovery, "is_origin", lambda *_: True)
    monkeypatch.setattr(recovery, "is_behind", lambda *_: False)
    assert any(simulate(seed)[0] for seed in range(40))


def test_the_checker_sees_telemetry_that_goes_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shedding, "append_tombstone", lambda *_: None)
    assert any("lost in silence" in (simulate(seed)[0] or "") for seed in range(40, 240))


def test_the_checker_sees_a_record_that_blocks_its_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "set_aside", lambda *_: None)
    assert any("did not drain" in (simulate(seed)[0] or "") for seed in range(20))
