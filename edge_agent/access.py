"""Grant or deny: one pure function of a card, a door, an instant and the rules.

Asked in this order; the first that holds is the reason:

    fire at the door                               emergency_open  granted
    no rules have ever come                        no_rules
    no credential has these bits                   unknown_card
    revoked | not yet valid | no longer valid      revoked, not_yet_valid, expired
    no grant names the door                        no_right
    a grant names it, and no schedule is open      outside_hours
    its class asks for fresher rules than these    stale_rules
    else                                           granted

Where several credentials name one card, any of them may open; a denial is that of the nearest to opening.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from drivers.base import CardRead
from protocols.access import Credential, DoorRule, Rules, Schedule

# The nearer to opening, the more it says to whoever stands at the door or looks it up.
_NEAREST = ("granted", "stale_rules", "outside_hours", "no_right", "not_yet_valid", "expired", "revoked")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Rules laid out for looking up."""

    rules: Rules
    zone: ZoneInfo
    cards: Mapping[tuple[int, int], tuple[Credential, ...]]
    schedules: Mapping[str, Schedule]
    doors: Mapping[str, DoorRule]
    trusts: Mapping[str, int]

    def door(self, code: str) -> DoorRule:
        """Give a door's own rule, or the usual one."""
        return self.doors.get(code) or DoorRule(code)

    def is_fresh(self, credential: Credential, silent_s: float) -> bool:
        """Tell whether the rules may still be trusted for a credential."""
        bound = self.rules.fresh_for_s if credential.trust is None else self.trusts[credential.trust]
        return not 0 < bound < silent_s


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a door opens and why; ``credential`` is None where no credential was found."""

    is_granted: bool
    reason: str
    credential: str | None = None


def open_book(rules: Rules) -> RuleBook:
    """Lay rules out; costs a second for a hundred thousand cards, so it is done once a version."""
    cards: dict[tuple[int, int], tuple[Credential, ...]] = {}
    for credential in sorted(rules.credentials, key=lambda it: it.id):
        key = (credential.bits, int(credential.number, 16))
        cards[key] = (*cards.get(key, ()), credential)
    return RuleBook(
        rules,
        ZoneInfo(rules.zone),
        cards,
        {schedule.id: schedule for schedule in rules.schedules},
        {door.code: door for door in rules.doors},
        {trust.id: trust.fresh_for_s for trust in rules.trusts},
    )


def decide(
    card: CardRead, door: str, now: int, book: RuleBook | None, *, silent_s: float = 0.0, is_fire: bool = False
) -> Decision:
    """Decide whether a card opens a door.

    Units: ``now`` is milliseconds since 1970 in UTC; ``silent_s`` is for how long the centre has
    not confirmed the rules.
    """
    if is_fire:
        return Decision(True, "emergency_open", _name(card, book))
    if book is None:
        return Decision(False, "no_rules")
    found = [(_reason(it, door, now, book, silent_s), it.id) for it in book.cards.get((card.bits, card.number), ())]
    if not found:
        return Decision(False, "unknown_card")
    reason, credential = min(found, key=lambda it: _NEAREST.index(it[0]))
    return Decision(reason == "granted", reason, credential)


def is_open(schedule: Schedule, now: int, zone: ZoneInfo) -> bool:
    """Tell whether a schedule is open: by the clock on the wall, closed all through a holiday.

    A window that crosses midnight belongs to the day on which it begins.
    """
    local = datetime.fromtimestamp(now / 1000, zone)
    if local.date().isoformat() in schedule.holidays:
        return False
    today, yesterday = local.weekday(), (local - _DAY).weekday()
    minute = 60 * local.hour + local.minute
    for window in schedule.windows:
        if window.from_minute < window.to_minute:
            if today in window.days and window.from_minute <= minute < window.to_minute:
                return True
        elif (today in window.days and minute >= window.from_minute) or (
            yesterday in window.days and minute < window.to_minute
        ):
            return True
    return False


def _reason(credential: Credential, door: str, now: int, book: RuleBook, silent_s: float) -> str:
    if credential.is_revoked:
        return "revoked"
    if credential.valid_from is not None and now < credential.valid_from:
        return "not_yet_valid"
    if credential.valid_to is not None and now >= credential.valid_to:
        return "expired"
    schedules = [grant.schedule for grant in credential.grants if door in grant.doors]
    if not schedules:
        return "no_right"
    is_now = any(it is None or is_open(book.schedules[it], now, book.zone) for it in schedules)
    if not is_now:
        return "outside_hours"
    return "granted" if book.is_fresh(credential, silent_s) else "stale_rules"


def _name(card: CardRead, book: RuleBook | None) -> str | None:
    """Name whose card it is where that does not change the decision."""
    found = book.cards.get((card.bits, card.number)) if book is not None else None
    return found[0].id if found else None
