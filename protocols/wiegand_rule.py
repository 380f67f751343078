"""How one reader's bits become the number that the house knows a card by.

Readers differ: one sends a card's UID with its bytes the other way round, one takes other parity
bits, one sends 32 bits of what others send 34 of. A rule says which bits are what in a reader's
message, and what is given on is always the usual format with its right parities:

    bits = 34
    parity = ["EXXXXXXXXXXXXXXXX.................", "................. XXXXXXXXXXXXXXXXO"]  (blanks mean nothing)
    facility = [1, 16]      first and last bit, the first bit sent is 0
    card = [17, 32]
    order = "bytes-reversed"

In a mask E and O stand where the even and the odd parity bit is, X on every bit that it is over.

Source: chapter 4.1 of the house's fact sheet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from protocols.errors import ChecksumMismatch, LengthMismatch
from protocols.wiegand import MAX_BITS, encode_card, format_fields

ORDERS = ("as-sent", "bytes-reversed", "bits-reversed")


class Mask(NamedTuple):
    """One parity: the bit that is sent and those it is over, as masks of the whole message."""

    bit: int
    over: int
    is_odd: bool


@dataclass(frozen=True, slots=True)
class CardRule:
    """One kind of reader.

    Shape: ``facility`` and ``card`` are first and last bit of each as sent, both inclusive, None
    where there is no such field; without ``card`` the bits are given on as they are. ``give`` is how
    many bits the house's number has, a usual format's or, without ``card``, the reader's own.
    """

    bits: int
    parity: tuple[Mask, ...] = ()
    facility: tuple[int, int] | None = None
    card: tuple[int, int] | None = None
    order: str = "as-sent"
    give: int | None = None

    def apply(self, bits: int, number: int) -> tuple[int, int]:
        """Give a card's bits and number as the house knows them.

        Raises: LengthMismatch for another number of bits, or for a card that the given format cannot
        hold; ChecksumMismatch for a wrong parity.
        """
        if bits != self.bits or not 0 <= number < 1 << bits:
            raise LengthMismatch(f"a card of {bits} bits, where this reader's have {self.bits}")
        for mask in self.parity:
            if (number & (mask.bit | mask.over)).bit_count() % 2 != mask.is_odd:
                raise ChecksumMismatch(f"the {'odd' if mask.is_odd else 'even'} parity of the card is wrong")
        data, positions = self._data(number)
        data = _ordered(data, len(positions), self.order)
        if self.card is None:
            return bits, self._put_back(number, data, positions)
        facility = _cut(data, positions, self.facility) if self.facility is not None else 0
        card = _cut(data, positions, self.card)
        given = self.give or bits
        try:
            return given, encode_card(given, facility, card)
        except ValueError as error:
            raise LengthMismatch(str(error)) from None

    def _data(self, number: int) -> tuple[int, list[int]]:
        """Give the bits that are no parity, as a number, and where they stand."""
        taken = 0
        for mask in self.parity:
            taken |= mask.bit
        positions = [place for place in range(self.bits) if not taken >> self.bits - 1 - place & 1]
        data = 0
        for place in positions:
            data = data << 1 | number >> self.bits - 1 - place & 1
        return data, positions

    def _put_back(self, number: int, data: int, positions: Sequence[int]) -> int:
        """Put the data back among the parities, and make those fit them again."""
        if not self.parity:
            return data
        for offset, place in enumerate(reversed(positions)):
            bit = 1 << self.bits - 1 - place
            number = number & ~bit | (bit if data >> offset & 1 else 0)
        for mask in self.parity:
            number &= ~mask.bit
            if (number & mask.over).bit_count() % 2 != mask.is_odd:
                number |= mask.bit
        return number


def usual_rule(bits: int, order: str = "as-sent") -> CardRule:
    """Give the rule of a usual format.

    Raises: ValueError for a length without one.
    """
    facility, card, span = format_fields(bits)
    parity = (
        read_mask("E" + "X" * span + "." * (bits - 1 - span)),
        read_mask("." * (bits - 1 - span) + "X" * span + "O"),
    )
    return CardRule(bits, parity, (1, facility), (1 + facility, facility + card), order)


def read_mask(text: str) -> Mask:
    """Read a parity mask.

    Raises: ValueError, with what is expected.
    """
    text = "".join(text.split())
    marks = [mark for mark in text if mark in "EO"]
    if not set(text) <= set("EOX.") or len(marks) != 1 or "X" not in text:
        raise ValueError(
            f"'{text}' is no parity mask: one E or O for the parity bit, X for the bits it is over, . else"
        )
    bit = over = 0
    for mark in text:
        bit = bit << 1 | (mark in "EO")
        over = over << 1 | (mark == "X")
    return Mask(bit, over, "O" in marks)


def rule_complaints(
    bits: int,
    parity: Sequence[str],
    facility: tuple[int, int] | None,
    card: tuple[int, int] | None,
    order: str,
    give: int | None,
) -> Mapping[str, str]:
    """Say what is wrong with a rule before it is made, by key; nothing where it is right."""
    wrong: dict[str, str] = {}
    if not 1 <= bits <= MAX_BITS:
        return {"bits": f"a card has 1 to {MAX_BITS} bits, not {bits}"}
    masks = 0
    for text in parity:
        try:
            mask = read_mask(text)
        except ValueError as error:
            return {"parity": str(error)}
        if (length := len("".join(text.split()))) != bits:
            return {"parity": f"a mask of {length} bits, where the card has {bits}"}
        masks |= mask.bit
    for key, field in (("facility", facility), ("card", card)):
        if field is None:
            continue
        first, last = field
        if not 0 <= first <= last < bits:
            wrong[key] = f"bits {first} to {last} do not lie in order within the {bits} of the card, 0 to {bits - 1}"
        elif any(masks >> bits - 1 - place & 1 for place in range(first, last + 1)):
            wrong[key] = f"bits {first} to {last} hold a parity bit"
    if facility is not None and card is None:
        wrong["facility"] = "a facility without a card"
    if facility and card and not (facility[1] < card[0] or card[1] < facility[0]):
        wrong["card"] = "the card and the facility share bits"
    if order == "bytes-reversed" and (bits - masks.bit_count()) % 8:
        wrong["order"] = f"{bits - masks.bit_count()} bits of data are no whole bytes to be reversed"
    if not wrong:
        wrong |= _give_complaint(bits, card, give)
    return wrong


def _give_complaint(bits: int, card: tuple[int, int] | None, give: int | None) -> Mapping[str, str]:
    if card is None:
        return {} if give in (None, bits) else {"give": "without a 'card' the bits are given on as they are"}
    try:
        format_fields(give or bits)
    except ValueError as error:
        return {"give" if give else "card": str(error)}
    return {}


def _ordered(data: int, width: int, order: str) -> int:
    if order == "bytes-reversed":
        return int.from_bytes(data.to_bytes(width // 8, "little"), "big")
    if order == "bits-reversed":
        return int(f"{data:0{width}b}"[::-1], 2) if width else 0
    return data


def _cut(data: int, positions: Sequence[int], field: tuple[int, int]) -> int:
    """Take a field, whose places count the parity bits as well."""
    first, last = positions.index(field[0]), positions.index(field[1])
    return data >> len(positions) - 1 - last & (1 << last - first + 1) - 1
