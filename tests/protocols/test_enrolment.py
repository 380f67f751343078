"""One-time codes: read as printed and as typed, and no mistake passes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.enrolment import make_code, read_code
from protocols.errors import ProtocolError

DER = b"a certificate"


def test_a_code_is_made_to_be_read_out_and_fits_one_certificate_only() -> None:
    code = make_code(DER)
    assert re.fullmatch(r"([A-Z2-7]{4}-){10}[A-Z2-7]{4}", code), code
    read = read_code(f" {code.lower().replace('-', ' ')}\n")
    assert (read.fits(DER), read.fits(DER + b"!"), len(read.secret)) == (True, False, 16)
    assert read_code(make_code(DER)).secret != read.secret


@given(st.text(max_size=60))
def test_no_text_is_taken_for_a_code_by_accident(text: str) -> None:
    with pytest.raises(ProtocolError):
        read_code(text)


def test_most_wrong_letters_and_every_missing_one_are_seen() -> None:
    code = make_code(DER).replace("-", "")
    for at in range(len(code)):
        with pytest.raises(ProtocolError):
            read_code(code[:at] + code[at + 1 :])
    unseen = 0
    for at in range(len(code)):
        for letter in set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") - {code[at]}:
            try:
                read_code(code[:at] + letter + code[at + 1 :])
                unseen += 1
            except ProtocolError:
                pass
    assert unseen < 44 * 31 * 0.05  # one byte of check: about one in 256
