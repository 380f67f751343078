"""Utilisation and round trips, with the time told."""

import pytest

from drivers.bus.traffic import Traffic


def test_a_new_line_is_idle() -> None:
    traffic = Traffic(100)
    assert traffic.utilisation(100) == 0
    assert traffic.utilisation(110) == 0
    assert traffic.round_trips() == (0, 0, 0, None, None)


def test_busy_time_is_measured_against_the_time_there_was() -> None:
    traffic = Traffic(100)
    traffic.answered(100, 101)
    traffic.failed(102, 105)
    assert traffic.utilisation(110) == pytest.approx(0.4)


def test_only_the_last_minute_counts_and_a_span_across_its_edge_counts_in_part() -> None:
    traffic = Traffic(0)
    traffic.answered(0, 10)
    traffic.answered(30, 60)
    assert traffic.utilisation(90) == pytest.approx(30 / 60)
    assert traffic.utilisation(105) == pytest.approx(15 / 60)
    assert traffic.utilisation(200) == 0


def test_round_trips_are_told_in_milliseconds() -> None:
    traffic = Traffic(0)
    for position in range(100):
        traffic.answered(position, position + (0.5 if position == 99 else 0.01))
    traffic.failed(100, 101)
    traffic.saw_stale()
    trips = traffic.round_trips()
    assert (trips.answers, trips.failures, trips.stale) == (100, 1, 1)
    assert trips.median_ms == pytest.approx(10)
    assert trips.p95_ms == pytest.approx(10)
