"""From registers to use: what passed through a meter in each stretch of time. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Read(NamedTuple):
    """A register at an instant. Units: ``at`` in ms since 1970 UTC."""

    at: int
    value: Decimal


@dataclass(frozen=True, slots=True)
class Use:
    """The use of one stretch; None where nothing was read in it.

    Shape: ``is_estimate`` says that it holds what passed during a gap before, not this stretch's alone.
    """

    value: Decimal | None
    is_estimate: bool = False


def uses(marks: Sequence[int], reads: Sequence[Read | None], first: Read | None = None) -> list[Use]:
    """Give the use between each two marks, from what the register showed at each mark.

    ``first`` is the first reading there is at or after the first mark, the opening of a meter
    that was not read before. A register that fell was changed or reset: its stretch has no use.
    """
    found = []
    for position in range(len(marks) - 1):
        start, end = marks[position], marks[position + 1]
        opening, closing = reads[position], reads[position + 1]
        if opening is None and first is not None and start <= first.at <= end:
            opening = first
        if opening is None or closing is None or closing.at <= start or closing.value < opening.value:
            found.append(Use(None))
        else:
            found.append(Use(closing.value - opening.value, start - opening.at > (end - start) * 3 // 2))
    return found


def total(parts: Iterable[Use]) -> Decimal | None:
    """Sum uses; None if there is none at all."""
    known = [part.value for part in parts if part.value is not None]
    return sum(known, Decimal(0)) if known else None


def sum_up(columns: Sequence[Sequence[Use]]) -> list[Use]:
    """Sum meters stretch by stretch."""
    return [Use(total(stretch), any(part.is_estimate for part in stretch)) for stretch in zip(*columns, strict=True)]


def midnight(at: datetime) -> datetime:
    """Give the start of an instant's day in its own zone."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def hour_marks(day: datetime) -> list[int]:
    """Give the full hours of a local day, both midnights included; 23 or 25 hours where clocks change."""
    start, end = _ms(midnight(day)), _ms(midnight(day + timedelta(days=1)))
    return [*range(start, end, HOUR_MS), end]


def day_marks(last: datetime, days: int) -> list[int]:
    """Give the midnights around ``days`` local days, the last one being that of ``last``."""
    first = midnight(last) - timedelta(days=days - 1)
    return [_ms(first + timedelta(days=number)) for number in range(days + 1)]


def even_marks(end: int, step: int, count: int) -> list[int]:
    """Give ``count`` stretches of ``step`` that end with the one ``end`` lies in."""
    last = -(-end // step) * step
    return [last - step * number for number in range(count, -1, -1)]


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def local(at: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at / 1000, zone)
