"""What a payer says at the counter leads to one bill or to none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_server.billing.reference import number_of, reference_of

NUMBERS = st.builds("B-20{:02d}-{:02d}-{:04d}".format, st.integers(0, 99), st.integers(1, 12), st.integers(1, 99999999))


def test_a_reference_is_the_number_with_a_check_digit() -> None:
    # By Luhn's rule from the right: 3, 2, 0 and 6 doubled to 6, 4, 0 and 3, with 0, 0, 1 and 2 makes 16; 4 to 20.
    assert reference_of("B-2026-10-0203") == "2610-0203-4"


@given(NUMBERS)
def test_a_reference_leads_back_to_its_bill_however_it_is_spaced(number: str) -> None:
    reference = reference_of(number)
    assert {number_of(reference), number_of(reference.replace("-", " ")), number_of(reference.replace("-", ""))} == {
        number
    }


@given(NUMBERS, st.data())
def test_a_misheard_digit_finds_no_other_bill(number: str, data: st.DataObject) -> None:
    reference = reference_of(number)
    at = data.draw(st.sampled_from([index for index, letter in enumerate(reference) if letter.isdigit()]))
    other = data.draw(st.sampled_from(sorted(set("0123456789") - {reference[at]})))
    assert number_of(reference[:at] + other + reference[at + 1 :]) is None


@pytest.mark.parametrize("text", ["", "1-101", "王芳", "B-2026-10-0203", "2610-0203-", "2610-0203-22"])
def test_what_is_no_reference_is_none(text: str) -> None:
    assert number_of(text) is None
