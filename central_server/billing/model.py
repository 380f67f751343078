"""Tariffs and prices as pure functions: what a use of so much costs, and why."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from typing import Literal, NamedTuple

from central_server.billing.money import EXACT, round_fen, split_fen

Kind = Literal["flat", "tiered"]
TierPeriod = Literal["month", "year"]


class Name(NamedTuple):
    """What a thing is called on the bill, in both languages."""

    zh: str
    en: str


class Component(NamedTuple):
    """A part of the price that the bill shows apart: water, resource fee, sewage."""

    key: str
    name: Name


@dataclass(frozen=True, slots=True)
class Tier:
    """The price of use from ``lower`` up to, not including, ``upper``.

    Shape: ``upper`` is None for the last tier; ``parts`` are the prices of the components, in
    their order, and sum to ``price``; ``months`` is None for a tier of all seasons.
    """

    lower: Decimal
    upper: Decimal | None
    price: Decimal
    parts: tuple[Decimal, ...] = ()
    months: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """The prices of a tariff from one day on; ``digest`` is the SHA-256 of all that they say."""

    valid_from: date
    kind: Kind
    tier_period: TierPeriod | None
    tiers: tuple[Tier, ...]
    components: tuple[Component, ...]
    source: str
    digest: str

    def tiers_on(self, on: date) -> tuple[Tier, ...]:
        """Give the tiers of the season that a day lies in."""
        return tuple(tier for tier in self.tiers if tier.months is None or on.month in tier.months)


@dataclass(frozen=True, slots=True)
class Tariff:
    """A priced service; ``versions`` ascend by ``valid_from``."""

    code: str
    name: Name
    unit: str
    versions: tuple[Version, ...]

    def version_on(self, on: date) -> Version | None:
        """Give the version in force on a day, None before the first."""
        return next((version for version in reversed(self.versions) if version.valid_from <= on), None)


class TierPart(NamedTuple):
    """Use that fell into one tier.

    Units: ``exact`` in yuan, unrounded; ``fen`` is this part's share of the rounded total.
    """

    tier: Tier
    quantity: Decimal
    exact: Decimal
    fen: int


class ComponentPart(NamedTuple):
    """One component's share of the total; units as in TierPart."""

    component: Component
    exact: Decimal
    fen: int


@dataclass(frozen=True, slots=True)
class Priced:
    """The price of a use: rounded once; tiers and components each sum to ``total_fen``."""

    tiers: tuple[TierPart, ...]
    components: tuple[ComponentPart, ...]
    exact: Decimal
    total_fen: int


class RegisterWentBack(ValueError):
    """A cumulative register that decreased: suspect, and never billed from."""

    def __init__(self, opening: Decimal, closing: Decimal) -> None:
        super().__init__(f"the register went back from {opening} to {closing}")
        self.opening, self.closing = opening, closing


def consumption(opening: Decimal, closing: Decimal, multiplier: Decimal) -> Decimal:
    """Give the use between two reads of a register, to the last digit.

    Raises: RegisterWentBack; ValueError for a multiplier that is not above zero.
    """
    if multiplier <= 0:
        raise ValueError(f"a multiplier is above zero, not {multiplier}")
    if closing < opening:
        raise RegisterWentBack(opening, closing)
    with localcontext(EXACT):
        return (closing - opening) * multiplier


def price(version: Version, use: Decimal, used_before: Decimal, on: date) -> Priced:
    """Price a use that comes after ``used_before`` in the same tier period.

    Raises: ValueError for a negative use.
    """
    if use < 0 or used_before < 0:
        raise ValueError(f"use is zero or more, not {use} after {used_before}")
    with localcontext(EXACT):
        used = [(tier, _overlap(tier, used_before, used_before + use)) for tier in version.tiers_on(on)]
        used = [(tier, quantity) for tier, quantity in used if quantity > 0]
        amounts = [quantity * tier.price for tier, quantity in used]
        by_component = [
            sum((quantity * tier.parts[index] for tier, quantity in used), Decimal(0))
            for index in range(len(version.components))
        ]
        exact = sum(amounts, Decimal(0))
    total = round_fen(exact)
    tiers = (
        TierPart(tier, quantity, amount, fen)
        for (tier, quantity), amount, fen in zip(used, amounts, split_fen(total, amounts), strict=True)
    )
    components = map(ComponentPart, version.components, by_component, _split(total, by_component))
    return Priced(tuple(tiers), tuple(components), exact, total)


def _overlap(tier: Tier, start: Decimal, end: Decimal) -> Decimal:
    top = end if tier.upper is None else min(end, tier.upper)
    return top - max(start, tier.lower)


def _split(total: int, weights: list[Decimal]) -> tuple[int, ...]:
    return split_fen(total, weights) if weights else ()
