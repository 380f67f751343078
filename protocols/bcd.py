"""Binary coded decimals as Chinese meters send them: low byte first, FF where there is no value."""

from decimal import Decimal

from protocols.quantity import Quality, Quantity


def decode_bcd(data: bytes, *, decimals: int = 0, unit: str = "", is_signed: bool = False) -> Quantity:
    """Read a BCD field, low byte first.

    Shape: FF in every byte is NOT_AVAILABLE; a nibble above 9 is INVALID; neither has a value.
    A signed field carries its sign in the top bit of the last byte.
    """
    if not data:
        return Quantity(None, unit, Quality.INVALID)
    if all(byte == 0xFF for byte in data):
        return Quantity(None, unit, Quality.NOT_AVAILABLE)
    is_negative = is_signed and bool(data[-1] & 0x80)
    if is_negative:
        data = data[:-1] + bytes((data[-1] & 0x7F,))
    digits = data[::-1].hex()
    if not digits.isdecimal():
        return Quantity(None, unit, Quality.INVALID)
    value = Decimal(int(digits)).scaleb(-decimals)
    return Quantity(-value if is_negative else value, unit)


def encode_bcd(value: Decimal | int, length: int, *, decimals: int = 0, is_signed: bool = False) -> bytes:
    """Write a BCD field, low byte first.

    Raises: ValueError for a value that does not fit the field exactly.
    """
    scaled = Decimal(value).scaleb(decimals)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{value} has more than {decimals} decimal places")
    number = int(scaled)
    if number < 0 and not is_signed:
        raise ValueError(f"{value} is negative and the field has no sign")
    digits = f"{abs(number):0{2 * length}d}"
    if len(digits) > 2 * length or (is_signed and digits[0] > "7"):
        raise ValueError(f"{value} does not fit {length} bytes")
    data = bytearray.fromhex(digits)[::-1]
    if number < 0:
        data[-1] |= 0x80
    return bytes(data)
