"""What goes first when room is short: nothing a bill needs, and never more than is told."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.quota import read_quota
from edge_agent.thinning import MINUTE_MS, Pass, Row, Step, next_pass, reached, superfluous

rows = st.lists(st.tuples(st.one_of(st.none(), st.integers(1, 4)), st.integers(0, 3 * 3_600_000)), max_size=60).map(
    lambda those: [Row(seq, series, at) for seq, (series, at) in enumerate(those, 1)]
)


@given(rows, st.sampled_from([Step.MINUTE, Step.QUARTER, Step.HOUR]))
def test_of_each_point_and_stretch_the_last_reading_stays_and_every_event(those: list[Row], step: Step) -> None:
    gone = set(superfluous(those, step))
    kept = [row for row in those if row.seq not in gone]
    stretches = {(row.series_id, row.at // step.width): row.seq for row in those if row.series_id is not None}
    assert {row.seq for row in kept if row.series_id is not None} == set(stretches.values())
    assert [row for row in kept if row.series_id is None] == [row for row in those if row.series_id is None]
    assert not superfluous(kept, step), "thinned once is thinned"
    assert max(Counter((row.series_id, row.at // step.width) for row in kept if row.series_id).values(), default=1) == 1


def test_steps_follow_each_other_and_end_with_dropping() -> None:
    assert superfluous([Row(1, 1, 0), Row(2, None, 0)], Step.DROP) == [1, 2]
    steps = [Pass(Step.MINUTE, 0)]
    while (after := next_pass(Pass(steps[-1].step, 100), 100)) is not None:
        steps.append(after)
    assert [each.step for each in steps] == [Step.MINUTE, Step.QUARTER, Step.HOUR, Step.DROP]
    assert next_pass(Pass(Step.HOUR, 50), 100) == Pass(Step.HOUR, 50)
    assert Step.QUARTER.width == 15 * MINUTE_MS


def test_a_level_is_told_once_and_left_only_when_it_is_well_left() -> None:
    none: frozenset[int] = frozenset()
    assert reached(69.9, none) == none
    assert reached(86, none) == {70, 85}
    assert reached(83, frozenset({70, 85})) == {70, 85}
    assert reached(81, frozenset({70, 85})) == {70}


def test_a_quota_is_a_size_with_its_unit_and_not_too_small() -> None:
    assert (read_quota("2 GB"), read_quota("500MB"), read_quota("1.5 GB")) == (2 * 10**9, 5 * 10**8, 15 * 10**8)
    for wrong in ("2", "2 gigabytes", 2, "-1 GB", "1 MB"):
        with pytest.raises(ValueError, match=r"write one as|too little"):
            read_quota(wrong)
