"""The counter guard: whether a cumulative register may be believed. Pure.

A register only grows, and no faster than its line can carry. What does otherwise is kept with
its bytes and a reason, and is not billed. A single wrong read heals by itself when the register
comes back to where it was; a register that stays somewhere else (another meter, another ratio)
does not, however long it stays: then a person says what happened, and ``accepted`` begins anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from drivers.profile import Point


class Reason(StrEnum):
    """Why a read is not believed."""

    ZERO = "zero"
    DECREASE = "decrease"
    SPIKE = "spike"
    SWAP = "swap"  # it went down and goes on from there: probably another meter
    RATIO = "ratio"  # it goes on at a multiple: probably another transformer ratio or decimal point


class Limits(NamedTuple):
    """What a register can do.

    Units: ``per_hour`` in the register's unit an hour at the most its line can carry; ``modulus``
    is the first number that it cannot show, after which it begins at 0; None where that is not known.
    """

    per_hour: Decimal
    modulus: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """A read that is not believed, and how many that fit it have followed."""

    reason: Reason
    value: Decimal
    at: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Believed:
    """The last read that was believed.

    Units: ``at`` milliseconds UTC; ``per_hour`` the trailing mean of growth, 0 while it is not known.
    """

    value: Decimal
    at: int
    per_hour: Decimal = Decimal(0)
    doubt: Doubt | None = None


class Judgement(NamedTuple):
    """Shape: ``reason`` is None for a read that is believed; ``state`` is what to judge the next one by."""

    reason: Reason | None
    state: Believed
    is_rollover: bool = False


# What no line of a building carries in an hour; a profile says it closer by 'max_per_hour'.
_UNSAID = {"kWh": Decimal(1000), "kvarh": Decimal(1000), "kVAh": Decimal(1000), "m3": Decimal(100), "GJ": Decimal(10)}
_HOUR_MS = Decimal(3_600_000)
_FULL_POWER_HOURS = 24  # nobody draws the most for longer; beyond, the trailing mean tells what is likely
_MEAN_FACTOR = 10
_MEAN_HOURS = Decimal(24)  # what the trailing mean looks back on
_SETTLED = 3  # reads at a new level that make it one
_RATIOS = [
    Decimal(ratio) for ratio in (10, 100, 1000, *range(15, 101, 5), *range(120, 1001, 20), *range(1200, 6001, 200))
]
_RATIO_TOLERANCE = Decimal("0.005")


def limits_of(point: Point, max_per_hour: Decimal | None = None) -> Limits:
    """Give what the installation or else the profile says of a register, or what holds for any."""
    most = point.max_per_hour if max_per_hour is None else max_per_hour
    return Limits(_UNSAID.get(point.canonical_unit, Decimal(1000)) if most is None else most, point.modulus)


def judge(state: Believed | None, value: Decimal, at: int, limits: Limits) -> Judgement:
    """Decide whether a read is believed.

    Units: ``at`` milliseconds UTC.
    """
    if state is None:
        return Judgement(None, Believed(value, at))
    doubt = state.doubt
    # A level that has stood twice does not become right by waiting until so much could have flowed.
    if doubt is not None and doubt.count > 1 and _fits(doubt.value, doubt.at, value, at, state, limits):
        return _doubted(state, value, at, limits)
    if _fits(state.value, state.at, value, at, state, limits):
        return Judgement(None, _grown(state, value - state.value, value, at))
    if limits.modulus is not None and value < state.value < limits.modulus:
        growth = limits.modulus - state.value + value
        if growth <= _most(state, at - state.at, value, limits):
            return Judgement(None, _grown(state, growth, value, at), is_rollover=True)
    return _doubted(state, value, at, limits)


def accepted(state: Believed) -> Believed:
    """Take the level in doubt for right from now on, because a person says so; without a doubt nothing changes."""
    return state if state.doubt is None else Believed(state.doubt.value, state.doubt.at)


def _fits(from_value: Decimal, from_at: int, value: Decimal, at: int, state: Believed, limits: Limits) -> bool:
    return 0 <= value - from_value <= _most(state, at - from_at, value, limits)


def _most(state: Believed, passed_ms: int, value: Decimal, limits: Limits) -> Decimal:
    """Say how much can have flowed; a clock that was set back does not make it less than nothing."""
    hours = abs(passed_ms) / _HOUR_MS
    full = min(hours, Decimal(_FULL_POWER_HOURS))
    likely = max(_MEAN_FACTOR * state.per_hour, limits.per_hour / _MEAN_FACTOR)
    return limits.per_hour * full + min(likely, limits.per_hour) * (hours - full) + 2 * _step(value, state.value)


def _step(*values: Decimal) -> Decimal:
    """Give the finest step that the register has shown, for it may stand just before its next one."""
    places = min(0, *(exponent for value in values if isinstance(exponent := value.as_tuple().exponent, int)))
    return Decimal(1).scaleb(places)


def _grown(state: Believed, growth: Decimal, value: Decimal, at: int) -> Believed:
    hours = max(at - state.at, 0) / _HOUR_MS
    if not hours:
        return Believed(value, max(at, state.at), state.per_hour)
    weight = min(hours / _MEAN_HOURS, Decimal(1))
    mean = state.per_hour + (growth / hours - state.per_hour) * weight
    return Believed(value, at, mean.quantize(Decimal("1e-9")))


def _doubted(state: Believed, value: Decimal, at: int, limits: Limits) -> Judgement:
    doubt = state.doubt
    is_level = doubt is not None and _fits(doubt.value, doubt.at, value, at, state, limits)
    count = doubt.count + 1 if doubt is not None and is_level else 1
    reason = _reason(state.value, value, is_settled=count >= _SETTLED)
    return Judgement(reason, replace(state, doubt=Doubt(reason, value, at, count)))


def _reason(before: Decimal, value: Decimal, *, is_settled: bool) -> Reason:
    if value == 0:
        return Reason.ZERO
    if is_settled and before > 0:
        ratio = max(value / before, before / value)
        if any(abs(ratio - known) <= known * _RATIO_TOLERANCE for known in _RATIOS):
            return Reason.RATIO
    if value > before:
        return Reason.SPIKE
    return Reason.SWAP if is_settled else Reason.DECREASE


def to_note(state: Believed) -> str:
    """Write a state as the store keeps it, so that a restart forgets no doubt."""
    doubt = state.doubt
    parts: list[Any] = [state.value, state.at, state.per_hour]
    if doubt is not None:
        parts += [doubt.reason, doubt.value, doubt.at, doubt.count]
    return " ".join(map(str, parts))


def from_note(note: str) -> Believed:
    """Read what ``to_note`` wrote.

    Raises: ValueError, ArithmeticError for anything else.
    """
    parts: Sequence[str] = note.split(" ")
    value, at, per_hour = parts[:3]
    doubt = None
    if len(parts) > 3:
        reason, doubted, doubted_at, count = parts[3:]
        doubt = Doubt(Reason(reason), Decimal(doubted), int(doubted_at), int(count))
    return Believed(Decimal(value), int(at), Decimal(per_hour), doubt)
