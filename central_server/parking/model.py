"""Parking's rules: whole months, one price at a time, and never more renters than spaces.

Units: a period is a month as "YYYY-MM" and compares as text; money is in fen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

MOST_SPACES = 2_000


class Kind(StrEnum):
    """What a place is: one car's own, or a lot that several share."""

    FIXED = "fixed"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Price:
    """What a place costs a month, from a month on until the next price."""

    from_period: str
    month_fen: int


@dataclass(frozen=True, slots=True)
class Span:
    """The months of a lease, the last one included; None: until somebody ends it."""

    from_period: str
    to_period: str | None

    def holds(self, period: str) -> bool:
        return self.from_period <= period and (self.to_period is None or period <= self.to_period)

    def meets(self, other: "Span") -> bool:
        """Tell whether two leases have a month in common."""
        return (other.to_period is None or self.from_period <= other.to_period) and (
            self.to_period is None or other.from_period <= self.to_period
        )


def price_in(prices: Iterable[Price], period: str) -> Price | None:
    """Give the price in force in a month."""
    begun = [price for price in prices if price.from_period <= period]
    return max(begun, key=lambda price: price.from_period, default=None)


def most_at_once(spans: Sequence[Span], wanted: Span) -> int:
    """Count how many leases stand in the fullest month of a wanted one."""
    met = [span for span in spans if span.meets(wanted)]
    # It can only get fuller in a month in which a lease begins.
    begins = {wanted.from_period, *(span.from_period for span in met if span.from_period > wanted.from_period)}
    return max(sum(span.holds(period) for span in met) for period in begins)


Period = Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]
Code = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Yuan = Annotated[Decimal, Field(gt=0, le=100_000, decimal_places=2)]


class NewPrice(BaseModel):
    """A price as the office writes it."""

    price: Yuan
    price_from: Period

    @property
    def month_fen(self) -> int:
        return int(self.price * 100)


class NewPlace(NewPrice):
    """A place as the office writes it."""

    site: int | None = None
    code: Code
    kind: Kind
    spaces: Annotated[int, Field(ge=1, le=MOST_SPACES)] = 1


class NewLease(BaseModel):
    """A lease as the office writes it; ``person`` is a whole name of somebody of the unit."""

    unit: Code
    person: Annotated[str, StringConstraints(max_length=200)] | None = None
    from_period: Period
    to_period: Period | None = None


class EndLease(BaseModel):
    """The last month of a lease."""

    to_period: Period


class Fees(BaseModel):
    """The month whose fees to make."""

    period: Period
