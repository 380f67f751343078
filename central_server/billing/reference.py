"""The short reference a payer says at the counter: a bill's number without its letters, and a check digit.

    B-2026-10-0203  <->  2610-0203-9

The last digit is wrong for every single digit misheard and nearly every two neighbours swapped.
Source: Luhn, ISO/IEC 7812-1 annex B.
"""

import re

_NUMBER = re.compile(r"B-20([0-9]{2})-([0-9]{2})-([0-9]{4,8})")
_REFERENCE = re.compile(r"([0-9]{4})[ -]?([0-9]{4,8})[ -]?([0-9])", re.ASCII)


def reference_of(number: str) -> str:
    """Give the reference of a bill's number; a number of another form is its own."""
    found = _NUMBER.fullmatch(number)
    if found is None:
        return number
    year, month, sequence = found.groups()
    return f"{year}{month}-{sequence}-{_check_digit(year + month + sequence)}"


def number_of(reference: str) -> str | None:
    """Give the bill's number that a reference names, None where the check digit does not fit."""
    found = _REFERENCE.fullmatch(reference.strip())
    if found is None:
        return None
    month, sequence, check = found.groups()
    if _check_digit(month + sequence) != check:
        return None
    return f"B-20{month[:2]}-{month[2:]}-{sequence}"


def _check_digit(digits: str) -> str:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)
