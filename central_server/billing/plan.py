"""What a run may bill: spans of installations, reads that may be believed, and lines priced from them.

Pure: the shell fetches the reads that a span asks for and hands them back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation, localcontext
from itertools import pairwise
from typing import NamedTuple

from central_server.billing import words
from central_server.billing.model import RegisterWentBack, Tariff, Version, consumption, price
from central_server.billing.money import EXACT, plain
from central_server.billing.period import Period, to_iso
from central_server.billing.trace import Meter, Read, Reason
from protocols.quantity import Quality

# An older closing read would charge a later tenant, or a later month, for days of this one.
STALE_AFTER = timedelta(hours=48)
_STALE_MS = STALE_AFTER // timedelta(milliseconds=1)


class Park(Exception):
    """A metering point that cannot be billed in this run; ``key`` is for programs, the text for people.

    Shape: ``text`` is a msgid of billing/words.py; a field that is an int is an instant in ms since the epoch.
    """

    def __init__(self, key: str, text: str, **fields: str | int) -> None:
        self.key, self.text, self.fields = key, text, fields
        self.reason = text.format(
            **{name: to_iso(value) if isinstance(value, int) else value for name, value in fields.items()}
        )
        super().__init__(self.reason)


class Installed(NamedTuple):
    """A meter that served a metering point for a time.

    Units: instants in ms since the epoch. Shape: ``series_id`` is None for a register the centre has never heard of.
    """

    meter: Meter
    name: str
    series_id: int | None
    unit: str | None
    multiplier: str
    from_at: int
    to_at: int | None
    initial: Decimal | None


class Billed(NamedTuple):
    """Where the bills of a metering point stand: its last line's closing read, and the instant it was billed through."""

    meter: Meter
    closing: Read
    through_at: int


@dataclass(frozen=True, slots=True)
class Point:
    """A metering point with what it has used so far in the tier periods of this run."""

    id: int
    code: str
    kind: str
    tariff_code: str
    installed: tuple[Installed, ...]
    billed: Billed | None
    used_in: dict[str, Decimal]


class Span(NamedTuple):
    """A stretch of one installation to bill, up to ``until``; ``has_ended`` if the meter is gone by then."""

    installed: Installed
    until: int
    has_ended: bool


class Window(NamedTuple):
    """The month that is billed, and the instant that closes it.

    Units: ms since the epoch.
    """

    period: Period
    starts_at: int
    through_at: int


@dataclass(frozen=True, slots=True)
class Line:
    """A priced stretch of one metering point."""

    point: Point
    reason: Reason

    @property
    def unit_price(self) -> Decimal | None:
        """Give the one price of a flat tariff, None where tiers apply."""
        return self.reason.version.tiers[0].price if self.reason.version.kind == "flat" else None


def spans(point: Point, through_at: int) -> list[Span]:
    """Give the installations that a run has to bill, oldest first.

    Raises: Park where there is no meter, or records overlap.
    """
    begun = sorted((each for each in point.installed if each.from_at < through_at), key=lambda each: each.from_at)
    if not begun:
        raise Park("no_meter", words.NO_METER)
    for before, after in pairwise(begun):
        if before.to_at is None or before.to_at > after.from_at:
            raise Park(
                "overlapping_installations",
                words.STILL_SERVES,
                before=str(before.meter),
                after=str(after.meter),
                begins=after.from_at,
            )
    closed = point.billed.closing.at if point.billed else None
    return [
        Span(each, through_at, False) if each.to_at is None or each.to_at > through_at else Span(each, each.to_at, True)
        for each in begun
        if closed is None or each.to_at is None or each.to_at > closed
    ]


def series_of(installed: Installed, tariff: Tariff) -> int:
    """Give the series that holds a meter's register, in the tariff's unit.

    Raises: Park.
    """
    if installed.series_id is None:
        raise Park("never_heard", words.NEVER_HEARD, meter=str(installed.meter))
    if installed.unit != tariff.unit:
        counted = {"meter": str(installed.meter), "counted": str(installed.unit)}
        raise Park("wrong_unit", words.WRONG_UNIT, tariff=tariff.code, wanted=tariff.unit, **counted)
    return installed.series_id


def carried_read(span: Span, before: Read | None, meter_before: Meter | None) -> Read | None:
    """Give the closing read of the line before, if it is this meter's; it holds even where the multiplier has changed."""
    return before if meter_before == span.installed.meter else None


def noted_read(span: Span) -> Read | None:
    """Give the initial read that was noted at the installation, None if nobody did."""
    initial = span.installed.initial
    return None if initial is None else Read(span.installed.from_at, initial, Quality.GOOD, None)


def check_reads(
    span: Span, before: Read | None, opening: Read | None, closing: Read | None
) -> tuple[Read, Read] | None:
    """Accept the two reads of a span; None if all of a meter that is gone has been billed up to ``before``.

    Raises: Park for a read that is missing or too old.
    """
    meter = str(span.installed.meter)
    hours = str(int(STALE_AFTER.total_seconds()) // 3600)
    if closing is None:
        raise Park("no_closing_read", words.NO_READ_AT_ALL, meter=meter, hours=hours, until=span.until)
    if span.until - closing.at > _STALE_MS:
        told = {"until": span.until, "last": closing.at}
        raise Park("no_closing_read", words.NO_CLOSING_READ, meter=meter, hours=hours, **told)
    if opening is None or closing.at <= opening.at:
        if span.has_ended and opening is not None and opening == before:
            return None
        raise Park("one_read_only", words.ONE_READ_ONLY, meter=meter, until=span.until)
    return opening, closing


def shared_meters(points: Sequence[Point]) -> set[Meter]:
    """Find registers that two metering points claim at the same time: their use would be billed twice."""
    claims: dict[Meter, list[tuple[int, int | None, str]]] = {}
    for point in points:
        for each in point.installed:
            claims.setdefault(each.meter, []).append((each.from_at, each.to_at, point.code))
    shared = set()
    for meter, windows in claims.items():
        windows.sort(key=lambda window: window[0])
        for position, (_, to_at, code) in enumerate(windows):
            if any(other != code and (to_at is None or start < to_at) for start, _, other in windows[position + 1 :]):
                shared.add(meter)
    return shared


def line(point: Point, tariff: Tariff, window: Window, span: Span, reads: tuple[Read, Read], used: Decimal) -> Line:
    """Price a span, ``used`` having been billed before it in the tier period.

    Raises: Park for a register that went back or a multiplier that is none.
    """
    opening, closing = reads
    version = version_for(tariff, window.period)
    multiplier = multiplier_of(span.installed)
    try:
        use = consumption(opening.value, closing.value, multiplier)
    except RegisterWentBack as error:
        raise went_back(span.installed.meter, error.opening, error.closing) from None
    priced = price(version, use, used, window.period.first_day)
    reason = Reason(
        meter=span.installed.meter,
        meter_name=span.installed.name,
        opening=opening,
        closing=closing,
        multiplier=multiplier,
        use=use,
        unit=tariff.unit,
        tariff=tariff,
        version=version,
        used_before=used,
        priced=priced,
        notes=tuple(_notes(tariff, window, opening)),
    )
    return Line(point, reason)


def multiplier_of(installed: Installed) -> Decimal:
    """Read the multiplier of an installation. Raises: Park if it is no number above zero."""
    try:
        multiplier = Decimal(installed.multiplier)
    except InvalidOperation:
        multiplier = Decimal(0)
    # A few digits are plenty for a transformer's ratio, and keep every product exact.
    if (
        multiplier.is_finite()
        and multiplier > 0
        and len(multiplier.as_tuple().digits) <= 18
        and abs(multiplier.adjusted()) <= 9
    ):
        return multiplier
    told = {"meter": str(installed.meter), "multiplier": installed.multiplier}
    raise Park("bad_multiplier", words.BAD_MULTIPLIER, **told)


def went_back(meter: Meter, before: Decimal, after: Decimal) -> Park:
    """Say that a register decreased: a swap, a rollover or a bad reading, and billed as none of them."""
    return Park("register_went_back", words.WENT_BACK, meter=str(meter), before=plain(before), after=plain(after))


def version_for(tariff: Tariff, period: Period) -> Version:
    """Give the prices of a period: those in force on its first day; a later change counts from the next one.

    Raises: Park before the tariff's first version.
    """
    version = tariff.version_on(period.first_day)
    if version is None:
        first = tariff.versions[0].valid_from
        told = {"tariff": tariff.code, "first": first.isoformat(), "day": period.first_day.isoformat()}
        raise Park("tariff_not_in_force", words.NOT_IN_FORCE, **told)
    return version


def used_before(point: Point, version: Version, period: Period, lines: Sequence[Line]) -> Decimal:
    """Sum what was billed before in the tier period, in earlier bills and earlier lines of this one."""
    if version.tier_period is None:
        return Decimal(0)
    year = f"{period.year:04d}-"
    told = {str(period)} if version.tier_period == "month" else {key for key in point.used_in if key.startswith(year)}
    with localcontext(EXACT):
        earlier = sum((use for key, use in point.used_in.items() if key in told), Decimal(0))
        return earlier + sum((each.reason.use for each in lines), Decimal(0))


def _notes(tariff: Tariff, window: Window, opening: Read) -> Iterator[str]:
    if opening.at < window.starts_at - _STALE_MS:
        yield "spans-periods"
    first, after = window.period.first_day, window.period.next.first_day
    if any(first < each.valid_from < after for each in tariff.versions):
        yield "tariff-changes-next-period"
