"""What a home or a building draws: a pure function of a seed and the time.

A register is the exact sum of the rate that the same meter shows as power or flow, so a
reader who multiplies one by time gets the other. Everything is integers: a rate in
thousandths (mW, mL/h), an amount in thousandths times milliseconds.

    day      24 hours of one shape, so a day's amount is constant and any instant costs the same
    2 hours  one hour gets a seeded bit more, the other as much less
    group    N slots of 10 s; a seeded one takes the burst (a kettle, a tap), the rest is steady
"""

from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b

SLOT_MS = 10_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_MILLI = 1000
# One step of the register: 0.01 kWh or 0.01 m3, that is ten W or L/h for an hour.
_AMOUNT_PER_STEP = 10 * _MILLI * HOUR_MS
STEP = Decimal("0.01")

# Hourly weights: an evening peak for homes, office hours for a building's own supply.
SHAPES: dict[str, tuple[int, ...]] = {
    "home": (35, 30, 28, 28, 30, 45, 90, 120, 95, 70, 65, 90, 110, 80, 65, 65, 80, 130, 180, 210, 200, 170, 110, 55),
    "building": (
        60,
        55,
        55,
        55,
        55,
        60,
        80,
        110,
        130,
        140,
        140,
        135,
        120,
        130,
        140,
        140,
        135,
        130,
        120,
        110,
        100,
        90,
        75,
        65,
    ),
    "flat": (100,) * 24,
}
_DAY_SWING_PERCENT = 20
_SLOT_SWING_PERCENT = 15


def draw(seed: int, *names: object) -> int:
    """Draw a 32-bit number that depends on nothing but the seed and the names."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big")


@dataclass(frozen=True, slots=True)
class Load:
    """A seeded load with a mean rate.

    Shape: ``mean`` and rates in W or L/h, steps of ``STEP`` kWh or m3; ``burst_percent`` of the
    amount comes in one slot of each group of ``group`` slots (even, a divisor of 360).
    """

    seed: int
    mean: int
    shape: str = "home"
    burst_percent: int = 30
    group: int = 6
    hourly: tuple[int, ...] = field(init=False)  # thousandths

    def __post_init__(self) -> None:
        """Scale the shape to the mean."""
        weights = SHAPES[self.shape]
        scaled = tuple(self.mean * _MILLI * len(weights) * weight // sum(weights) for weight in weights)
        object.__setattr__(self, "hourly", scaled)

    def steps(self, since_ms: int, at_ms: int) -> int:
        """Count the register's steps between two instants; never negative for a later ``at_ms``."""
        return (_amount(self, at_ms) - _amount(self, since_ms)) // _AMOUNT_PER_STEP

    def rate(self, at_ms: int) -> Decimal:
        """Give the rate in W or L/h that the register is moving at."""
        day, rest = divmod(at_ms, DAY_MS)
        hour, rest = divmod(rest, HOUR_MS)
        group, slot = divmod(rest // SLOT_MS, self.group)
        return Decimal(_slot_rates(self, day, hour, group)[slot]) / _MILLI


def _hour_rate(load: Load, day: int, hour: int) -> int:
    first = hour - hour % 2
    limit = min(load.hourly[first], load.hourly[first + 1]) * _DAY_SWING_PERCENT // 100
    swing = draw(load.seed, "day", day, first) % (2 * limit + 1) - limit
    return load.hourly[hour] + (swing if hour == first else -swing)


@lru_cache(maxsize=4096)
def _slot_rates(load: Load, day: int, hour: int, group: int) -> tuple[int, ...]:
    """Share a group's amount among its slots so that their sum is the hour's rate times N, exactly."""
    whole = _hour_rate(load, day, hour) * load.group
    steady = whole * (100 - load.burst_percent) // 100 // load.group
    rates = [steady] * load.group
    for pair in range(0, load.group, 2):
        limit = steady * _SLOT_SWING_PERCENT // 100
        swing = draw(load.seed, "slot", day, hour, group, pair) % (2 * limit + 1) - limit
        rates[pair] += swing
        rates[pair + 1] -= swing
    rates[draw(load.seed, "burst", day, hour, group) % load.group] += whole - steady * load.group
    return tuple(rates)


def _amount(load: Load, at_ms: int) -> int:
    """Sum the rate from time zero, in thousandths times milliseconds."""
    day, rest = divmod(at_ms, DAY_MS)
    hour, rest = divmod(rest, HOUR_MS)
    amount = day * sum(load.hourly) * HOUR_MS + sum(load.hourly[: hour - hour % 2]) * HOUR_MS
    if hour % 2:
        amount += _hour_rate(load, day, hour - 1) * HOUR_MS
    group, rest = divmod(rest, load.group * SLOT_MS)
    amount += _hour_rate(load, day, hour) * group * load.group * SLOT_MS
    slot, rest = divmod(rest, SLOT_MS)
    rates = _slot_rates(load, day, hour, group)
    return amount + sum(rates[:slot]) * SLOT_MS + rates[slot] * rest
