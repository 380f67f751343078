"""Gaps in a meter's readings, and what the meter itself has kept of them. Pure.

A meter goes on counting while the line, the gateway or its power is away, and many freeze their
registers at each midnight. What is read back is marked as frozen, and believed only where it
lies between the last read before the gap and the first after it.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal

from drivers.base import PointValue
from protocols.quantity import Quality

MOST_DAYS = 62  # DL/T 645 meters keep as many


def missed_days(last_at: datetime, now: datetime, zone: tzinfo) -> list[date]:
    """Name the days that ended within a gap, the oldest first, of the last ``MOST_DAYS``.

    Shape: a day ends at the midnight after it in the meter's ``zone``.
    """
    day = max(last_at.astimezone(zone).date(), now.astimezone(zone).date() - timedelta(days=MOST_DAYS))
    found = []
    while end_of(day, zone) < now:
        if end_of(day, zone) > last_at:
            found.append(day)
        day += timedelta(days=1)
    return found


def end_of(day: date, zone: tzinfo) -> datetime:
    """Give the instant at which a day ends, aware UTC."""
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)


def marked(values: Sequence[PointValue], before: Decimal, after: Decimal) -> list[PointValue]:
    """Mark one register's frozen values, oldest first: FROZEN where they lie between their neighbours, else SUSPECT."""
    found = []
    for value in values:
        number, _, quality = value.quantity
        if number is not None and quality is Quality.GOOD:
            is_between = before <= number <= after
            quality = Quality.FROZEN if is_between else Quality.SUSPECT
            before = number if is_between else before
            value = value._replace(quantity=value.quantity._replace(quality=quality))
        found.append(value)
    return found
