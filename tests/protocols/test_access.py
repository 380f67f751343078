"""Access rules on the wire: the same in, the same out, and nothing half."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.access import (
    Credential,
    DoorRule,
    Grant,
    Rules,
    Schedule,
    Trust,
    Window,
    _canonical,
    decode_rules,
    encode_rules,
    rules_hash,
)
from protocols.errors import ChecksumMismatch, LengthMismatch, MalformedFrame, ProtocolError, Unsupported

WEEK = Schedule(
    "office", (Window(frozenset({0, 4}), 480, 1080), Window(frozenset({6}), 1320, 360)), frozenset({"2026-10-01"})
)
ANNA = Credential("1", 26, "b40288", valid_to=1_800_000_000_000, grants=(Grant(frozenset({"door-1"}), "office"),))
RULES = Rules(
    "gw-1", 7, 1_790_000_000_000, "Asia/Shanghai", 86_400, (WEEK,), (ANNA,), (DoorRule("door-1"), DoorRule("door-2"))
)
CLASSED = replace(RULES, credentials=(replace(ANNA, trust="dates"),), trusts=(Trust("dates", 3600),))


def test_rules_come_out_as_they_went_in_and_their_order_does_not_count() -> None:
    data = encode_rules(RULES)
    assert decode_rules(data) == RULES
    turned = replace(RULES, doors=RULES.doors[::-1])
    assert encode_rules(turned) == data
    assert json.loads(data)["hash"] == rules_hash(RULES)
    assert data == _canonical(json.loads(data))
    assert decode_rules(encode_rules(CLASSED)) == CLASSED
    assert b"trust" not in data, "a gateway from before there were classes reads rules without any"


@settings(max_examples=300)
@given(st.data())
def test_no_changed_byte_is_believed(data: st.DataObject) -> None:
    good = encode_rules(RULES)
    place = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda it: it != good[place]))
    with pytest.raises(ProtocolError):
        decode_rules(good[:place] + bytes((byte,)) + good[place + 1 :])


@given(st.binary(max_size=60))
def test_noise_is_refused_and_never_a_fault_of_ours(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_rules(data)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (replace(RULES, schedules=()), "names a schedule 'office' that is not there"),
        (replace(CLASSED, trusts=()), "names a class 'dates' that is not there"),
        (replace(RULES, trusts=(Trust("dates", -1),)), "fresh_for_s is not a whole number"),
        (replace(RULES, zone="Mars/Olympus"), "is not a time zone"),
        (replace(RULES, zone="../etc/passwd"), "is not a time zone"),
        (replace(RULES, version=0), "version is not a whole number"),
        (replace(RULES, credentials=(ANNA, ANNA)), "the credential '1' is there twice"),
        (replace(RULES, credentials=(replace(ANNA, number="0b40288"),)), "without leading zeros"),
        (replace(RULES, credentials=(replace(ANNA, number="fffffff"),)), "is not 26 bits"),
        (replace(RULES, schedules=(replace(WEEK, holidays=frozenset({"2026-W01-1"})),)), "is not a date"),
        (replace(RULES, schedules=(replace(WEEK, windows=(Window(frozenset({7}), 0, 1),)),)), "days are whole numbers"),
        (replace(RULES, doors=(DoorRule("door-1", pulse_ms=0),)), "pulse_ms is not a whole number"),
    ],
)
def test_rules_that_contradict_themselves_are_neither_sent_nor_taken(wrong: Rules, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        encode_rules(wrong)


def sealed(**changes: object) -> bytes:
    inner = json.loads(encode_rules(RULES))["rules"] | changes
    import hashlib

    return _canonical({"hash": hashlib.sha256(_canonical(inner)).hexdigest(), "rules": inner})


def test_what_is_sealed_well_and_wrong_inside_is_refused_too() -> None:
    for data, error in (
        (sealed(format=2), Unsupported),
        (sealed(version="7"), MalformedFrame),
        (sealed(version=True), MalformedFrame),
        (sealed(more=1), MalformedFrame),
        (sealed(doors=[{"code": "d", "pulse_ms": 3000.0, "held_open_s": 30}]), MalformedFrame),
        (encode_rules(RULES).replace(b'"version":7', b'"version":8'), ChecksumMismatch),
        (b" " * (16 * 1024 * 1024 + 1), LengthMismatch),
    ):
        with pytest.raises(error):
            decode_rules(data)
