"""The small picture of a day's use: bars for today, a dashed line for yesterday. Pure geometry."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from central_server.dashboard.usage import Use

WIDTH, HEIGHT = 192, 40
_BASE = HEIGHT - 1
_GAP = 1.5


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Spark:
    """Shape: coordinates in a box of WIDTH x HEIGHT; ``before`` is the points of a polyline."""

    bars: tuple[Bar, ...]
    before: str
    is_minutes: bool


def spark(now: Sequence[Use], before: Sequence[Use], *, is_minutes: bool = False) -> Spark:
    """Scale both to the highest of either, so that they can be compared."""
    highest = max((each.value for each in (*now, *before) if each.value), default=Decimal(1))
    bars = tuple(
        Bar(_x(position, len(now)), _y(each.value, highest), WIDTH / len(now) - _GAP, _BASE - _y(each.value, highest))
        for position, each in enumerate(now)
        if each.value is not None
    )
    line = " ".join(
        f"{_x(position, len(before)) + WIDTH / len(before) / 2:.1f},{_y(each.value, highest):.1f}"
        for position, each in enumerate(before)
        if each.value is not None
    )
    return Spark(bars, line, is_minutes)


def _x(position: int, count: int) -> float:
    return round(WIDTH / count * position, 2)


def _y(value: Decimal, highest: Decimal) -> float:
    return round(_BASE - float(value / highest) * (_BASE - 2), 2)
