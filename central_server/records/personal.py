"""What is written of people and their cars, brought into one form, so that it is found however it was typed."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

from central_server.form import FieldError

_SEPARATORS = re.compile(r"[\s\-().·•]+")
_PHONE = re.compile(r"\+?\d{7,15}")
_PLATE = re.compile(r"[A-Z0-9一-鿿]{4,10}")
_ID_NUMBER = re.compile(r"[A-Z0-9]{5,20}")
_CHINESE_ID = re.compile(r"\d{17}[\dX]")
# GB 11643-1999: each digit's weight, and the last character for each remainder.
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"


def plain_phone(text: str) -> str:
    """Leave the digits of a phone number; China's own prefix goes, another country's stays."""
    plain = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text))
    return re.sub(r"^(?:\+|00)86(?=1\d{10}$)", "", plain)


def plain_plate(text: str) -> str:
    """Leave the letters of a number plate, in capitals."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", text)).upper()


def last_four(phone: str) -> str:
    """Give the last four digits, by which people at a desk are found."""
    return phone[-4:]


def _phone(text: str) -> str:
    plain = plain_phone(text)
    if not _PHONE.fullmatch(plain):
        raise FieldError("This is no phone number: 7 to 15 digits, such as 13800001234.")
    return plain


def _plate(text: str) -> str:
    plain = plain_plate(text)
    if not _PLATE.fullmatch(plain):
        raise FieldError("This is no number plate: 4 to 10 letters and digits, such as 京A12345.")
    return plain


def _id_number(text: str) -> str:
    plain = plain_plate(text)
    if not _ID_NUMBER.fullmatch(plain):
        raise FieldError("This is no identity number: 5 to 20 letters and digits.")
    if len(plain) == 18 and not _is_chinese_id(plain):
        raise FieldError("The check digit of this identity number does not fit; one of its digits is wrong.")
    return plain


def _is_chinese_id(number: str) -> bool:
    if not _CHINESE_ID.fullmatch(number):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True))
    return number[17] == _CHECKS[total % 11]


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name.isprintable() or not name:
        raise FieldError("A name is written in letters that can be seen.")
    return name


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_name)]
Phone = Annotated[str, Field(max_length=40), AfterValidator(_phone)]
Plate = Annotated[str, Field(max_length=20), AfterValidator(_plate)]
IdNumber = Annotated[str, Field(max_length=30), AfterValidator(_id_number)]
