"""Whole months, one price at a time, and never more renters than spaces."""

from central_server.parking.model import Price, Span, most_at_once, price_in


def test_the_price_of_a_month_is_the_last_one_that_has_begun() -> None:
    prices = [Price("2026-10", 30_000), Price("2026-01", 25_000)]
    assert [price_in(prices, month) for month in ("2025-12", "2026-09", "2026-10")] == [None, prices[1], prices[0]]


def test_a_lease_holds_its_last_month_and_not_the_next() -> None:
    span = Span("2026-09", "2026-11")
    assert [span.holds(month) for month in ("2026-08", "2026-09", "2026-11", "2026-12")] == [False, True, True, False]


def test_leases_that_follow_each_other_do_not_meet() -> None:
    before, after = Span("2026-01", "2026-03"), Span("2026-04", None)
    assert most_at_once([before], after) == 0
    assert most_at_once([Span("2026-01", "2026-04")], after) == 1


def test_the_fullest_month_counts_also_when_it_comes_later() -> None:
    """Two short leases after each other take one space, two at once take two."""
    one_after_the_other = [Span("2026-01", "2026-02"), Span("2026-03", "2026-04")]
    assert most_at_once(one_after_the_other, Span("2026-01", None)) == 1
    assert most_at_once([*one_after_the_other, Span("2026-04", None)], Span("2026-01", None)) == 2
