"""What a card reader sends over Wiegand: a run of bits, of which the usual formats are read here.

    26  H10301  even | facility 8, card 16 | odd     parity over 12 bits on each side
    34  H10306  even | facility 16, card 16 | odd    over 16 and 16; some readers send a 32-bit UID in it
    37  H10304  even | facility 16, card 19 | odd    over the first and the last 18, the middle bit in both
        H10302  the same parities, all 35 bits are one card number

A card is known to the house by its raw bits and their number, never by what is printed on it:
a reader of 26 bits and one of 34 send different numbers of one card.

Source: chapter 4.1 of the house's fact sheet; RfidResearchGroup/proxmark3 client/src/wiegand_formats.c.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from protocols.errors import ChecksumMismatch, LengthMismatch, MalformedFrame, ProtocolError

MAX_BITS = 64  # what a reader module's register holds


class _Format(NamedTuple):
    """Bits of each field; ``span`` is how many data bits each of the two parity bits covers."""

    name: str
    facility: int
    card: int
    span: int


_FORMATS: Mapping[int, _Format] = {
    26: _Format("H10301", 8, 16, 12),
    34: _Format("H10306", 16, 16, 16),
    37: _Format("H10304", 16, 19, 18),
}


@dataclass(frozen=True, slots=True)
class WiegandCard:
    """One card as sent; ``facility`` and ``card`` are None where the length is no format known here.

    Shape: ``number`` is all bits as one number, parity bits included.
    """

    bits: int
    number: int
    format: str
    facility: int | None = None
    card: int | None = None

    @property
    def hex(self) -> str:
        """The number as rules name it: small hex without leading zeros."""
        return f"{self.number:x}"


def decode_wiegand(text: str) -> WiegandCard:
    """Read a string of zeros and ones.

    Raises: MalformedFrame, LengthMismatch, ChecksumMismatch for a parity bit that is wrong.
    """
    if not text or not set(text) <= {"0", "1"}:
        raise MalformedFrame("bits are zeros and ones")
    if len(text) > MAX_BITS:
        raise LengthMismatch(f"a card has at most {MAX_BITS} bits, not {len(text)}")
    return decode_card(len(text), int(text, 2))


def decode_card(bits: int, number: int) -> WiegandCard:
    """Read a card's raw bits, given as a number.

    Raises: ChecksumMismatch, LengthMismatch.
    """
    if not 1 <= bits <= MAX_BITS or not 0 <= number < 1 << bits:
        raise LengthMismatch(f"{number:x} does not fit {bits} bits")
    form = _FORMATS.get(bits)
    if form is None:
        return WiegandCard(bits, number, "raw")
    _check_parity(bits, number, form)
    card = number >> 1 & (1 << form.card) - 1
    facility = number >> 1 + form.card & (1 << form.facility) - 1
    return WiegandCard(bits, number, form.name, facility, card)


def encode_card(bits: int, facility: int, card: int) -> int:
    """Give the raw bits of a card that is known by its printed numbers; the parities are added.

    Raises: ValueError for a length without a format or a number that does not fit it.
    """
    format_fields(bits)
    form = _FORMATS[bits]
    if not (0 <= facility < 1 << form.facility and 0 <= card < 1 << form.card):
        raise ValueError(f"{facility}/{card} does not fit {form.name}: {form.facility} and {form.card} bits")
    data = (facility << form.card | card) << 1
    even, odd = _parities(bits, data, form)
    return data | even << bits - 1 | odd


def format_fields(bits: int) -> tuple[int, int, int]:
    """Say how many bits of a usual format are facility and card, and how many each parity covers.

    Raises: ValueError for a length without a format.
    """
    form = _FORMATS.get(bits)
    if form is None:
        raise ValueError(f"there is no format of {bits} bits; there are {', '.join(map(str, _FORMATS))}")
    return form.facility, form.card, form.span


def wiegand_capture(text: str) -> dict[str, Any]:
    """Explain a string of bits as ``edge decode`` does; blanks between them mean nothing."""
    text = "".join(text.split())
    header: dict[str, Any] = {}
    error: ProtocolError | None = None
    try:
        found = decode_wiegand(text)
        header = {"bits": found.bits, "format": found.format, "facility": found.facility, "card": found.card}
        header["number"] = found.hex
    except ProtocolError as problem:
        error, header = problem, {"bits": len(text)}
    frame: dict[str, Any] = {
        "offset": 0,
        "length": len(text),
        "ok": error is None,
        "error": None if error is None else {"kind": error.kind, "detail": error.detail},
        "header": header,
        "values": [],
    }
    return {"protocol": "wiegand", "frames": [frame], "noise": []}


def _parities(bits: int, number: int, form: _Format) -> tuple[int, int]:
    """Give the even parity of the first data bits and the odd one of the last."""
    mask = (1 << form.span) - 1
    first, last = number >> bits - 1 - form.span & mask, number >> 1 & mask
    return first.bit_count() % 2, 1 - last.bit_count() % 2


def _check_parity(bits: int, number: int, form: _Format) -> None:
    even, odd = _parities(bits, number, form)
    if number >> bits - 1 != even:
        raise ChecksumMismatch(f"the first bit is not the even parity of the {form.span} after it")
    if number & 1 != odd:
        raise ChecksumMismatch(f"the last bit is not the odd parity of the {form.span} before it")
