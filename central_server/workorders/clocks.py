"""Two clocks of an order: until somebody takes it up, and until it is done; the second stands while work is stopped."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from central_server.calendar import Calendar
from central_server.workorders.model import ENDS, TARGETS, WAITING, Facts, Urgency

_MINUTE_MS = 60_000


def add(calendar: Calendar, urgency: str, begin: int, length: int, zone: ZoneInfo) -> int:
    """Give the instant at which a clock has run so long: round the clock for an emergency. Units: ms."""
    if TARGETS[Urgency(urgency)].is_round_the_clock:
        return begin + length
    return calendar.add(begin, length, zone)


def between(calendar: Calendar, urgency: str, begin: int, end: int, zone: ZoneInfo) -> int:
    """Measure how long a clock runs between two instants. Units: ms."""
    if TARGETS[Urgency(urgency)].is_round_the_clock:
        return end - begin
    return calendar.between(begin, end, zone)


def dues(calendar: Calendar, urgency: str, begin: int, zone: ZoneInfo) -> dict[str, int]:
    """Give when an order that begins now is to be taken up and done."""
    target = TARGETS[Urgency(urgency)]
    return {
        "respond_due_at": add(calendar, urgency, begin, target.respond_min * _MINUTE_MS, zone),
        "finish_due_at": add(calendar, urgency, begin, target.finish_min * _MINUTE_MS, zone),
    }


def resumed(calendar: Calendar, facts: Facts, at: int, zone: ZoneInfo) -> dict[str, int]:
    """Give when an order that goes on is due: what was left when it stopped is left now."""
    stopped = facts.paused_at if facts.paused_at is not None else at
    running = ["finish_due_at"] if facts.responded_at is not None else ["respond_due_at", "finish_due_at"]
    return {
        name: add(
            calendar,
            facts.urgency,
            at,
            between(calendar, facts.urgency, stopped, getattr(facts, name), zone),
            zone,
        )
        for name in running
    }


@dataclass(frozen=True, slots=True)
class Clock:
    """Which clock counts now, when it runs out, and whether it has. Units: ms."""

    name: str  # "respond", "finish", "stopped" or "" where none runs any more
    due_at: int | None
    is_overdue: bool


def clock_of(facts: Facts, now: int) -> Clock:
    """Give the clock that people look at."""
    if facts.state in ENDS or facts.state in WAITING:
        is_late = facts.finished_at is not None and facts.finished_at > facts.finish_due_at
        return Clock("", None, is_late)
    if facts.paused_at is not None:
        return Clock("stopped", None, facts.paused_at > facts.finish_due_at)
    if facts.responded_at is None:
        return Clock("respond", facts.respond_due_at, now > facts.respond_due_at)
    return Clock("finish", facts.finish_due_at, now > facts.finish_due_at)


def local(at: int, zone: ZoneInfo) -> datetime:
    """Give an instant as the clock on a site's wall shows it."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)
