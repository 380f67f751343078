"""However a number was typed, it is the same number."""

import pytest
from pydantic import TypeAdapter, ValidationError

from central_server.records.personal import IdNumber, Phone, Plate, last_four, plain_phone, plain_plate


@pytest.mark.parametrize(
    "text", ["13800001234", "138 0000 1234", "+86 138-0000-1234", "0086 13800001234", "１３８００００１２３４"]
)
def test_a_phone_number_is_found_however_it_was_typed(text: str) -> None:
    assert plain_phone(text) == "13800001234"
    assert last_four(plain_phone(text)) == "1234"


def test_a_number_of_another_country_keeps_its_prefix() -> None:
    assert plain_phone("+49 30 1234567") == "+49301234567"


@pytest.mark.parametrize("text", ["京a·12345", "京A 12345", "京A12345", " 京A-12345 "])
def test_a_plate_is_found_however_it_was_typed(text: str) -> None:
    assert plain_plate(text) == "京A12345"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Phone, "call me"),
        (Phone, "123"),
        (Plate, "京"),
        (Plate, "=1+1"),
        (IdNumber, "?"),
        (IdNumber, "110105194912310021"),
    ],
)
def test_what_is_no_number_is_refused(kind: object, text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)


def test_an_identity_number_with_its_check_digit_is_taken() -> None:
    assert TypeAdapter(IdNumber).validate_python("11010519491231002x") == "11010519491231002X"
