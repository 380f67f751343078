"""Exact money: integer fen, decimals that refuse to lose a digit, one rounding rule, one splitting rule."""

from collections.abc import Sequence
from decimal import (
    ROUND_HALF_UP,
    Clamped,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    Underflow,
)
from fractions import Fraction

# Python's own 28 digits are too few for a 19-digit register times a price, and round in silence.
EXACT = Context(
    prec=120,
    Emin=-999_999,
    Emax=999_999,
    traps=[Clamped, DivisionByZero, Inexact, InvalidOperation, Overflow, Underflow],
)
_ROUNDING = Context(prec=120, rounding=ROUND_HALF_UP)
_FEN = Decimal(1)


def round_fen(yuan: Decimal) -> int:
    """Round an exact amount to the fen, halves away from zero; the one rounding of a bill line.

    Units: yuan in, fen out.
    """
    return int(_ROUNDING.quantize(EXACT.scaleb(yuan, 2), _FEN))


def yuan(fen: int) -> str:
    """Print fen as yuan with two places."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def plain(value: Decimal) -> str:
    """Print a decimal without an exponent, every digit of it."""
    return format(value, "f")


def split_fen(total: int, weights: Sequence[Decimal]) -> tuple[int, ...]:
    """Split an amount by weight so that the parts sum to it: largest remainder, ties to the first.

    Units: fen. Raises: ValueError for a negative amount or weight, or no weight to split something by.
    """
    if total < 0 or any(weight < 0 for weight in weights):
        raise ValueError("an amount is split by weights of zero and more")
    whole = sum(map(Fraction, weights), Fraction(0))
    if whole == 0:
        if total:
            raise ValueError(f"{yuan(total)} cannot be split: all weights are zero")
        return (0,) * len(weights)
    quotas = [Fraction(weight) * total / whole for weight in weights]
    parts = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda position: (parts[position] - quotas[position], position))
    for position in by_remainder[: total - sum(parts)]:
        parts[position] += 1
    return tuple(parts)
