"""A reader's rule gives the number that the house knows a card by, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ChecksumMismatch, LengthMismatch, ProtocolError
from protocols.wiegand import decode_card, encode_card
from protocols.wiegand_rule import ORDERS, CardRule, read_mask, rule_complaints, usual_rule

FORMATS = ((26, 8, 16), (34, 16, 16), (37, 16, 19))
numbers = st.sampled_from(FORMATS).flatmap(
    lambda it: st.tuples(st.just(it[0]), st.integers(0, (1 << it[1]) - 1), st.integers(0, (1 << it[2]) - 1))
)


@given(numbers)
def test_a_usual_format_is_given_on_as_it_came(card: tuple[int, int, int]) -> None:
    bits, facility, number = card
    sent = encode_card(bits, facility, number)
    assert usual_rule(bits).apply(bits, sent) == (bits, sent)


@given(numbers, st.data())
def test_a_flipped_bit_is_refused(card: tuple[int, int, int], data: st.DataObject) -> None:
    bits, facility, number = card
    flipped = encode_card(bits, facility, number) ^ 1 << data.draw(st.integers(0, bits - 1))
    with pytest.raises(ChecksumMismatch):
        usual_rule(bits).apply(bits, flipped)


def test_a_uid_sent_the_other_way_round_is_the_card_that_the_other_readers_send() -> None:
    # MIFARE UID 04 A2 2D 9B: one reader sends it as it is, another with its bytes reversed.
    straight, reversed_ = encode_card(34, 0x04A2, 0x2D9B), encode_card(34, 0x9B2D, 0xA204)
    assert usual_rule(34, "bytes-reversed").apply(34, reversed_) == (34, straight)
    found = decode_card(34, straight)
    assert (found.facility, found.card) == (0x04A2, 0x2D9B)
    bitwise = int(f"{0x04A22D9B:032b}"[::-1], 2)
    assert usual_rule(34, "bits-reversed").apply(34, encode_card(34, bitwise >> 16, bitwise & 0xFFFF)) == (34, straight)


def test_a_reader_without_parity_and_one_that_sends_more_come_to_the_same_number() -> None:
    known = encode_card(26, 90, 324)
    plain = CardRule(24, facility=(0, 7), card=(8, 23), give=26)
    assert plain.apply(24, 90 << 16 | 324) == (26, known)
    long = CardRule(34, usual_rule(34).parity, facility=(9, 16), card=(17, 32), give=26)
    assert long.apply(34, encode_card(34, 0x125A, 324)) == (26, known)


def test_a_card_that_the_given_format_cannot_hold_is_refused_and_never_cut() -> None:
    with pytest.raises(LengthMismatch, match="does not fit H10301"):
        CardRule(34, facility=(0, 15), card=(16, 33), give=26).apply(34, 0x3_0000)
    with pytest.raises(LengthMismatch, match="a card of 34 bits, where this reader's have 26"):
        usual_rule(26).apply(34, 0)


def test_raw_bits_are_put_in_order_and_their_parities_made_right() -> None:
    assert CardRule(56, order="bytes-reversed").apply(56, 0x04A22D9B112233) == (56, 0x3322119B2DA204)
    rule = CardRule(9, (read_mask("EXXXXXXXX"),), order="bits-reversed")
    assert rule.apply(9, 0b1_00000001) == (9, 0b1_10000000)


@given(st.integers(0, 70), st.integers(0, 1 << 70), st.sampled_from(ORDERS), st.sampled_from([26, 34]))
def test_any_bits_give_a_card_or_a_protocol_error(bits: int, number: int, order: str, length: int) -> None:
    rule = usual_rule(length, order)
    try:
        given_bits, card = rule.apply(bits, number)
    except ProtocolError:
        return
    decode_card(given_bits, card)


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ("bits", {"bits": 65}),
        ("parity", {"parity": ["EXX"]}),
        ("parity", {"parity": ["EEX" + "." * 23]}),
        ("facility", {"facility": (8, 1), "card": (9, 24)}),
        ("facility", {"facility": (1, 8), "card": None}),
        ("card", {"card": (9, 26)}),
        ("card", {"card": (0, 8), "facility": None, "parity": ["EX" + "." * 24]}),
        ("card", {"facility": (1, 9)}),
        ("card", {"bits": 40}),
        ("order", {"bits": 25, "order": "bytes-reversed", "give": 26}),
        ("give", {"give": 33}),
        ("give", {"card": None, "facility": None, "give": 34}),
    ],
)
def test_a_rule_that_makes_no_sense_is_told_by_its_key(key: str, rule: dict[str, object]) -> None:
    whole = {"bits": 26, "parity": [], "facility": (1, 8), "card": (9, 24), "order": "as-sent", "give": None}
    assert not rule_complaints(**whole)  # type: ignore[arg-type]
    assert list(rule_complaints(**{**whole, **rule})) == [key]  # type: ignore[arg-type]
