"""How far the gateway's clock is to be believed, decided from what the clocks say.

A machine without a battery wakes up in 1970, and somebody or NTP sets its clock later. The monotonic
clock runs evenly through all of that, so a stretch in which wall clock and monotonic clock keep their
distance (a span) has one error for all its stamps: ``shift_ms``, what has to be added to them.

    a span begins                          its shift, and what becomes of those before it in this boot
    at the start, later than all before    0, as long as nobody knows better
    at the start, earlier than that        not known
    by a jump, the one before was proved   what leaves the true time as it was: the jump is the fault
    by a jump, the one before was not      0: somebody has set the clock; those before follow from it
    and then: the centre tells its time    proved; those before follow from it

The centre is believed to ``TOLERANCE_MS``: a smaller difference is left alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from protocols.quantity import Quality
from protocols.record import Event, Reading, Record

TOLERANCE_MS = 5_000
JUMP_MS = 1_000  # NTP slews by less than this between two looks
_IN_FLIGHT_MS = 60_000  # what was stamped before a jump is stored by then
# Nothing was measured with this product before.
EARLIEST_MS = 1_767_225_600_000


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch in which the clocks kept their distance.

    Units: ``offset_ms`` is wall minus monotonic; ``since_ms`` is the monotonic clock at its beginning.
    Shape: ``is_proved`` where the centre's clock has confirmed the shift.
    """

    boot: str
    offset_ms: int
    since_ms: int
    shift_ms: int | None
    is_proved: bool = False

    @property
    def true_offset_ms(self) -> int | None:
        """Give the true time minus the monotonic clock."""
        return None if self.shift_ms is None else self.offset_ms + self.shift_ms


def first_span(boot: str, wall_ms: int, mono_ms: int, newest_ms: int, before: Span | None) -> Span:
    """Begin the span of a process that has just started; ``newest_ms`` is the latest true time known.

    Where the machine has run on meanwhile, what was known of its clock holds.
    """
    fresh = Span(boot, wall_ms - mono_ms, mono_ms, None)
    if before is not None and before.boot == boot:
        return next_span(before, wall_ms, mono_ms) or before
    is_plausible = wall_ms >= max(EARLIEST_MS, newest_ms - TOLERANCE_MS)
    return replace(fresh, shift_ms=0) if is_plausible else fresh


def next_span(span: Span, wall_ms: int, mono_ms: int) -> Span | None:
    """Give the span that a jump of the wall clock begins, None while there is no jump."""
    offset = wall_ms - mono_ms
    if abs(offset - span.offset_ms) <= JUMP_MS:
        return None
    fresh = Span(span.boot, offset, mono_ms, 0 if wall_ms >= EARLIEST_MS else None)
    true = span.true_offset_ms
    if span.is_proved and true is not None:
        return replace(fresh, shift_ms=_tolerated(true - offset), is_proved=True)
    return fresh


def proved(span: Span, centre_ahead_ms: int) -> Span:
    """Take in how far the centre's clock is ahead of ours."""
    return replace(span, shift_ms=_tolerated(centre_ahead_ms), is_proved=True)


def corrected(spans: Sequence[Span]) -> list[Span]:
    """Give a boot's spans, oldest first, each put right by the next one where nobody had proved it."""
    found: list[Span] = []
    true: int | None = None
    is_proved = False
    for number, span in enumerate(reversed(spans)):
        if number == 0 or span.is_proved or span.boot != found[-1].boot:
            true, is_proved = span.true_offset_ms, span.is_proved
            found.append(span)
        elif true is None:
            found.append(span)
        else:
            found.append(replace(span, shift_ms=_tolerated(true - span.offset_ms), is_proved=is_proved))
    return found[::-1]


def restamped(record: Record, before: Span, now: Span, mono_ms: int) -> Record:
    """Give a record, stamped by the wall clock before its jump, as the new wall clock would have.

    Only of what can still be on its way, and only where its stamp fits the old clock better than the new.
    """
    if mono_ms - now.since_ms > _IN_FLIGHT_MS:
        return record
    if isinstance(record, Reading) and record.quality is Quality.FROZEN:
        return record  # the device's own instant
    at = record.at if isinstance(record, Event) else record.taken_at
    if abs(at - now.offset_ms - mono_ms) <= abs(at - before.offset_ms - mono_ms):
        return record
    at += now.offset_ms - before.offset_ms
    return record._replace(at=at) if isinstance(record, Event) else record._replace(taken_at=at)


def _tolerated(shift_ms: int) -> int:
    return shift_ms if abs(shift_ms) > TOLERANCE_MS else 0
