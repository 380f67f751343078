"""Whether a profile fits a device, by what the device answered to a few of its points. Pure.

A wrong register map answers too: with refusals, with 1e-38 where a voltage should stand, or with a
frequency of 3 Hz. What is plausible is a table by unit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from drivers.base import PointValue
from drivers.modbus_value import quantity_of
from drivers.profile import Point, Profile
from drivers.profile.modbus import Source
from protocols.quantity import Quality, canonical
from protocols.register import ORDERS

FITS, PARTLY, UNCLEAR, MISFIT = "fits", "fits in part", "unclear", "does not fit"
_MOST_POINTS = 8
_USUAL, _POSSIBLE, _WRONG, _REFUSED = 3, 1, -5, -4


class Span(NamedTuple):
    """What a measurand can be, zero always among it.

    Shape: nothing but zero is nearer to zero than ``least``; ``usual_low`` to ``usual_high`` is what it
    mostly is where it is in use.
    """

    low: Decimal
    high: Decimal
    least: Decimal
    usual_low: Decimal
    usual_high: Decimal


def _span(low: str, high: str, least: str, usual_low: str, usual_high: str) -> Span:
    return Span(*map(Decimal, (low, high, least, usual_low, usual_high)))


_POWER = _span("-1e8", "1e8", "0.001", "0.5", "2e6")
_ENERGY = _span("0", "1e9", "0.0005", "0.01", "1e8")
SPANS: Mapping[str, Span] = MappingProxyType(
    {
        "V": _span("0", "500000", "0.1", "85", "480"),
        "Hz": _span("40", "70", "40", "49", "61"),
        "A": _span("-20000", "20000", "0.0005", "0.01", "2000"),
        "W": _POWER,
        "var": _POWER,
        "VA": _POWER,
        "kWh": _ENERGY,
        "kvarh": _ENERGY,
        "kVAh": _ENERGY,
        "GJ": _ENERGY,
        "m3": _span("0", "1e8", "0.000001", "0.001", "1e6"),
        "m3/h": _span("-100000", "100000", "0.000001", "0.001", "1000"),
        "degC": _span("-60", "250", "0.001", "1", "120"),
        "K": _span("-250", "250", "0.001", "0.1", "100"),
        "%": _span("-1", "100.5", "0.001", "1", "100"),
        "deg": _span("-360", "360", "0.001", "1", "360"),
        "kPa": _span("-200", "100000", "0.001", "1", "2500"),
        "s": _span("0", "1e10", "0.001", "1", "1e9"),
        "ppm": _span("0", "1e6", "0.001", "300", "5000"),
    }
)


@dataclass(frozen=True, slots=True)
class Fit:
    """What came of trying a profile.

    Shape: ``verdict`` is FITS, PARTLY (some of its points are refused, the rest is good), UNCLEAR (nothing
    speaks against it, and nothing for it) or MISFIT; ``reasons`` what speaks against it; ``remedy`` what this profile itself would need, if that is clear.
    """

    profile: str
    verdict: str
    score: int
    reasons: tuple[str, ...] = ()
    remedy: str | None = None


def telling_points(profile: Profile) -> tuple[str, ...]:
    """Choose the points to try: the first of each measurand with a span, and the one the profile probes with."""
    chosen = {profile.probe: None}
    seen: set[str] = set()
    for point in sorted(profile.points, key=lambda point: not point.is_register):
        kind = "state" if point.states else point.canonical_unit
        if kind not in seen and (kind in SPANS or kind == "state"):
            seen.add(kind)
            chosen[point.name] = None
    return tuple(chosen)[:_MOST_POINTS]


def judge(profile: Profile, values: Sequence[PointValue], refusal: str | None = None) -> Fit:
    """Weigh what a device answered; ``refusal`` where it refused everything."""
    if refusal is not None:
        return Fit(profile.name, MISFIT, _REFUSED * 2, (_refused(profile.point(profile.probe), refusal),))
    score, reasons, has_spoken = 0, [], False
    wrong: list[tuple[Point, bytes]] = []
    for value in values:
        point = profile.point(value.point)
        number = number_of(point, value)
        if number is None:
            if value.quantity.quality is Quality.NOT_AVAILABLE and not value.raw:
                score += _REFUSED
                reasons.append(f"{_place(point)} is refused")
            continue
        weight, complaint = _weigh(point, number)
        score += weight
        has_spoken = has_spoken or weight > 0
        if complaint is not None:
            reasons.append(complaint)
            wrong.append((point, value.raw))
    good = PARTLY if reasons else FITS
    verdict = MISFIT if score < 0 or wrong else good if has_spoken else UNCLEAR
    return Fit(profile.name, verdict, score, tuple(reasons), _other_order(wrong))


def number_of(point: Point, value: PointValue) -> Decimal | None:
    """Give the number as it stood on the wire, in the canonical unit: a reading keeps no 1e-38."""
    if isinstance(point.source, Source) and value.raw:
        return canonical(quantity_of(point, value.raw)).value
    return value.quantity.value


def _weigh(point: Point, number: Decimal) -> tuple[int, str | None]:
    if point.states:
        if number in map(Decimal, point.states):
            return (_POSSIBLE if number else 0), None
        return _WRONG, f"{_place(point)} reads {_short(number)}, which is no state of it"
    span = SPANS.get(point.canonical_unit)
    if span is None or number == 0:
        return 0, None
    if not span.low <= number <= span.high or abs(number) < span.least:
        return _WRONG, f"{_place(point)} reads {_short(number)} {point.canonical_unit}"
    return (_USUAL if span.usual_low <= abs(number) <= span.usual_high else _POSSIBLE), None


def _other_order(wrong: Sequence[tuple[Point, bytes]]) -> str | None:
    """Say which order of bytes would make sense of what does not, if one does of all."""
    for order in ORDERS:
        told = [(point, _in_order(point, raw, order)) for point, raw in wrong]
        if told and all(number is not None and _weigh(point, number)[0] == _USUAL for point, number in told):
            point, number = told[0]
            shown = "" if number is None else f"{_short(number)} {point.canonical_unit}"
            return (
                f"In the order {order} '{point.name}' would be {shown}: the device swaps its bytes or registers. Set "
                f'it to the usual order, or make a profile with order = "{order}"'
            )
    return None


def _in_order(point: Point, raw: bytes, order: str) -> Decimal | None:
    if not isinstance(point.source, Source) or point.source.order == order or point.source.count < 2:
        return None
    return canonical(quantity_of(replace(point, source=replace(point.source, order=order)), raw)).value


def _refused(point: Point, reason: str) -> str:
    return f"{_place(point)}: {reason}"


def _place(point: Point) -> str:
    if isinstance(point.source, Source):
        kind = {1: "coil", 2: "discrete input", 3: "holding register", 4: "input register"}[point.source.function]
        return f"'{point.name}' ({kind} {point.source.address})"
    return f"'{point.name}'"


def _short(number: Decimal) -> str:
    """Write a number in a few digits: 229.9, 1.2e-38."""
    if number == 0 or -4 <= number.adjusted() < 9:
        return f"{number:.6g}"
    return f"{number:.2g}".lower().replace("e+", "e")
