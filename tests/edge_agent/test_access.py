"""The decision at a door, against a reference that is written in another way."""

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import CardRead
from edge_agent.access import Decision, decide, is_open, open_book
from protocols.access import Credential, Grant, Rules, Schedule, Trust, Window

ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC")
CARD = CardRead(1, 26, 0xB40288)
ALWAYS = (Grant(frozenset({"door-1"})),)
ANNA = Credential("anna", 26, "b40288", grants=ALWAYS)
RULES = Rules("gw-1", 1, 0, "Asia/Shanghai", credentials=(ANNA,))


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def decided(*credentials: Credential, now: str = "2026-11-23T12:00+08:00", door: str = "door-1") -> Decision:
    return decide(CARD, door, ms(now), open_book(replace(RULES, credentials=credentials)))


def test_a_tenancy_that_ends_at_midnight_denies_at_midnight() -> None:
    until = replace(ANNA, valid_to=ms("2026-12-01T00:00+08:00"))
    assert decided(until, now="2026-11-30T23:59:59.999+08:00") == Decision(True, "granted", "anna")
    assert decided(until, now="2026-12-01T00:00+08:00") == Decision(False, "expired", "anna")


def test_the_reasons_are_told_apart() -> None:
    early = replace(ANNA, valid_from=ms("2026-11-23T12:00:00.001+08:00"))
    assert decided(early).reason == "not_yet_valid"
    assert decided(replace(ANNA, is_revoked=True)).reason == "revoked"
    assert decided(ANNA, door="door-2").reason == "no_right"
    assert decided(replace(ANNA, bits=34)) == Decision(False, "unknown_card")
    assert decide(CARD, "door-1", 0, None) == Decision(False, "no_rules")
    book = open_book(replace(RULES, fresh_for_s=60))
    assert decide(CARD, "door-1", 0, book, silent_s=60.0).is_granted
    assert decide(CARD, "door-1", 0, book, silent_s=60.1) == Decision(False, "stale_rules", "anna")
    assert decide(CARD, "door-1", 0, open_book(RULES), silent_s=1e9).is_granted, "0 is for ever"


def test_each_class_of_cards_is_trusted_for_its_own_time_without_the_centre() -> None:
    builder = Credential("bob", 26, "1", grants=ALWAYS, trust="dates")
    rules = replace(RULES, credentials=(ANNA, builder), trusts=(Trust("dates", 60),))
    bobs = CardRead(1, 26, 1)
    assert decide(bobs, "door-1", 0, open_book(rules), silent_s=60.0).is_granted
    assert decide(bobs, "door-1", 0, open_book(rules), silent_s=60.1) == Decision(False, "stale_rules", "bob")
    assert decide(bobs, "door-9", 0, open_book(rules), silent_s=60.1).reason == "no_right"
    assert decide(CARD, "door-1", 0, open_book(rules), silent_s=1e9).is_granted, "a resident's has no end"
    other_way = replace(rules, fresh_for_s=60, trusts=(Trust("dates", 0),))
    assert decide(bobs, "door-1", 0, open_book(other_way), silent_s=1e9).is_granted
    assert decide(CARD, "door-1", 0, open_book(other_way), silent_s=61).reason == "stale_rules"
    both = replace(rules, credentials=(replace(builder, number=ANNA.number), ANNA))
    assert decide(CARD, "door-1", 0, open_book(both), silent_s=61) == Decision(True, "granted", "anna")


def test_in_a_fire_every_card_opens_with_or_without_rules() -> None:
    assert decide(CARD, "door-9", 0, None, is_fire=True) == Decision(True, "emergency_open")
    stale = open_book(replace(RULES, fresh_for_s=1, credentials=(replace(ANNA, is_revoked=True),)))
    assert decide(CARD, "door-1", 0, stale, silent_s=99, is_fire=True) == Decision(True, "emergency_open", "anna")


def test_a_card_that_was_revoked_and_given_out_again_opens_for_its_new_holder() -> None:
    assert decided(replace(ANNA, id="old", is_revoked=True), replace(ANNA, id="zoe")) == Decision(
        True, "granted", "zoe"
    )


def night(days: Iterable[int], holidays: frozenset[str] = frozenset()) -> Schedule:
    return Schedule("night", (Window(frozenset(days), 22 * 60, 6 * 60),), holidays)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-23T21:59:59+08:00", False),  # a Monday
        ("2026-11-23T22:00+08:00", True),
        ("2026-11-24T05:59+08:00", True),
        ("2026-11-24T06:00+08:00", False),
        ("2026-11-24T22:00+08:00", False),  # Tuesday is not among the days
        ("2026-11-23T05:00+08:00", False),  # nor was Sunday
    ],
)
def test_a_night_shift_crosses_midnight_with_the_day_it_began_on(at: str, expected: bool) -> None:
    assert is_open(night({0}), ms(at), ZoneInfo("Asia/Shanghai")) is expected


def test_nothing_is_open_on_a_holiday_not_even_the_night_before_it() -> None:
    schedule = night(range(7), frozenset({"2026-10-01"}))
    zone = ZoneInfo("Asia/Shanghai")
    assert is_open(schedule, ms("2026-09-30T23:59+08:00"), zone)
    assert not is_open(schedule, ms("2026-10-01T00:00+08:00"), zone)
    assert not is_open(schedule, ms("2026-10-01T23:59+08:00"), zone)
    assert is_open(schedule, ms("2026-10-02T00:00+08:00"), zone)


def test_the_hour_that_comes_twice_is_open_twice_and_the_one_left_out_never() -> None:
    schedule = Schedule("s", (Window(frozenset(range(7)), 2 * 60, 3 * 60),))
    zone = ZoneInfo("Europe/Berlin")
    day = [ms("2026-10-25T00:00+02:00") + 60_000 * minute for minute in range(25 * 60)]
    assert sum(is_open(schedule, at, zone) for at in day) == 120
    day = [ms("2026-03-29T00:00+01:00") + 60_000 * minute for minute in range(23 * 60)]
    assert sum(is_open(schedule, at, zone) for at in day) == 0


# The reference: every open minute of a week is written down first, then looked up by arithmetic on the offset.
def reference_open(schedule: Schedule, now: int, zone: ZoneInfo) -> bool:
    minutes: set[int] = set()
    for window in schedule.windows:
        length = (window.to_minute - window.from_minute - 1) % 1440 + 1
        for day in window.days:
            minutes |= {(day * 1440 + window.from_minute + step) % 10_080 for step in range(length)}
    offset = zone.utcoffset(datetime.fromtimestamp(now / 1000, zone))
    assert offset is not None
    local_s = now // 1000 + round(offset.total_seconds())
    if (date(1970, 1, 1) + timedelta(days=local_s // 86_400)).isoformat() in schedule.holidays:
        return False
    return (local_s // 60 + 3 * 1440) % 10_080 in minutes  # 1970 began on a Thursday


def reference(card: CardRead, door: str, now: int, rules: Rules) -> tuple[bool, str]:
    schedules = {schedule.id: schedule for schedule in rules.schedules}
    reasons = []
    for credential in rules.credentials:
        if credential.bits == card.bits and f"{card.number:x}" == credential.number:
            rights = [grant for grant in credential.grants if door in grant.doors]
            is_now = [
                grant.schedule is None or reference_open(schedules[grant.schedule], now, ZoneInfo(rules.zone))
                for grant in rights
            ]
            tests = (
                (credential.is_revoked, 1, "revoked"),
                (credential.valid_from is not None and credential.valid_from > now, 3, "not_yet_valid"),
                (credential.valid_to is not None and credential.valid_to <= now, 2, "expired"),
                (not rights, 4, "no_right"),
                (not any(is_now), 5, "outside_hours"),
                (True, 6, "granted"),
            )
            reasons.append(next((rank, word) for holds, rank, word in tests if holds))
    word = max(reasons)[1] if reasons else "unknown_card"
    return word == "granted", word


MINUTES = st.integers(0, 1440)
AROUND = ms("2026-10-25T00:00+02:00")  # clocks go back in Berlin
INSTANTS = st.integers(AROUND - 3 * 86_400_000, AROUND + 3 * 86_400_000)
WINDOWS = st.builds(Window, st.frozensets(st.integers(0, 6)), st.integers(0, 1439), MINUTES)
HOLIDAYS = st.frozensets(st.sampled_from([f"2026-10-{day}" for day in range(22, 29)]), max_size=2)
SCHEDULES = st.lists(st.builds(Schedule, st.just("s"), st.lists(WINDOWS, max_size=3).map(tuple), HOLIDAYS), max_size=1)


@st.composite
def rule_sets(draw: st.DrawFn) -> Rules:
    schedules = tuple(draw(SCHEDULES))
    names = [None, *(schedule.id for schedule in schedules)]
    doors = st.frozensets(st.sampled_from(["door-1", "door-2"]))
    grants = st.lists(st.builds(Grant, doors, st.sampled_from(names)), max_size=2).map(tuple)
    credentials = draw(
        st.lists(
            st.builds(
                Credential,
                id=st.sampled_from("abcdef"),
                bits=st.sampled_from([26, 34]),
                number=st.sampled_from(["1", "b40288"]),
                valid_from=st.none() | INSTANTS,
                valid_to=st.none() | INSTANTS,
                is_revoked=st.booleans(),
                grants=grants,
            ),
            max_size=4,
            unique_by=lambda it: it.id,
        )
    )
    return Rules("gw-1", 1, 0, draw(st.sampled_from(ZONES)), schedules=schedules, credentials=tuple(credentials))


@settings(max_examples=600, deadline=None)
@given(rule_sets(), INSTANTS, st.sampled_from(["door-1", "door-2"]), st.sampled_from([1, 0xB40288]))
def test_every_decision_is_that_of_the_reference(rules: Rules, now: int, door: str, number: int) -> None:
    card = CardRead(1, 26, number)
    found = decide(card, door, now, open_book(rules))
    assert (found.is_granted, found.reason) == reference(card, door, now, rules)


def test_twenty_thousand_cards_are_decided_well_within_a_millisecond() -> None:
    week = Schedule("week", tuple(Window(frozenset({day}), 6 * 60, 23 * 60) for day in range(7)))
    grants = (Grant(frozenset(f"door-{door}" for door in range(20)), "week"),)
    people = tuple(Credential(f"c{number}", 34, f"{number:x}", grants=grants) for number in range(20_000))
    book = open_book(replace(RULES, credentials=people, schedules=(week,)))
    now = round(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp() * 1000)
    began = time.perf_counter()
    for number in range(0, 20_000, 20):
        decide(CardRead(1, 34, number), "door-7", now, book)
    assert (time.perf_counter() - began) / 1000 < 0.001
