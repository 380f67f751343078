"""The data types of EN 13757-3: binary, BCD, real, and four ways to write a date.

Source: EN 13757-3 annex A as public implementations have it (rscada/libmbus, mbus-protocol.c).
"""

import struct
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import NamedTuple

from protocols.quantity import Quality, decimal_from_float32

_REAL = struct.Struct("<f")


class Datum(NamedTuple):
    """A decoded field: a number, or a text where it is none."""

    value: Decimal | None = None
    text: str | None = None
    quality: Quality = Quality.GOOD


_NOT_AVAILABLE = Datum(quality=Quality.NOT_AVAILABLE)


def decode_bcd(data: bytes, *, is_negative: bool = False) -> Datum:
    """Read a type A field, low byte first.

    Shape: F in the highest digit is a minus, F in all of them "not available"; any other digit
    above 9 is INVALID and keeps its digits as text.
    """
    digits = data[::-1].hex()
    if not digits:
        return Datum(Decimal(0))
    if set(digits) == {"f"}:
        return _NOT_AVAILABLE
    if digits[0] == "f":
        is_negative, digits = True, digits[1:]
    if not digits.isdecimal():
        return Datum(text=digits.upper(), quality=Quality.INVALID)
    return Datum(-Decimal(int(digits)) if is_negative else Decimal(int(digits)))


def decode_identification(data: bytes) -> Datum:
    """Read a number that is a name: its leading zeros belong to it."""
    digits = data[::-1].hex().upper()
    return _NOT_AVAILABLE if set(digits) <= {"F"} else Datum(text=digits)


def decode_integer(data: bytes, *, is_signed: bool = True) -> Datum:
    """Read a type B field, or an unsigned type C one; the lowest number of type B says "not available"."""
    if is_signed and data and data[-1] == 0x80 and not any(data[:-1]):
        return _NOT_AVAILABLE
    return Datum(Decimal(int.from_bytes(data, "little", signed=is_signed)))


def decode_real(data: bytes) -> Datum:
    """Read a type H field, a float32; NaN says "not available"."""
    (number,) = _REAL.unpack(data)
    if number != number:
        return _NOT_AVAILABLE
    try:
        return Datum(decimal_from_float32(number))
    except ValueError:
        return Datum(quality=Quality.INVALID)


def decode_text(data: bytes) -> Datum:
    """Read a text: Latin-1, last letter first."""
    return Datum(text=data[::-1].decode("latin-1").strip("\x00"))


def decode_time(data: bytes) -> Datum:
    """Read a point in time by its length: 2 bytes G (a date), 3 J (a time), 4 F (to the minute), 6 I (to the second).

    Shape: ISO 8601 in the meter's own zone; what the meter marks invalid, or fills, is NOT_AVAILABLE.
    """
    if set(data) <= {0xFF} or not data:
        return _NOT_AVAILABLE
    if len(data) == 2:
        return _date(data)
    if len(data) == 3:
        return _clock(data)
    if len(data) == 4:
        return _minute(data)
    if len(data) == 6:
        return _second(data)
    return Datum(text=data.hex(), quality=Quality.INVALID)


def _date(data: bytes) -> Datum:
    year, month, day = _calendar(data)
    return _said(data, lambda: date(year, month, day).isoformat())


def _clock(data: bytes) -> Datum:
    return _said(data, lambda: time(data[2] & 0x1F, data[1] & 0x3F, data[0] & 0x3F).isoformat())


def _minute(data: bytes) -> Datum:
    if data[0] & 0x80:
        return _NOT_AVAILABLE
    year, month, day = _calendar(data[2:], data[1] >> 5 & 0b11)
    hour, minute = data[1] & 0x1F, data[0] & 0x3F
    return _said(data, lambda: datetime(year, month, day, hour, minute).isoformat(timespec="minutes"))  # noqa: DTZ001 - meters name no zone


def _second(data: bytes) -> Datum:
    if data[1] & 0x80:
        return _NOT_AVAILABLE
    year, month, day = _calendar(data[3:5])
    hour, minute, second = data[2] & 0x1F, data[1] & 0x3F, data[0] & 0x3F
    return _said(data, lambda: datetime(year, month, day, hour, minute, second).isoformat())  # noqa: DTZ001 - as above


def _calendar(data: bytes, hundreds: int = 0) -> tuple[int, int, int]:
    """Take year, month and day from two bytes; only type F may say the century."""
    year = data[0] >> 5 | (data[1] & 0xF0) >> 1
    if year > 99:  # 127 is "every year": a rule and no date
        return 0, 0, 0
    # Two digits up to 80 are of this century where nothing says otherwise.
    century = 1900 + 100 * hundreds if hundreds or year > 80 else 2000
    return century + year, data[1] & 0xF, data[0] & 0x1F


def _said(data: bytes, say: Callable[[], str]) -> Datum:
    try:
        return Datum(text=say())
    except ValueError:
        # A date of all zeros is how a meter says that it has none.
        return Datum(text=data.hex(), quality=Quality.NOT_AVAILABLE if not any(data) else Quality.INVALID)
