"""What residents agree to, and which bills are theirs to see."""

from collections.abc import Iterable
from dataclasses import dataclass

# Counts up when the text of portal/me.html says something else; what was agreed to before is asked for again.
WORDING = 1
PRIVACY = "privacy"

PAYERS = ("owner", "tenant")  # those who live with them do not see what others owe


@dataclass(frozen=True, slots=True)
class Stay:
    """Since when somebody belongs to a unit; ``to_on`` is the first day without."""

    kind: str
    from_on: str
    to_on: str | None


def may_see(stays: Iterable[Stay], first_day: str, last_day: str) -> bool:
    """Tell whether somebody was there to pay in any day of a bill; before and after, it is another's."""
    return any(
        stay.kind in PAYERS and stay.from_on <= last_day and (stay.to_on is None or first_day < stay.to_on)
        for stay in stays
    )
