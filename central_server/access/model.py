"""From cards, residents and schedules to the rules of one gateway; pure.

Nothing of a tenancy is copied into a card: a card on the basis of residency is valid whenever its
person belongs to a unit of the site, from local midnight to local midnight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from protocols.access import Credential, DoorRule, Grant, Rules, Schedule, Trust

PULSE_MS, HELD_OPEN_S = 3000, 30
_NEVER = 0  # an end that every instant is behind


class Basis(StrEnum):
    """What makes a card valid: that its person lives or owns here, or its own two days alone."""

    RESIDENCY = "residency"
    DATES = "dates"


# With the centre away a gateway cannot hear that a card was revoked. Residents are let in all the same; whoever comes
# by dates alone, such as a builder, is so for a week.
USUAL_FRESH_H: Mapping[Basis, int] = {Basis.RESIDENCY: 0, Basis.DATES: 168}


@dataclass(frozen=True, slots=True)
class Span:
    """Days from ``from_on`` to before ``to_on``; None is open. ISO dates sort as they come."""

    from_on: str | None
    to_on: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """A card as the database has it; ``grants`` are (group, schedule or None for always)."""

    id: int
    person_id: int
    basis: Basis
    bits: int
    number: str
    span: Span
    is_revoked: bool
    grants: tuple[tuple[int, int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Door:
    """A door at a gateway, with how it is worked."""

    device_id: int
    gateway_id: int
    code: str
    pulse_ms: int = PULSE_MS
    held_open_s: int = HELD_OPEN_S


@dataclass(frozen=True, slots=True)
class SiteRules:
    """All that the rules of a site's gateways are made from."""

    zone: str
    doors: Sequence[Door] = ()
    groups: Mapping[int, frozenset[int]] = field(default_factory=dict)  # devices by group
    schedules: Sequence[Schedule] = ()
    cards: Sequence[Card] = ()
    stays: Mapping[int, Sequence[Span]] = field(default_factory=dict)  # by person
    fresh_h: Mapping[Basis, int] = field(default_factory=dict)  # where it is not the usual


def build(site: SiteRules, gateway_id: int, edge_id: str, version: int, issued_at: int) -> Rules:
    """Make the rules of one gateway: all cards, so that a known one is told from an unknown; its own doors."""
    codes = {door.device_id: door.code for door in site.doors if door.gateway_id == gateway_id}
    zone = ZoneInfo(site.zone)
    fresh_s = {basis: 3600 * site.fresh_h.get(basis, usual) for basis, usual in USUAL_FRESH_H.items()}
    return Rules(
        edge_id=edge_id,
        version=version,
        issued_at=issued_at,
        zone=site.zone,
        fresh_for_s=fresh_s[Basis.RESIDENCY],
        schedules=tuple(site.schedules),
        credentials=tuple(
            each
            for card in site.cards
            for each in _credentials(card, site.stays.get(card.person_id, ()), zone, codes, site)
        ),
        doors=tuple(
            DoorRule(door.code, door.pulse_ms, door.held_open_s) for door in site.doors if door.gateway_id == gateway_id
        ),
        trusts=(Trust(Basis.DATES.value, fresh_s[Basis.DATES]),),
    )


def credential_key(name: str | None) -> int | None:
    """Give the card that a credential of the rules stands for."""
    digits = (name or "").partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 18 else None


def _credentials(
    card: Card, stays: Sequence[Span], zone: ZoneInfo, codes: Mapping[int, str], site: SiteRules
) -> list[Credential]:
    """Give a credential for every stretch of validity; a card that never is valid is known, and expired."""
    spans = [card.span] if card.basis is Basis.DATES else [_both(card.span, stay) for stay in merge(stays)]
    limits = [(_midnight(it.from_on, zone), _midnight(it.to_on, zone)) for it in spans if _has_days(it)] or [
        (None, _NEVER)
    ]
    grants = () if card.is_revoked else _grants(card, codes, site)
    return [
        Credential(
            id=str(card.id) if number == 0 else f"{card.id}.{number}",
            bits=card.bits,
            number=card.number,
            valid_from=valid_from,
            valid_to=valid_to,
            is_revoked=card.is_revoked,
            grants=grants,
            trust=card.basis.value if card.basis is Basis.DATES else None,
        )
        for number, (valid_from, valid_to) in enumerate(limits)
    ]


def _grants(card: Card, codes: Mapping[int, str], site: SiteRules) -> tuple[Grant, ...]:
    found = []
    for group, schedule in card.grants:
        doors = frozenset(codes[device] for device in site.groups.get(group, frozenset()) if device in codes)
        if doors:
            found.append(Grant(doors, None if schedule is None else str(schedule)))
    return tuple(found)


def merge(spans: Sequence[Span]) -> list[Span]:
    """Join stretches that touch or overlap: whoever moves from one unit into another never leaves."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda it: it.from_on or ""):
        last = joined[-1] if joined else None
        if last is None or (last.to_on is not None and (span.from_on or "") > last.to_on):
            joined.append(span)
        elif last.to_on is not None:
            joined[-1] = Span(last.from_on, None if span.to_on is None else max(last.to_on, span.to_on))
    return joined


def _both(one: Span, other: Span) -> Span:
    ends = [end for end in (one.to_on, other.to_on) if end is not None]
    return Span(max(one.from_on or "", other.from_on or "") or None, min(ends, default=None))


def _has_days(span: Span) -> bool:
    return span.to_on is None or (span.from_on or "") < span.to_on


def _midnight(on: str | None, zone: ZoneInfo) -> int | None:
    """Give the instant a day begins at the site; where the clocks jump over midnight, the first there is."""
    if on is None:
        return None
    return int(datetime.fromisoformat(on).replace(tzinfo=zone).timestamp() * 1000)
