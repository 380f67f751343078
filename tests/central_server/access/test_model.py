"""Rules made from cards, residents and schedules, judged by the gateway's own decision."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from central_server.access.model import Basis, Card, Door, SiteRules, Span, build, credential_key, merge
from drivers.base import CardRead
from edge_agent.access import decide, open_book
from protocols.access import Schedule, Window, decode_rules, encode_rules

ZONE = "Asia/Shanghai"
CARD = CardRead(1, 26, 0x2A5)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).astimezone(UTC).timestamp() * 1000)


def card(**more: object) -> Card:
    values = {"basis": Basis.RESIDENCY, "span": Span(None, None), "is_revoked": False, "grants": ((1, None),)} | more
    return Card(id=7, person_id=3, bits=26, number="2a5", **values)  # type: ignore[arg-type]


def reason(when: str, *stays: Span, door: str = "d-1", gateway: int = 1, **more: object) -> str:
    site = SiteRules(
        zone=ZONE,
        doors=(Door(10, 1, "d-1"), Door(11, 1, "d-2"), Door(12, 2, "d-1")),
        groups={1: frozenset({10})},
        schedules=(Schedule("5", (Window(frozenset(range(5)), 540, 1080),), frozenset({"2026-10-01"})),),
        cards=(card(**more),),
        stays={3: stays},
    )
    rules = decode_rules(encode_rules(build(site, gateway, f"gw-{gateway}", 1, 0)))
    return decide(CARD, door, at(when), open_book(rules)).reason


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("2026-03-01T00:00", "granted"),
        ("2026-02-28T23:59:59", "not_yet_valid"),
        ("2026-10-31T23:59:59", "granted"),
        ("2026-11-01T00:00", "expired"),
    ],
)
def test_a_tenancy_opens_from_its_first_midnight_to_its_last(when: str, said: str) -> None:
    assert reason(when, Span("2026-03-01", "2026-11-01")) == said


def test_whoever_moves_from_one_unit_into_another_never_leaves_and_whoever_comes_back_was_away() -> None:
    moved = (Span("2026-01-01", "2026-05-01"), Span("2026-05-01", None))
    assert reason("2026-05-01T00:00", *moved) == "granted"
    back = (Span("2026-01-01", "2026-05-01"), Span("2026-07-01", None))
    said = [reason(day, *back) for day in ("2026-04-30", "2026-06-01", "2026-07-01")]
    assert said == ["granted", "not_yet_valid", "granted"]


def test_a_card_of_somebody_who_lives_nowhere_here_is_known_and_expired() -> None:
    assert reason("2026-06-01") == "expired"


def test_a_card_by_dates_asks_for_no_home_and_its_own_days_narrow_a_tenancy() -> None:
    dates = Span("2026-06-01", "2026-06-02")
    assert reason("2026-06-01T12:00", basis=Basis.DATES, span=dates) == "granted"
    assert reason("2026-06-02T00:00", basis=Basis.DATES, span=dates) == "expired"
    assert reason("2026-06-02T00:00", Span("2020-01-01", None), span=dates) == "expired"


def test_a_grant_opens_its_doors_only_at_the_gateway_they_hang_on_and_within_its_hours() -> None:
    stay = Span("2020-01-01", None)
    assert reason("2026-06-01", stay, door="d-2") == "no_right"
    assert reason("2026-06-01", stay, gateway=2) == "no_right", "another gateway's door of the same code"
    hours = ((1, 5),)
    assert reason("2026-11-23T09:00", stay, grants=hours) == "granted"
    assert reason("2026-11-23T18:00", stay, grants=hours) == "outside_hours"
    assert reason("2026-10-01T10:00", stay, grants=hours) == "outside_hours", "a holiday"


@pytest.mark.parametrize(
    ("basis", "hours", "silent_h", "said"),
    [
        (Basis.RESIDENCY, {}, 9_999, "granted"),
        (Basis.DATES, {}, 168, "granted"),
        (Basis.DATES, {}, 169, "stale_rules"),
        (Basis.DATES, {Basis.DATES: 0}, 9_999, "granted"),
        (Basis.RESIDENCY, {Basis.RESIDENCY: 2}, 3, "stale_rules"),
    ],
)
def test_without_the_centre_residents_are_let_in_for_ever_and_others_for_a_week_unless_the_site_says_otherwise(
    basis: Basis, hours: dict[Basis, int], silent_h: int, said: str
) -> None:
    site = SiteRules(
        zone=ZONE,
        doors=(Door(10, 1, "d-1"),),
        groups={1: frozenset({10})},
        cards=(card(basis=basis),),
        stays={3: (Span(None, None),)},
        fresh_h=hours,
    )
    book = open_book(decode_rules(encode_rules(build(site, 1, "gw-1", 1, 0))))
    assert decide(CARD, "d-1", at("2026-11-23"), book, silent_s=3600 * silent_h).reason == said


def test_a_revoked_card_says_so() -> None:
    assert reason("2026-06-01", Span("2020-01-01", None), is_revoked=True) == "revoked"


def test_stretches_that_touch_are_one() -> None:
    spans = [Span("2026-05-01", None), Span("2026-01-01", "2026-03-01"), Span("2026-02-01", "2026-05-01")]
    assert merge(spans) == [Span("2026-01-01", None)]
    assert merge([]) == []


def test_a_decisions_credential_names_its_card_whichever_stretch_it_was() -> None:
    assert [credential_key(name) for name in ("7", "7.2", "x", "", None)] == [7, 7, None, None, None]
