"""A card at a reader: whether it is new, by the module's counter, and what the house knows it by. Pure."""

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

from drivers.base import CardRead
from protocols.errors import LengthMismatch
from protocols.wiegand_rule import CardRule

_WRAP = 0x10000
# More cards than anybody shows between two looks: then the module has started again.
_MOST_STEP = 1000
# Whoever showed a card longer ago has gone; a door must not open for nobody.
LATEST_S = 3.0


class Presented(NamedTuple):
    """Whether the last card is to be decided, and how many before it nobody saw.

    Shape: ``missed`` is None where that cannot be known; ``why`` says how they were missed.
    """

    is_new: bool
    missed: int | None = 0
    why: str = ""


def presented(last: int | None, counter: int, silent_s: float) -> Presented:
    """Compare a counter with the last one seen, None at the start. Units: ``silent_s`` seconds since then."""
    if last is None:
        return Presented(False)
    step = (counter - last) % _WRAP
    if step == 0:
        return Presented(False)
    if step > _MOST_STEP:
        return Presented(False, None, "the module's counter has started again")
    if silent_s > LATEST_S:
        why = f"the module was silent for {silent_s:.0f} s" if isfinite(silent_s) else "it may be from before the start"
        return Presented(False, step, why)
    return Presented(True, step - 1, "several cards between two looks" if step > 1 else "")


def known_as(card: CardRead, rules: Sequence[CardRule]) -> CardRead:
    """Give a card as the house knows it, by the rule of its reader for so many bits; without rules as it came.

    Raises: LengthMismatch, ChecksumMismatch for a card that was not read right.
    """
    if not rules:
        return card
    for rule in rules:
        if rule.bits == card.bits:
            bits, number = rule.apply(card.bits, card.number)
            return card._replace(bits=bits, number=number)
    known = " or ".join(str(rule.bits) for rule in rules)
    raise LengthMismatch(f"a card of {card.bits} bits, where this reader's have {known}")
