"""Which reads a run may bill between, and which it must leave for a person."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from central_server.billing.model import Tariff
from central_server.billing.period import parse_instant, parse_period
from central_server.billing.plan import (
    Billed,
    Installed,
    Line,
    Park,
    Point,
    Span,
    Window,
    carried_read,
    check_reads,
    line,
    noted_read,
    series_of,
    shared_meters,
    spans,
    used_before,
)
from central_server.billing.tariff import load_tariffs
from central_server.billing.trace import BatchRef, Meter, Read
from protocols.quantity import Quality

TARIFFS = load_tariffs()
METER = Meter("gw-1", "em-1", "energyImportTotal")
OTHER = Meter("gw-1", "em-2", "energyImportTotal")
HOUR = 3_600_000


def at(text: str) -> int:
    return parse_instant(f"{text}+08:00")


START, END = at("2026-10-01T00:00"), at("2026-11-01T00:00")
WINDOW = Window(parse_period("2026-10"), START, END)


def read(when: int, value: str) -> Read:
    return Read(when, Decimal(value), Quality.GOOD, BatchRef("gw-1", "7", "billing", 1, "ab" * 32))


def installed(
    meter: Meter = METER,
    from_at: int = START,
    to_at: int | None = None,
    multiplier: str = "1",
    initial: str | None = None,
) -> Installed:
    return Installed(meter, meter.device, 1, "kWh", multiplier, from_at, to_at, Decimal(initial) if initial else None)


def point(*each: Installed, billed: Billed | None = None, used: dict[str, Decimal] | None = None) -> Point:
    return Point(1, "1-101-E", "electricity", "beijing-electricity-residential", each, billed, used or {})


def priced(
    span: Span, opening: Read, closing: Read, used: str = "0", tariff: str = "beijing-electricity-residential"
) -> Line:
    return line(point(span.installed), TARIFFS[tariff], WINDOW, span, (opening, closing), Decimal(used))


def test_a_meter_that_served_all_along_is_one_span() -> None:
    assert spans(point(installed()), END) == [Span(installed(), END, False)]


def test_a_meter_swap_makes_two_spans_each_closed_by_its_own_meter() -> None:
    swap = at("2026-10-12T09:30")
    old, new = installed(to_at=swap), installed(OTHER, swap)
    assert spans(point(new, old), END) == [Span(old, swap, True), Span(new, END, False)]


def test_a_meter_that_is_gone_and_billed_to_its_last_read_is_not_billed_again() -> None:
    swap = at("2026-09-12T09:30")
    old, new = installed(from_at=0, to_at=swap), installed(OTHER, swap)
    billed = Billed(OTHER, read(START, "5"), START)
    assert spans(point(old, new, billed=billed), END) == [Span(new, END, False)]


def test_a_point_without_a_meter_is_parked() -> None:
    for each in (point(), point(installed(from_at=END))):
        with pytest.raises(Park, match=r"no meter is installed") as caught:
            spans(each, END)
        assert caught.value.key == "no_meter"


def test_installations_that_overlap_are_parked() -> None:
    with pytest.raises(Park, match=r"gw-1/em-1 energyImportTotal still serves when gw-1/em-2"):
        spans(point(installed(), installed(OTHER, START + HOUR)), END)


def test_the_closing_read_of_a_meter_opens_its_next_line_even_with_another_multiplier() -> None:
    before = read(START - HOUR, "10")
    span = Span(installed(multiplier="60", initial="9"), END, False)
    assert carried_read(span, before, METER) == before
    assert carried_read(span, before, OTHER) is None
    assert carried_read(span, None, None) is None


def test_an_initial_read_that_was_noted_has_no_batch() -> None:
    assert noted_read(Span(installed(initial="9"), END, False)) == Read(START, Decimal(9), Quality.GOOD, None)
    assert noted_read(Span(installed(), END, False)) is None


@pytest.mark.parametrize(("age_h", "is_good"), [(48, True), (48.001, False)])
def test_a_closing_read_is_at_most_two_days_old(age_h: float, is_good: bool) -> None:
    span, opening, closing = Span(installed(), END, False), read(START, "1"), read(END - int(age_h * HOUR), "2")
    if is_good:
        assert check_reads(span, None, opening, closing) == (opening, closing)
    else:
        with pytest.raises(
            Park, match=r"no good reading within 48 h before 2026-10-31T16:00:00.000Z; the last good one"
        ) as caught:
            check_reads(span, None, opening, closing)
        assert caught.value.key == "no_closing_read"


def test_no_reads_at_all_are_told_as_such() -> None:
    with pytest.raises(Park, match=r"there is none at all"):
        check_reads(Span(installed(), END, False), None, None, None)


def test_one_read_makes_no_bill() -> None:
    only = read(END - HOUR, "5")
    with pytest.raises(Park) as caught:
        check_reads(Span(installed(), END, False), None, only, only)
    assert caught.value.key == "one_read_only"


def test_a_meter_that_left_right_after_its_last_bill_has_nothing_more_to_bill() -> None:
    last = read(END - HOUR, "5")
    assert check_reads(Span(installed(to_at=END), END, True), last, last, last) is None


def test_a_meter_that_left_with_a_single_read_is_parked_and_not_forgotten() -> None:
    only = read(END - HOUR, "5")
    with pytest.raises(Park):
        check_reads(Span(installed(to_at=END), END, True), None, only, only)


def test_a_line_keeps_every_digit_and_its_evidence() -> None:
    made = priced(
        Span(installed(multiplier="40"), END, False), read(START, "1234.560"), read(END, "1239.9475"), used="2800"
    )
    trace = made.reason.to_json()
    assert trace["consumption"] == "215.5000"
    assert trace["rounding"] == {
        "rule": "half-up, once, to the fen; parts by largest remainder",
        "exact": "112.00365000",
        "rounded": "112.00",
    }
    assert trace["closing"] == {
        "value": "1239.9475",
        "unit": "kWh",
        "at": "2026-10-31T16:00:00.000Z",
        "quality": "good",
        "source": "reading",
        "batch": {"gateway": "gw-1", "epoch": "7", "lane": "billing", "seq": 1, "digest": "ab" * 32},
    }
    assert trace["tariff"]["version"] == "2012-07-01"
    assert [(tier["from"], tier["to"], tier["amount"]) for tier in trace["tiers"]] == [
        ("0", "2880", "39.06"),
        ("2880", "4800", "72.94"),
    ]
    assert Read.from_json(trace["closing"]) == made.reason.closing
    assert made.unit_price is None


def test_a_flat_line_shows_its_one_price() -> None:
    assert priced(
        Span(installed(), END, False), read(START, "1"), read(END, "2"), tariff="flat-electricity"
    ).unit_price == Decimal("0.80")


def test_a_register_that_went_back_is_parked_with_both_values() -> None:
    with pytest.raises(Park, match=r"went back from 99990\.25 to 12\.75") as caught:
        priced(Span(installed(), END, False), read(START, "99990.25"), read(END, "12.75"))
    assert caught.value.key == "register_went_back"


@pytest.mark.parametrize("multiplier", ["0", "-1", "nan", "Infinity", "x", "", "1e300", f"1.{'3' * 30}"])
def test_a_multiplier_that_is_no_number_above_zero_is_parked(multiplier: str) -> None:
    with pytest.raises(Park, match=r"the multiplier"):
        priced(Span(installed(multiplier=multiplier), END, False), read(START, "1"), read(END, "2"))


def test_a_tariff_that_begins_later_is_parked() -> None:
    early = Window(parse_period("2012-06"), START, END)
    with pytest.raises(Park, match=r"begins on 2012-07-01, after 2012-06-01"):
        line(
            point(),
            TARIFFS["beijing-electricity-residential"],
            early,
            Span(installed(), END, False),
            (read(START, "1"), read(END, "2")),
            Decimal(0),
        )


def test_a_register_of_another_unit_or_never_heard_is_parked() -> None:
    water: Tariff = TARIFFS["beijing-water-residential"]
    with pytest.raises(Park, match=r"prices m3, but gw-1/em-1 energyImportTotal counts kWh"):
        series_of(installed(), water)
    with pytest.raises(Park, match=r"has never been received"):
        series_of(installed()._replace(series_id=None, unit=None), water)


def test_tiers_count_the_year_or_the_month_and_start_anew() -> None:
    used = {"2025-12": Decimal(1), "2026-01": Decimal(10), "2026-10": Decimal(100), "2027-01": Decimal(1000)}
    made = priced(Span(installed(), END, False), read(START, "0"), read(END, "0.5"))
    each = point(installed(), used=used)
    beijing, shenzhen, flat = (
        TARIFFS[code].versions[0]
        for code in ("beijing-electricity-residential", "shenzhen-electricity-residential", "flat-electricity")
    )
    assert used_before(each, beijing, WINDOW.period, []) == Decimal(1110) - 1000
    assert used_before(each, beijing, WINDOW.period, [made]) == Decimal("110.5")
    assert used_before(each, shenzhen, WINDOW.period, []) == Decimal(100)
    assert used_before(each, flat, WINDOW.period, [made]) == 0
    assert used_before(each, beijing, parse_period("2028-01"), []) == 0


def test_a_line_that_makes_up_for_earlier_months_says_so() -> None:
    late = priced(Span(installed(), END, False), read(at("2026-08-15T00:00"), "0"), read(END, "1"))
    assert late.reason.notes == ("spans-periods",)
    assert priced(Span(installed(), END, False), read(START - HOUR, "0"), read(END, "1")).reason.notes == ()


def test_a_register_that_two_points_claim_at_once_is_found() -> None:
    second = Point(2, "1-102-E", "electricity", "flat-electricity", (installed(from_at=START + HOUR),), None, {})
    assert shared_meters([point(installed()), second]) == {METER}
    assert shared_meters([point(installed(to_at=START + HOUR)), second]) == set()
    assert shared_meters([point(installed(to_at=START + HOUR), installed(from_at=START + HOUR))]) == set()


def test_instants_here_are_those_of_shanghai() -> None:
    assert datetime.fromtimestamp(START / 1000, UTC) == datetime(2026, 9, 30, 16, tzinfo=UTC)
