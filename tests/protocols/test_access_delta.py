"""Deltas of rules: laid on the very rules they were made from they give the very rules meant, and else nothing."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.access import Credential, DoorRule, Grant, Rules, Schedule, Trust, Window, encode_rules, rules_hash
from protocols.access_delta import apply_delta, decode_delta, delta_between, encode_delta, is_delta, merge
from protocols.errors import ChecksumMismatch, ProtocolError

IDS = st.sampled_from(["1", "2", "3", "é", "a b"])
TIMES = st.none() | st.integers(-5, 5)
SCHEDULE = st.builds(
    Schedule,
    st.just("s"),
    st.lists(
        st.builds(Window, st.frozensets(st.integers(0, 6)), st.integers(0, 1440), st.integers(0, 1440)), max_size=2
    ).map(tuple),
    st.frozensets(st.sampled_from(["2026-10-01", "2026-10-02"])),
)
GRANT = st.builds(Grant, st.frozensets(st.sampled_from(["d1", "d2"])), st.sampled_from([None, "s"]))
CREDENTIAL = st.builds(
    Credential,
    IDS,
    st.just(26),
    st.sampled_from(["1", "2"]),
    valid_to=TIMES,
    is_revoked=st.booleans(),
    grants=st.lists(GRANT, max_size=2).map(tuple),
    trust=st.sampled_from([None, "dates"]),
)
DOOR = st.builds(DoorRule, IDS, st.integers(100, 103))
RULES = st.builds(
    Rules,
    st.just("gw-1"),
    st.integers(1, 3),
    st.integers(0, 3),
    st.sampled_from(["Asia/Shanghai", "UTC"]),
    st.integers(0, 3),
    st.lists(SCHEDULE, min_size=1, max_size=1).map(tuple),
    st.lists(CREDENTIAL, max_size=4, unique_by=lambda it: it.id).map(tuple),
    st.lists(DOOR, max_size=3, unique_by=lambda it: it.code).map(tuple),
    st.tuples(st.builds(Trust, st.just("dates"), st.integers(0, 2))),
)


@settings(max_examples=40, deadline=None)
@given(RULES, RULES)
def test_any_rules_with_the_delta_to_any_others_are_those_others(before: Rules, after: Rules) -> None:
    delta = decode_delta(encode_delta(delta_between(before, after)))
    assert encode_rules(apply_delta(before, delta)) == encode_rules(after)


@settings(max_examples=25, deadline=None)
@given(RULES, RULES, RULES)
def test_two_deltas_in_one_do_what_they_do_one_after_the_other(first: Rules, second: Rules, third: Rules) -> None:
    both = merge(delta_between(first, second), delta_between(second, third))
    assert rules_hash(apply_delta(first, both)) == rules_hash(third)


@settings(max_examples=25, deadline=None)
@given(RULES, RULES, RULES)
def test_a_delta_is_laid_on_nothing_but_what_it_was_made_from(before: Rules, after: Rules, other: Rules) -> None:
    if rules_hash(other) != rules_hash(before):
        with pytest.raises(ChecksumMismatch):
            apply_delta(other, delta_between(before, after))


BIG = Rules(
    "gw-1",
    7,
    1_790_000_000_000,
    "Asia/Shanghai",
    credentials=tuple(Credential(str(at), 26, f"{at:x}", grants=(Grant(frozenset({"d1"})),)) for at in range(500)),
    doors=(DoorRule("d1"),),
)


def test_one_card_of_many_costs_a_line() -> None:
    revoked = replace(BIG, version=8, credentials=(replace(BIG.credentials[0], is_revoked=True), *BIG.credentials[1:]))
    body = encode_delta(delta_between(BIG, revoked))
    assert is_delta(body)
    assert not is_delta(encode_rules(BIG))
    assert len(body) < 700


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_changed_byte_of_a_delta_is_believed(data: st.DataObject) -> None:
    small = replace(BIG, credentials=BIG.credentials[:3])
    good = encode_delta(delta_between(small, replace(small, version=9, credentials=BIG.credentials[1:5])))
    place = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda it: it != good[place]))
    with pytest.raises(ProtocolError):
        apply_delta(small, decode_delta(good[:place] + bytes((byte,)) + good[place + 1 :]))


@given(st.binary(max_size=40))
def test_noise_is_no_delta(data: bytes) -> None:
    for body in (data, b'{"delta":' + data):
        with pytest.raises(ProtocolError):
            decode_delta(body)
